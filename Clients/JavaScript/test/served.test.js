// What pages load: the files of `dist`, in Chromium, against real servers; see real.test.js.

import assert from 'node:assert/strict'
import test from 'node:test'
import { Browser, chromium } from './storage/browser.js'
import { call, makeUser } from './support/accounts.js'

const { CHAT_SYSTEM_URL: system, CHAT_MESSAGE_URL: messages, CHAT_SOCKETS_URL: sockets } = process.env
const skip = !chromium ? 'no Chromium' : system && messages && sockets ? false : 'CHAT_SYSTEM_URL and the others are not set'

/** A tab with the library from `dist`, of a user with a room; `prelude` runs before it. */
async function open(t, prelude, options = '') {
  const { account, userId, token } = await makeUser(system)
  const { roomId } = await call(system, '/rooms', { type: 'group', name: 'x' }, token)
  const browser = await Browser.start()
  const tab = await browser.tab()
  t.after(async () => {
    const rejections = await Promise.race([tab.run('return rejections'), new Promise(resolve => setTimeout(resolve, 1_000, []))])
    await browser.close()
    assert.deepEqual(rejections, [], 'unhandled rejections')
  })
  await tab.call('Network.enable')
  await tab.run(`
    ${prelude}
    const { Chat } = await import('/dist/chat.js')
    window.signIn = async () => {
      const answer = await fetch('${system}/api/v1/auth/login', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: ${JSON.stringify(JSON.stringify(account))} })
      return (await answer.json()).accessToken
    }
    window.states = []
    window.errors = []
    window.chat = new Chat({ url: ${JSON.stringify({ system, messages, sockets })}, getToken: signIn, userId: ${userId}, ${options} })
    chat.on('state', change => states.push(change.state + ' ' + change.reason))
    chat.on('error', error => errors.push(error.code))
    window.room = chat.room('${roomId}')
    window.until = async condition => { for (let turn = 0; turn < 2000; turn += 1) { if (condition()) return; await new Promise(resolve => setTimeout(resolve, 10)) } throw new Error('not in time: ' + condition + ' ' + states + ' ' + errors) }
    window.loaded = () => performance.getEntriesByType('resource').map(({ name }) => name.split('/').at(-1)).filter(name => name.endsWith('.js'))
    window.rejections = []
    addEventListener('unhandledrejection', event => rejections.push(String(event.reason)))
  `)
  return tab
}

test('a page loads one module; what reads events comes when it is asked for, also after the network was away', { skip, timeout: 60_000 }, async t => {
  const tab = await open(t, '')
  await tab.run(`chat.start(); await until(() => room.messages && chat.state === 'live' && room.state === 'live')`)
  await tab.run(`await room.send({ text: 'one' }).stored`)
  assert.deepEqual(await tab.run('return loaded()'), ['chat.js'])
  await tab.call('Network.setBlockedURLs', { urls: ['*event-reading.js*'] })
  await tab.run(`
    window.seen = []
    window.events = room.events()
    window.reading = (async () => { for await (const event of events) seen.push(event.content.text) })()
    await new Promise(resolve => setTimeout(resolve, 500))
    await room.send({ text: 'two' }).stored
  `)
  assert.deepEqual(await tab.run('return seen'), [])
  await tab.call('Network.setBlockedURLs', { urls: [] })
  // From the call on: what came while it could not be loaded is not missing.
  await tab.run(`await until(() => seen.length === 1); await room.send({ text: 'three' }).stored; await until(() => seen.length === 2)`)
  assert.deepEqual(await tab.run('return seen'), ['two', 'three'])
  await tab.run('await events.return(); await reading')
  assert.deepEqual(await tab.run(`const all = []; for await (const event of room.events({ after: 0 })) { all.push(event.content.text); if (all.length === 3) break } return all`), ['one', 'two', 'three'])
})

