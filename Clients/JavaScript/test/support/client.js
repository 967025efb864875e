import { MemoryStorage } from '../../src/storage/memory-storage.js'
import { FakeServer, makeToken, until } from './fake-server.js'

/** Whether not the sources are tested, but the files that pages load: there internal names are shortened. */
export const isBundled = process.env.CHAT_CLIENT === 'dist'
export const { Chat } = await import(isBundled ? '../../dist/chat.js' : '../../src/chat.js')
// The library loads these on demand. Loaded here first, since fake time does not wait for modules.
for (const module of ['event-reading.js', 'event-stream.js', 'files.js', 'storage/restoring.js']) {
  await import(isBundled ? `../../dist/${module.split('/').at(-1)}` : `../../src/${module}`)
}

const URLS = { system: 'http://system', messages: 'http://messages', sockets: 'http://sockets' }

/** A chat with a server of its own, both for one test. `errors` has what was reported. */
export function setUp(t, { server = new FakeServer(), ...options } = {}) {
  const chat = new Chat({
    url: URLS, getToken: async () => makeToken({ sub: server.userId }), storage: new MemoryStorage(),
    WebSocket: server.WebSocket, fetch: server.fetch, ...options,
  })
  const errors = [], states = []
  chat.on('error', error => errors.push(error))
  chat.on('state', change => states.push(change))
  t.after(() => chat.close())
  const live = async () => {
    chat.start()
    await until(() => chat.state === 'live', 'live')
    return chat
  }
  /** Resolves at the next change of state that matches; by the event, as a pause may be over before a poll looks. */
  const change = matches => new Promise(resolve => {
    const off = chat.on('state', change => { if (matches(change)) { off(); resolve() } })
  })
  /** Ends the connections, and resolves at the state `offline`. */
  const drop = async () => {
    const isOffline = change(({ state }) => state === 'offline')
    server.dropAll()
    await isOffline
  }
  return { chat, server, errors, states, live, change, drop }
}
