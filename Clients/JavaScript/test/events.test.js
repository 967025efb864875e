import assert from 'node:assert/strict'
import test from 'node:test'
import { MemoryStorage } from '../src/storage/memory-storage.js'
import { isBundled, setUp } from './support/client.js'
import { FakeServer, problem, until } from './support/fake-server.js'
import { fakeTime } from './support/time.js'

const rejections = []
process.on('unhandledRejection', error => rejections.push(error))
test.after(() => assert.deepEqual(rejections, [], 'unhandled rejections'))

const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => from + index)
async function take(events, count) {
  const seqs = []
  while (seqs.length < count) seqs.push((await events.next()).value.seq)
  return seqs
}

test('from the beginning, joined with what is live, each once; a reader that stands still holds nobody up', async t => {
  const { chat, server, live } = setUp(t)
  server.room('a', { seq: 250 })
  server.room('b')
  await live()
  const slow = chat.room('a').events({ after: 0 })
  assert.deepEqual(await take(slow, 10), numbers(1, 10))
  const seen = []
  chat.room('b').on('event', event => seen.push(event.seq))
  await until(() => chat.room('b').state === 'live')
  for (let number = 0; number < 1_000; number += 1) server.message('a', {})
  server.message('b', {})
  await until(() => seen.length === 1)
  assert.deepEqual(await take(slow, 1_240), numbers(11, 1_250))
  const next = slow.next()
  server.message('a', {})
  assert.equal((await next).value.seq, 1_251)
  const calls = server.calls.filter(call => call.path.endsWith('/events')).length
  assert.ok(calls <= 14, `${calls} pages`)
})

test('without a position it is live from now, with content and frozen', async t => {
  const { chat, server, live } = setUp(t)
  server.room('a', { seq: 5 })
  await live()
  const events = chat.room('a').events()
  const next = events.next()
  await until(() => chat.room('a').state === 'live')
  await new Promise(resolve => setTimeout(resolve, 5))
  server.message('a', { text: 'x' })
  const { value } = await next
  assert.equal(value.seq, 6)
  assert.equal(value.content.text, 'x')
  assert.throws(() => { value.seq = 1 }, TypeError)
})

test('a reader that waits for its room begins where the room began, whatever came with it', { skip: isBundled && 'waits for an internal property' }, async t => {
  const { chat, server, live } = setUp(t)
  server.room('b')
  await live()
  await until(() => chat.rooms.list.length === 1)
  const room = chat.room('a')
  room.subscribe(() => {})
  const events = room.events()
  const next = take(events, 2)
  // Its module has to be loaded.
  await until(() => events.reading)
  await new Promise(resolve => setTimeout(resolve, 20))
  // The first frame is stored while the others arrive: they are one batch.
  server.message('b', {})
  const added = server.room('a')
  for (let number = 1; number <= 10; number += 1) added.log.push({ seq: number, mark: `m-a-${number}` })
  server.say({ eventType: 'room_added', room: server.described(added) })
  server.message('a', {})
  server.message('a', {})
  assert.deepEqual(await next, [11, 12])
})

test('a named reader goes on after the last event that was dealt with; the one handed on last comes again', async t => {
  const server = new FakeServer()
  server.room('a', { seq: 10 })
  const storage = new MemoryStorage()
  storage.isLasting = true
  const first = setUp(t, { server, storage, userId: 1 })
  await first.live()
  const events = first.chat.room('a').events({ as: 'bot', after: 0 })
  assert.deepEqual(await take(events, 4), [1, 2, 3, 4])
  await assert.rejects(first.chat.room('a').events({ as: 'bot' }).next(), { code: 'in_use' })
  const other = setUp(t, { server, storage, userId: 1 })
  await other.live()
  await assert.rejects(other.chat.room('a').events({ as: 'bot' }).next(), { code: 'in_use' })
  await first.chat.close()
  const again = other.chat.room('a').events({ as: 'bot', after: 0 })
  assert.deepEqual(await take(again, 7), [4, 5, 6, 7, 8, 9, 10])
  await again.return()
  const once = other.chat.room('a').events({ as: 'bot' })
  assert.deepEqual(await take(once, 1), [10])
})

test('a named reader that begins now begins there, too, when it dies before the first event', async t => {
  const server = new FakeServer()
  server.room('a', { seq: 3 })
  const storage = new MemoryStorage()
  const first = setUp(t, { server, storage, userId: 1 })
  await first.live()
  first.chat.room('a').events({ as: 'bot' }).next()
  await until(() => storage.keys('').some(key => key.endsWith('/reader/a/bot')))
  await first.chat.close()
  server.message('a', {})
  const second = setUp(t, { server, storage, userId: 1 })
  await second.live()
  assert.deepEqual(await take(second.chat.room('a').events({ as: 'bot' }), 1), [4])
})