test('where no socket gets through streams serve, whose module is loaded then; once one gets through it is a socket again', { skip, timeout: 60_000 }, async t => {
  const tab = await open(t, `
    window.isBlocked = true
    window.Blocked = class { constructor(...values) { if (isBlocked) throw new Error('blocked'); return new WebSocket(...values) } }
    window.cuttable = async (url, options) => {
      const answer = await fetch(url, options)
      if (!url.includes('/sse/')) return answer
      const reader = answer.body.getReader()
      const body = new ReadableStream({
        start: stream => { window.cut = () => stream.error(new TypeError('network error')) },
        async pull(stream) { const { done, value } = await reader.read(); if (done) stream.close(); else stream.enqueue(value) },
      })
      return new Response(body, { headers: answer.headers })
    }`, 'WebSocket: Blocked, fetch: cuttable')
  await tab.run(`chat.start(); await until(() => room.messages && chat.state === 'live' && room.state === 'live')`)
  assert.deepEqual(await tab.run('return loaded()'), ['chat.js', 'event-stream.js'])
  await tab.run(`await room.send({ text: 'by a stream' }).stored; await until(() => room.messages.some(message => message.content.text === 'by a stream' && message.seq))`)
  // Another network, where sockets get through: the stream is lost, and a socket is tried.
  const before = (await tab.run('return states')).length
  // How long the pause before the next try takes is random, and may be nothing.
  await tab.run(`window.isBlocked = false; cut(); await until(() => states.length > ${before} && chat.state === 'live')`)
  const states = (await tab.run('return states')).slice(before)
  assert.equal(states[0], 'offline network')
  assert.equal(states.at(-1), 'live network')
  await tab.run(`await room.send({ text: 'by a socket' }).stored; await until(() => room.messages.some(message => message.content.text === 'by a socket' && message.seq))`)
})

test('a token callback that lies, throws and hangs: states with a reason, and live once it gives a token', { skip, timeout: 240_000 }, async t => {
  const tab = await open(t, `
    const answers = [() => 'no token', () => new Promise(() => {}), () => undefined, () => { throw new Error('x') }, () => ({ token: 1 }), () => 'a.b.c']
    window.asked = []
    window.lie = async values => { asked.push(performance.now()); const answer = answers.shift(); return answer ? await answer(values) : await signIn() }`, `getToken: values => lie(values)`)
  await tab.run('chat.start()')
  while (await tab.run('await new Promise(resolve => setTimeout(resolve, 100)); return chat.state') !== 'live');
  const asked = await tab.run('return asked')
  assert.equal(asked.length, 7)
  // What hangs counts as failed after 30 s, and no longer as under way.
  const waited = asked[2] - asked[1]
  assert.ok(waited > 29_500 && waited < 45_000, `${waited} ms`)
  assert.ok((await tab.run('return states')).filter(state => state.startsWith('offline')).every(state => state === 'offline token' || state === 'offline start'))
})

test('a tab that is killed in the middle of its posts: the next one sends what was kept, each once, in order', { skip, timeout: 90_000 }, async t => {
  const { account, userId, token } = await makeUser(system)
  const { roomId } = await call(system, '/rooms', { type: 'group', name: 'x' }, token)
  const browser = await Browser.start()
  t.after(() => browser.close())
  const open = async () => {
    const tab = await browser.tab()
    await tab.run(`
      const { Chat } = await import('/dist/chat.js')
      window.chat = new Chat({ url: ${JSON.stringify({ system, messages, sockets })}, userId: ${userId}, getToken: async () => {
        const answer = await fetch('${system}/api/v1/auth/login', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: ${JSON.stringify(JSON.stringify(account))} })
        return (await answer.json()).accessToken
      } })
      window.room = chat.room('${roomId}')
      chat.start()
    `)
    return tab
  }
  const kept = []
  for (let life = 0; life < 5; life += 1) {
    const tab = await open()
    // How far it came is known by what it says before it is killed.
    const posting = tab.run(`
      window.kept = []
      for (let number = 0; number < 20; number += 1) { const post = room.send({ text: '${life}.' + number }, { key: '${life}.' + number }); await post.kept; kept.push(post.key) }
      await new Promise(() => {})`).catch(() => {})
    for (;;) { if (await tab.run(`return window.kept?.length ?? 0`) > life * 4) break }
    kept.push(...await tab.run('return kept'))
    tab.call('Page.crash').catch(() => {})
    await tab.close()
    await posting
  }
  const last = await open()
  const stored = await last.run(`
    const all = []
    // In one line with what was kept, so it is stored last.
    const end = await room.send({ text: 'end' }, { key: 'end' }).stored
    for await (const event of room.events({ after: 0 })) { if (event.seq === end.seq) break; all.push(event.clientMessageId) }
    return all`)
  assert.deepEqual(stored, [...new Set(stored)], 'each once')
  for (const key of kept) assert.ok(stored.includes(key), `${key} is missing`)
  assert.deepEqual(stored, stored.toSorted((a, b) => a.split('.')[0] - b.split('.')[0] || a.split('.')[1] - b.split('.')[1]), 'in order')
})
