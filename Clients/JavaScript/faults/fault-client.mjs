// A client that the fault suite starts, freezes and kills (`./chat faults client-killed`, docs/faults.md). It reads and posts
// with the library and a lasting store, and writes down what an application would have done. Its files are read by chat-lab.
//
//   node fault-client.mjs run|show FOLDER '{"servers": …, "userId": N, "rooms": [...], "ownRooms": [...], "keys": "…", "paceMs": N, "mistake"?: "…"}'
//
// FOLDER/store        the library's store
// FOLDER/heard.log    what `on('event')` gave: `room seq mark`, and `start` for each life of the process
// FOLDER/applied.log  what `events({after, mark})` gave. A line is both the work and the position, so they cannot part.
// FOLDER/named.log    what `events({as})` gave
// FOLDER/kept.log     posts that are kept: `key room`
// FOLDER/ended.log    how posts ended: `key stored|refused code`
//
// `show` starts without network and prints what the store holds as JSON.

import { appendFileSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { Chat } from '../src/chat.js'
import { FileStorage } from '../src/node.js'

const [mode, folder, json] = process.argv.slice(2)
const { servers, userId, rooms, ownRooms, keys, paceMs, mistake } = JSON.parse(json)
mkdirSync(folder, { recursive: true })

/** The lines of one of the files. A line that was cut off by the end of the process is removed first. */
class Lines {
  constructor(name) {
    this.path = `${folder}/${name}.log`
    const text = existsSync(this.path) ? readFileSync(this.path, 'utf8') : ''
    const whole = text.lastIndexOf('\n') + 1
    if (whole < text.length) truncateSync(this.path, whole)
    this.lines = text.slice(0, whole).split('\n').slice(0, -1)
  }

  /** One write, so that a line is there or not. */
  add(...words) { appendFileSync(this.path, words.join(' ') + '\n') }
}

/** The mistakes of the self-proof are storages that forget, and orders that are wrong. */
function storage() {
  const files = new FileStorage(`${folder}/store`)
  if (mistake !== 'forgets-outbox') return files
  const isForgotten = key => key.includes('outbox')
  return new Proxy(files, {
    get(target, name) {
      if (name === 'set') return (key, value) => isForgotten(key) ? undefined : target.set(key, value)
      if (name === 'write') {
        return changes => target.write(changes.filter(change => !isForgotten(change.key ?? change[0])))
      }
      const member = target[name]
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

const chat = new Chat({ url: servers, userId, storage: storage() })
chat.on('error', error => console.error(new Date().toISOString(), error.code, error.message, error.cause?.message ?? ''))

function run() {
  const [heard, applied, named, kept, ended] = ['heard', 'applied', 'named', 'kept', 'ended'].map(name => new Lines(name))
  heard.add('start')
  const positions = new Map()
  for (const line of applied.lines) {
    const [room, seq, mark] = line.split(' ')
    positions.set(room, { after: Number(seq), mark })
  }
  // A key that is in the file was kept; the next one may have been, too, and is then the same send.
  let next = kept.lines.length

  chat.on('post', post => ended.add(post.key, post.state, post.error?.code ?? ''))
  chat.on('state', ({ state, reason }) => console.error(new Date().toISOString(), state, reason))
  for (const id of rooms) {
    const room = chat.room(id)
    room.on('event', event => heard.add(id, event.seq, event.mark))
    if (mistake === 'keeps-position-apart') followInTwoSteps(id, room, applied)
    else follow(room.events(positions.get(id) ?? { after: 0 }), event => applied.add(id, event.seq, event.mark))
    const done = event => named.add(id, event.seq, event.mark)
    const reader = room.events({ as: 'worker', after: 0 })
    if (mistake === 'moves-position-early') followEarly(reader, done)
    else follow(reader, done)
  }
  const send = async () => {
    const key = `${keys}-${next}`
    const room = ownRooms[next % ownRooms.length]
    next += 1
    const post = chat.room(room).send({ text: `Message ${key}` }, { key })
    await post.kept
    kept.add(key, room)
    setTimeout(send, Math.random() * 2 * paceMs)
  }
  if (paceMs > 0) send()
  process.on('SIGTERM', () => chat.close().then(() => process.exit(0)))
  chat.start()
}

async function follow(events, apply) {
  try {
    for await (const event of events) apply(event)
  } catch (error) {
    console.error(new Date().toISOString(), 'reader', error.code ?? error)
    process.exitCode = 1
  }
}

/** Asks for the next event, which moves the position, before it has dealt with this one. */
async function followEarly(events, apply) {
  const iterator = events[Symbol.asyncIterator]()
  let event = await iterator.next()
  while (!event.done) {
    const next = iterator.next()
    await new Promise(resolve => setTimeout(resolve, 20))
    apply(event.value)
    event = await next
  }
}

/** Keeps the position in a file of its own, before the work is done. */
async function followInTwoSteps(id, room, applied) {
  const file = `${folder}/position-${id}`
  const after = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0
  for await (const event of room.events({ after })) {
    writeFileSync(file, String(event.seq))
    await new Promise(resolve => setTimeout(resolve, 5))
    applied.add(id, event.seq, event.mark)
  }
}

/** What the store holds, as the library shows it without network. */
async function show() {
  const shown = {}
  chat.start()
  for (const id of rooms) {
    const room = chat.room(id)
    await loaded(room)
    shown[id] = room.messages.filter(message => message.seq).map(message => ({
      seq: message.seq, messageId: message.messageId, contentJson: message.contentJson,
      isEdited: message.isEdited, isDeleted: message.isDeleted,
    }))
  }
  const outbox = chat.outbox.map(({ key, state }) => ({ key, state }))
  await chat.close()
  process.stdout.write(JSON.stringify({ rooms: shown, outbox }))
}

/** Resolves once the room has what the store holds of it, at the latest after 2 s for a room without messages. */
function loaded(room) {
  if (room.messages.length > 0) return Promise.resolve()
  return new Promise(resolve => {
    const timer = setTimeout(end, 2000)
    const off = room.subscribe(() => { if (room.messages.length > 0) end() })
    function end() { clearTimeout(timer); off(); resolve() }
  })
}

if (mode === 'run') run()
else await show()