test('break, close and removal end it, another log throws', async t => {
  const { chat, server, live } = setUp(t)
  server.room('a', { seq: 3 })
  server.room('b', { seq: 3 })
  await live()
  const seqs = []
  for await (const event of chat.room('a').events({ after: 0 })) { seqs.push(event.seq); if (event.seq === 2) break }
  assert.deepEqual(seqs, [1, 2])
  await assert.rejects(chat.room('a').events({ after: 2, mark: 'wrong1' }).next(), { code: 'log_mismatch' })
  const removed = (async () => { const all = []; for await (const event of chat.room('b').events({ after: 1 })) all.push(event.seq); return all })()
  await until(() => chat.room('b').state === 'live')
  server.event('b', { eventType: 'member_left', userId: 1, actorId: 2, at: '2026-02-01T00:00:00.000Z' })
  server.intercept = (method, path) => (path === '/api/v1/rooms/b/events' ? problem(404, 'room_not_found') : undefined)
  server.say({ eventType: 'room_removed', roomId: 'b', reason: 'removed' })
  const all = await removed
  assert.deepEqual(all, numbers(2, 1 + all.length))
  const open = chat.room('a').events()
  const next = open.next()
  await new Promise(resolve => setTimeout(resolve, 10))
  await chat.close()
  assert.deepEqual(await next, { done: true, value: undefined })
  assert.deepEqual(await open.next(), { done: true, value: undefined })
})

test('a log that is set back while it is read', async t => {
  const { chat, server, live, drop } = setUp(t)
  server.room('a', { seq: 3 })
  await live()
  const events = chat.room('a').events({ after: 0 })
  assert.deepEqual(await take(events, 3), [1, 2, 3])
  const next = events.next()
  await drop()
  server.logName = 'other'
  server.room('a', { seq: 2 })
  chat.retryNow()
  await assert.rejects(next, { code: 'log_mismatch' })
  assert.deepEqual(await events.next(), { done: true, value: undefined })
})

test('pages that fail are asked for again, also while the connection is away', async t => {
  const { chat, server, live } = setUp(t)
  server.room('a', { seq: 3 })
  await live()
  let failures = 3
  server.intercept = (method, path) => {
    if (!path.endsWith('/events') || failures-- <= 0) return undefined
    if (failures === 1) throw new TypeError('x')
    return failures === 2 ? new Response('<html>', { status: 200 }) : problem(500, 'internal_error')
  }
  assert.deepEqual(await take(chat.room('a').events({ after: 0 }), 3), [1, 2, 3])
})

test('Retry-After of a page is waited for, whatever comes meanwhile', async t => {
  const time = fakeTime(t)
  const { chat, server } = setUp(t)
  server.room('a', { seq: 3 })
  chat.start()
  await time.advance(100)
  const pages = () => server.calls.filter(({ path }) => path.endsWith('/events')).length
  server.intercept = (method, path) => (path.endsWith('/events') ? problem(503, 'unavailable', { 'Retry-After': '60' }) : undefined)
  const next = chat.room('a').events({ after: 0 }).next()
  await time.advance(100)
  assert.equal(pages(), 1)
  server.intercept = undefined
  for (let second = 0; second < 59; second += 1) {
    server.message('a', {})
    await time.advance(1_000)
  }
  assert.equal(pages(), 1)
  await time.advance(1_000)
  assert.equal((await next).value.seq, 1)
})

test('a name is free for the next reader once the last one has ended', async t => {
  const server = new FakeServer()
  server.room('a', { seq: 3 })
  const storage = new MemoryStorage()
  // A storage takes its time to give a lock back.
  const { exclusively } = storage
  storage.exclusively = (name, work, options) => exclusively.call(storage, name, async lost => {
    const result = await work(lost)
    await new Promise(resolve => setTimeout(resolve, 20))
    return result
  }, options)
  const { chat, live } = setUp(t, { server, storage, userId: 1 })
  await live()
  const room = chat.room('a')
  for (let life = 0; life < 3; life += 1) {
    for await (const event of room.events({ as: 'bot', after: 0 })) {
      // The last one before `break` was not dealt with.
      assert.equal(event.seq, 1)
      break
    }
  }
})

test('a named reader whose position cannot be read does not begin elsewhere', async t => {
  const server = new FakeServer()
  server.room('a', { seq: 3 })
  const storage = new MemoryStorage()
  storage.isLasting = true
  const first = setUp(t, { server, storage, userId: 1 })
  await first.live()
  assert.deepEqual(await take(first.chat.room('a').events({ as: 'bot', after: 0 }), 2), [1, 2])
  await first.chat.close()
  let isAway = true
  const get = storage.get.bind(storage)
  storage.get = key => { if (isAway) throw new Error('disk'); return get(key) }
  const time = fakeTime(t)
  const { chat } = setUp(t, { server, storage, userId: 1 })
  chat.start()
  await time.advance(1_000)
  await assert.rejects(chat.room('a').events({ as: 'bot' }).next(), { code: 'store_failed' })
  isAway = false
  await time.advance(31_000)
  assert.deepEqual(await take(chat.room('a').events({ as: 'bot' }), 1), [2])
})

test('many readers of one room, ended in the middle of an event', async t => {
  const { chat, server, live } = setUp(t)
  server.room('a')
  await live()
  const room = chat.room('a')
  const readers = numbers(1, 20).map(() => room.events())
  const firsts = readers.map(reader => reader.next())
  await until(() => room.state === 'live')
  await new Promise(resolve => setTimeout(resolve, 10))
  room.on('event', () => { for (const reader of readers.slice(10)) reader.return() })
  server.message('a', {})
  const results = await Promise.all(firsts)
  assert.ok(results.every(result => result.done === false && result.value.seq === 1))
  assert.deepEqual(await readers[19].next(), { done: true, value: undefined })
})
