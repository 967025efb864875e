// A client that the fault suite starts, freezes and kills (`./chat faults client-killed`, docs/faults.md). It reads and posts
// with the library and a lasting store, and writes down what an application would have done. Its files are read by chat-lab.
//
//   node fault-client.mjs run|show FOLDER '{"servers": …, "work": {"userId": N, "name": "…", "store": FOLDER, "rooms": [...], "namedRooms": [...],
//     "ownRooms": [...], "keys": "…", "paceMs": N, "mistake"?: "…"}}'
//
// FOLDER/heard.log    what `on('event')` gave: `room seq mark`, and `start` for each life of the process
// FOLDER/applied.log  what `events({after, mark})` gave. A line is both the work and the position, so they cannot part.
// FOLDER/named.log    what `events({as})` gave
//                     In all three `reset room seq`: the room's log is another one, and was begun again after `seq`.
// FOLDER/asked.log    posts before they are handed to the library: `key time`
// FOLDER/kept.log     posts that are kept: `key time`, in nanoseconds of the system's monotonic clock
// FOLDER/ended.log    how posts ended: `key stored room seq` or `key refused code`
// FOLDER/paused       while it is there nothing new is posted
//
// `show` starts without network and prints what the store holds as JSON.

import { existsSync, mkdirSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { Chat } from '../src/chat.js'
import { FileStorage } from '../src/node.js'

const PAUSE_MS = 50
/** The time in which a deliberate mistake can be interrupted. */
const MISTAKE_MS = 25
/** Longer, since named readers read the few posts of clients. */
const EARLINESS_MS = 150

const [mode, folder, json] = process.argv.slice(2)
const { servers, work } = JSON.parse(json)
const { userId, name, store, rooms, namedRooms, ownRooms, keys, paceMs, mistake } = work
mkdirSync(folder, { recursive: true })

/** The lines of one of the files. A line that was cut off by the end of the process is removed first. */
class Lines {
  constructor(name) {
    const path = `${folder}/${name}.log`
    const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
    const whole = text.lastIndexOf('\n') + 1
    if (whole < text.length) truncateSync(path, whole)
    this.lines = text.slice(0, whole).split('\n').slice(0, -1)
    this.file = openSync(path, 'a')
  }

  /** One write, so that a line is there or not. */
  add(...words) { writeSync(this.file, words.join(' ') + '\n') }

  event(event) { this.add(event.roomId, event.seq, event.mark) }
  reset(room, seq) { this.add('reset', room, seq) }

  /** How often each room was begun again. */
  get resets() {
    const resets = new Map()
    for (const line of this.lines) {
      const [word, room] = line.split(' ')
      if (word === 'reset') resets.set(room, (resets.get(room) ?? 0) + 1)
    }
    return resets
  }
}

const now = () => process.hrtime.bigint()
const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

/** For the self-test: a storage that loses writes. */
function storage() {
  const files = new FileStorage(store)
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
  process.on('SIGTERM', () => chat.close().then(() => process.exit(process.exitCode ?? 0)))
  const [heard, applied, named] = ['heard', 'applied', 'named'].map(name => new Lines(name))
  heard.add('start')
  const positions = new Map()
  for (const line of applied.lines) {
    const [room, seq, mark] = line.split(' ')
    if (room === 'reset') positions.delete(seq)
    else positions.set(room, { after: Number(seq), mark })
  }
  const names = named.resets

  chat.on('state', ({ state, reason }) => console.error(new Date().toISOString(), state, reason))
  for (const id of rooms) {
    const room = chat.room(id)
    room.on('event', event => heard.event(event))
    room.on('reset', ({ seq }) => heard.reset(id, seq))
    if (mistake === 'keeps-position-apart') followInTwoSteps(id, room, applied)
    else follow(id, applied, isAgain => room.events(!isAgain && positions.get(id) || { after: 0 }))
  }
  for (const id of namedRooms) {
    // A position in a lost log is of no use: a new name begins at the beginning.
    const reader = () => chat.room(id).events({ as: `${name}-${names.get(id) ?? 0}`, after: 0 })
    if (mistake === 'moves-position-early') followEarly(reader(), event => named.event(event))
    else follow(id, named, isAgain => { if (isAgain) names.set(id, (names.get(id) ?? 0) + 1); return reader() })
  }
  chat.start()
  post()
}

/** Posts one message after the other. */
async function post() {
  const [asked, kept, ended] = ['asked', 'kept', 'ended'].map(name => new Lines(name))
  chat.on('post', ({ key, state, roomId, seq, error }) => ended.add(key, state, ...state === 'stored' ? [roomId, seq] : [error?.code]))
  // A key in kept.log was stored. A key that was asked for after it may have been stored, too, and is then the same
  // send.
  const isInDoubt = asked.lines.at(-1)?.split(' ')[0] !== kept.lines.at(-1)?.split(' ')[0]
  if (!isInDoubt) await paused()
  for (let next = kept.lines.length; ; next += 1) {
    const key = `${keys}-${next}`
    asked.add(key, now())
    const post = chat.room(ownRooms[next % ownRooms.length]).send({ text: `Message ${key}` }, { key })
    await post.kept
    kept.add(key, now())
    await pause(Math.random() * 2 * paceMs)
    await paused()
  }
}

async function paused() {
  while (existsSync(`${folder}/paused`)) await pause(PAUSE_MS)
}

/** Records the events of a reader; after `log_mismatch` it begins again. */
async function follow(id, lines, events) {
  for (let isAgain = false; ; isAgain = true) {
    try {
      for await (const event of events(isAgain)) lines.event(event)
      return
    } catch (error) {
      if (error.code === 'log_mismatch') { lines.reset(id, 0); continue }
      console.error(new Date().toISOString(), 'reader', error.code ?? error)
      process.exitCode = 1
      return
    }
  }
}

/** Asks for the next event, which moves the position, before it has dealt with this one. */
async function followEarly(events, apply) {
  const iterator = events[Symbol.asyncIterator]()
  let event = await iterator.next()
  while (!event.done) {
    const next = iterator.next()
    await pause(EARLINESS_MS)
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
    await pause(MISTAKE_MS)
    applied.event(event)
  }
}

/** What the store holds, as the library shows it without network. */
async function show() {
  const shown = {}
  chat.start()
  await Promise.all(rooms.map(async id => {
    const room = chat.room(id)
    await loaded(room)
    shown[id] = room.messages.filter(message => message.seq).map(message => ({
      seq: message.seq, messageId: message.messageId, contentJson: message.contentJson,
      isEdited: message.isEdited, isDeleted: message.isDeleted,
    }))
  }))
  const outbox = chat.outbox.map(({ key, state }) => ({ key, state }))
  await chat.close()
  process.stdout.write(JSON.stringify({ rooms: shown, outbox }))
}

/** Resolves once the room has what the store holds of it, at the latest after 20 s for a room without messages. */
function loaded(room) {
  if (room.messages.length > 0) return Promise.resolve()
  return new Promise(resolve => {
    const timer = setTimeout(end, 20_000)
    const off = room.subscribe(() => { if (room.messages.length > 0) end() })
    function end() { clearTimeout(timer); off(); resolve() }
  })
}

if (mode === 'run') run()
else await show()
