// Against real servers: CHAT_SYSTEM_URL, and CHAT_MESSAGE_URL and CHAT_SOCKETS_URL where its configuration does not say.
// Node 20 needs --experimental-websocket.

import assert from 'node:assert/strict'
import test from 'node:test'
import { Chat } from '../src/chat.js'
import { MemoryStorage } from '../src/storage/memory-storage.js'
import { call, makeUser, until } from './support/accounts.js'

const { CHAT_SYSTEM_URL: system, CHAT_MESSAGE_URL: messages, CHAT_SOCKETS_URL: sockets } = process.env
const skip = !system ? 'CHAT_SYSTEM_URL is not set' : typeof WebSocket === 'undefined' ? 'no WebSocket' : false
const url = messages && sockets ? { system, messages, sockets } : system

const rejections = []
process.on('unhandledRejection', error => rejections.push(error))
test.after(() => assert.deepEqual(rejections, [], 'unhandled rejections and errors'))

function makeChat(t, user, options = {}) {
  const chat = new Chat({ url, getToken: user.logIn, storage: new MemoryStorage(), ...options })
  const errors = []
  chat.on('error', error => errors.push(error))
  // Reported at the end: an assertion here would keep the other chats of the test open.
  t.after(async () => { await chat.close(); rejections.push(...errors) })
  return chat
}

async function live(chat) {
  chat.start()
  await until(() => chat.state === 'live', 'live')
}

test('two users talk: list, events, edits, deletions, history, typing, read', { skip }, async t => {
  const [ann, bob] = await Promise.all([makeUser(system), makeUser(system)])
  const a = makeChat(t, ann), b = makeChat(t, bob)
  await Promise.all([live(a), live(b)])
  await until(() => a.me?.displayName !== undefined)
  assert.equal(a.me.userId, ann.userId)
  const { roomId } = await a.createRoom({ type: 'group', name: 'Room', memberIds: [bob.userId] })
  await until(() => b.rooms.list.some(room => room.roomId === roomId), 'room added')
  const inA = a.room(roomId), inB = b.room(roomId)
  const seen = [], typed = [], read = []
  inB.on('event', event => seen.push(event.seq))
  inB.on('typing', event => typed.push(event))
  inA.on('read', event => read.push(event))
  inA.subscribe(() => {})
  await until(() => inB.state === 'live' && inA.state === 'live')
  const posts = Array.from({ length: 30 }, (_, index) => inA.send({ text: `m${index}` }))
  const stored = await Promise.all(posts.map(post => post.stored))
  await until(() => seen.length === 30)
  assert.deepEqual(seen, Array.from({ length: 30 }, (_, index) => index + 1))
  assert.deepEqual(inB.messages.map(message => message.content.text), posts.map((_, index) => `m${index}`))
  assert.deepEqual(inA.messages.map(message => message.key), posts.map(post => `own:${post.key}`))
  assert.equal(inB.info.unreadCount, 30)
  assert.equal(inA.info.unreadCount, 0)
  await inA.edit(stored[3].messageId, { text: 'edited' })
  await inA.delete(stored[4].messageId)
  await until(() => inB.messages[3]?.content.text === 'edited' && inB.messages[4]?.isDeleted)
  inA.typing()
  await until(() => typed.length > 0, 'typing')
  inB.markRead()
  await until(() => read.some(event => event.userId === bob.userId), 'read')
  await until(() => inB.info.unreadCount === 0)
  const fresh = makeChat(t, bob)
  await live(fresh)
  assert.equal(fresh.rooms.list[0].unreadCount, 0)
  const inFresh = fresh.room(roomId)
  assert.equal(await inFresh.loadOlder(20), true)
  assert.equal(inFresh.messages.length, 20)
  await inFresh.loadOlder(20)
  assert.deepEqual(inFresh.messages.map(message => message.content.text ?? ''), inB.messages.map(message => message.content.text ?? ''))
  assert.equal((await inB.members()).items.length, 2)
})

test('a reader from the beginning gets every event once, and a named one goes on', { skip }, async t => {
  const ann = await makeUser(system)
  const storage = new MemoryStorage()
  const chat = makeChat(t, ann, { storage, userId: ann.userId })
  await live(chat)
  const { roomId } = await chat.createRoom({ type: 'group', name: 'Log' })
  const room = chat.room(roomId)
  await Promise.all(Array.from({ length: 250 }, (_, index) => room.send({ text: `e${index}` }).stored))
  const seqs = []
  for await (const event of room.events({ after: 0, as: 'bot' })) {
    seqs.push(event.seq)
    if (event.seq === 250) break
  }
  assert.deepEqual(seqs, Array.from({ length: 250 }, (_, index) => index + 1))
  const again = []
  room.send({ text: 'one more' })
  for await (const event of room.events({ as: 'bot' })) { again.push(event.seq); if (event.seq === 251) break }
  assert.deepEqual(again, [250, 251])
  const wrong = room.events({ after: 10, mark: 'AAAAAAAAAAA' })
  await assert.rejects(wrong.next(), { code: 'log_mismatch' })
})

test('an absence is made up for from what was kept, also by the next process', { skip }, async t => {
  const [ann, bob] = await Promise.all([makeUser(system), makeUser(system)])
  const storage = new MemoryStorage()
  const a = makeChat(t, ann)
  await live(a)
  const { roomId } = await a.createRoom({ type: 'group', name: 'Room', memberIds: [bob.userId] })
  const first = makeChat(t, bob, { storage, userId: bob.userId })
  await live(first)
  first.room(roomId).subscribe(() => {})
  await until(() => first.room(roomId).state === 'live')
  await a.room(roomId).send({ text: 'one' }).stored
  await until(() => first.room(roomId).messages.length === 1)
  await first.close()
  for (const text of ['two', 'three']) await a.room(roomId).send({ text }).stored
  const second = makeChat(t, bob, { storage, userId: bob.userId })
  const seen = []
  second.room(roomId).on('message', message => seen.push(message.content.text))
  await live(second)
  await until(() => seen.length === 2)
  assert.deepEqual(seen, ['two', 'three'])
  assert.deepEqual(second.room(roomId).messages.map(message => message.content.text), ['one', 'two', 'three'])
  await call(system, `/rooms/${roomId}/leave`, {}, await bob.logIn()).catch(() => {})
  await until(() => second.room(roomId).state === 'gone')
  assert.equal(second.rooms.list.length, 0)
})

test('without WebSockets a stream serves', { skip }, async t => {
  const [ann, bob] = await Promise.all([makeUser(system), makeUser(system)])
  const Blocked = class { readyState = 0; constructor() { setTimeout(() => this.onclose?.({ code: 1006 }), 1) } send() {} close() {} }
  const a = makeChat(t, ann), b = makeChat(t, bob, { WebSocket: Blocked })
  await live(a)
  const { roomId } = await a.createRoom({ type: 'group', name: 'Room', memberIds: [bob.userId] })
  const seen = []
  b.room(roomId).on('event', event => seen.push(event.seq))
  await live(b)
  assert.equal(b.connection.reason, 'unsupported')
  await a.room(roomId).send({ text: 'one' }).stored
  await until(() => seen.length === 1)
  b.room(roomId).markRead()
  await until(() => b.room(roomId).info.unreadCount === 0)
})
