import assert from 'node:assert/strict'
import test from 'node:test'
import { setUp } from './support/client.js'
import { until } from './support/fake-server.js'

test('a chat connects, lists its rooms and hands on events once and in order', async t => {
  const { chat, server, live, states, errors } = setUp(t)
  server.room('a', { seq: 3 })
  const seen = []
  chat.room('a').on('event', event => seen.push([event.seq, event.content?.text]))
  await live()
  assert.deepEqual(states.map(change => [change.state, change.reason]), [['connecting', 'start'], ['syncing', 'start'], ['live', 'start']])
  assert.equal(chat.rooms.list[0].roomId, 'a')
  assert.equal(chat.rooms.list[0].lastSeq, 3)
  server.message('a', { text: 'four' })
  server.message('a', { text: 'five' })
  await until(() => seen.length === 2)
  assert.deepEqual(seen, [[4, 'four'], [5, 'five']])
  assert.deepEqual(chat.room('a').messages.map(message => message.content.text), ['four', 'five'])
  assert.equal(chat.rooms.list[0].unreadCount, 2)
  assert.equal(chat.room('a').state, 'live')
  assert.deepEqual(errors, [])
})

test('a send is kept, stored and shown once under one key', async t => {
  const { chat, server, live } = setUp(t)
  server.room('a')
  await live()
  const room = chat.room('a')
  room.subscribe(() => {})
  const post = room.send({ text: 'hello' })
  await post.kept
  await until(() => room.messages.length === 1)
  const { key } = room.messages[0]
  const { messageId } = await post.stored
  assert.equal(post.state, 'stored')
  await until(() => room.messages[0].messageId === messageId)
  assert.equal(room.messages[0].key, key)
  assert.equal(room.messages.length, 1)
  assert.deepEqual(chat.outbox, [])
})

test('a connection that is lost is made again and nothing is missing', async t => {
  const { chat, server, live, drop } = setUp(t)
  server.room('a', { seq: 2 })
  const seen = []
  chat.room('a').on('event', event => seen.push(event.seq))
  await live()
  server.message('a', { text: 'x' })
  await until(() => seen.length === 1)
  await drop()
  server.message('a', { text: 'y' })
  server.message('a', { text: 'z' })
  chat.retryNow()
  await until(() => seen.length === 3)
  assert.deepEqual(seen, [3, 4, 5])
})
