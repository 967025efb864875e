// What a room shows where the server, the store or the order of answers is not as expected.

import assert from 'node:assert/strict'
import test from 'node:test'
import { MemoryStorage } from '../src/storage/memory-storage.js'
import { setUp } from './support/client.js'
import { FakeServer, answer, until } from './support/fake-server.js'

const rejections = []
process.on('unhandledRejection', error => rejections.push(error))
test.after(() => assert.deepEqual(rejections, [], 'unhandled rejections'))

for (const frame of [{ eventType: 'room_skipped', roomId: 'a' }, { eventType: 'room_reset', roomId: 'a', room: { roomId: 'a' } }]) {
  test(`a ${frame.eventType} without a position is a protocol error, and the next connection is as ever`, async t => {
    const { chat, server, live, change } = setUp(t)
    server.room('a', { seq: 3 })
    const positions = []
    const synced = server.synced.bind(server)
    server.synced = (socket, frame) => { positions.push(frame.rooms.a); synced(socket, frame) }
    const room = chat.room('a')
    room.subscribe(() => {})
    await live()
    await until(() => room.state === 'live')
    const hasEnded = change(({ state, reason }) => state === 'offline' && reason === 'protocol')
    server.say(frame)
    await hasEnded
    await until(() => chat.state === 'live')
    server.message('a', { text: 'x' })
    await until(() => room.messages.length === 1)
    assert.equal(positions.at(-1).seq, 3)
  })
}

test('a page with what is no message fails, and the next call asks again', async t => {
  const { chat, server, live } = setUp(t)
  server.room('a', { seq: 30 })
  await live()
  const room = chat.room('a')
  room.subscribe(() => {})
  await until(() => room.state === 'live')
  server.intercept = (method, path) => (path.endsWith('/messages') ? answer(200, { items: [null], hasMore: true }) : undefined)
  await assert.rejects(room.loadOlder(10))
  server.intercept = undefined
  await room.loadOlder(10)
  assert.equal(room.messages.length, 10)
})

test('the late answer to an edit does not undo the next one', async t => {
  const { chat, server, live } = setUp(t)
  const { log } = server.room('a')
  server.message('a', { text: 'v0' }, { senderId: 1 })
  await live()
  const room = chat.room('a')
  room.subscribe(() => {})
  await until(() => room.state === 'live')
  await room.loadOlder()
  const [{ seq, mark, eventType, ...message }] = log
  let release
  server.intercept = (method, path, body) => {
    if (method !== 'PATCH') return undefined
    const isFirst = body.payload.text === 'v1'
    const edited = { ...message, contentJson: JSON.stringify(body.payload), isEdited: true, updatedAt: `2026-01-01T00:00:0${isFirst ? 1 : 2}.000Z` }
    server.event('a', { ...edited, eventType: 'message_edited' })
    const response = answer(200, { ...edited, seq, mark })
    return isFirst ? new Promise(resolve => { release = () => resolve(response) }) : response
  }
  const first = room.edit(message.messageId, { text: 'v1' })
  await until(() => release)
  await room.edit(message.messageId, { text: 'v2' })
  await until(() => room.messages[0].content.text === 'v2')
  release()
  await first
  assert.equal(room.messages[0].content.text, 'v2')
})

test('a log that another process has kept from later on shows nothing twice', async t => {
  const server = new FakeServer(), storage = new MemoryStorage()
  server.room('a', { seq: 5 })
  storage.isLasting = true
  const one = setUp(t, { server, storage, userId: 1 })
  one.chat.room('a').subscribe(() => {})
  await one.live()
  await until(() => one.chat.room('a').state === 'live')
  // It has read the store, and then has no connection.
  let isUp = false
  const away = class { constructor(...values) { if (isUp) return new server.WebSocket(...values); queueMicrotask(() => this.onclose?.({ code: 1013 })) } close() {} }
  const two = setUp(t, { server, storage, userId: 1, WebSocket: away })
  two.chat.start()
  await until(() => two.states.some(({ state, reason }) => state === 'offline' && reason === 'busy'))
  // More than what is kept: the log in the store begins after the position of the second process.
  for (let count = 0; count < 40; count += 1) server.message('a', { text: 'x'.repeat(50_000) })
  await until(() => one.chat.room('a').messages.length === 40)
  const room = two.chat.room('a')
  room.subscribe(() => {})
  isUp = true
  two.chat.retryNow()
  await until(() => two.chat.state === 'live' && room.messages.at(-1)?.seq === 45)
  await room.loadOlder(50)
  const seqs = room.messages.map(({ seq }) => seq)
  assert.deepEqual(seqs, Array.from({ length: seqs.length }, (_, index) => 46 - seqs.length + index))
})
