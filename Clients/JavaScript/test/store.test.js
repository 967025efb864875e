import assert from 'node:assert/strict'
import test from 'node:test'
import { MOST_DONE } from '../src/core/kept-post.js'
import { OutboxQueue } from '../src/core/outbox.js'
import { Changes, Store } from '../src/store.js'
import { retryAfterMs } from '../src/rest.js'
import { KeptStorage } from '../src/storage/kept-storage.js'
import { MemoryStorage } from '../src/storage/memory-storage.js'

const event = (seq, log = 'm', text = '') => ({ eventType: 'message', roomId: 'a', seq, mark: `${log}${seq}`, contentJson: JSON.stringify({ text }) })

function open(storage = new MemoryStorage()) { return new Store(new KeptStorage(storage), 1) }

async function keep(store, from, events) {
  const changes = new Changes()
  if (from) changes.begin('a', from)
  for (const one of events) changes.event('a', one, { seq: one.seq - 1, mark: one.seq > 1 ? one.mark.replace(/\d+/, one.seq - 1) : undefined })
  await store.keep(changes)
}

const range = (from, to, log, text) => Array.from({ length: to - from + 1 }, (_, index) => event(from + index, log, text))

test('the newest 1,000 events of a room are kept, in segments', async () => {
  const storage = new MemoryStorage(), store = open(storage)
  await store.touch('a')
  await keep(store, { seq: 0 }, range(1, 10))
  for (let seq = 11; seq <= 2_500; seq += 83) await keep(store, undefined, range(seq, Math.min(seq + 82, 2_500)))
  const { from, events } = await store.log('a')
  assert.ok(events.length <= 1_000 && events.length > 900, String(events.length))
  assert.equal(events.at(-1).seq, 2_500)
  assert.equal(events[0].seq, from.seq + 1)
  assert.deepEqual(await open(storage).load().then(kept => kept.positions.get('a')), { seq: 2_500, mark: 'm2500' })
  assert.ok(storage.keys('').length < 20, 'what is left out is deleted')
})

test('of large events as many as fit into 1 MiB', async () => {
  const store = open()
  await store.touch('a')
  const text = 'x'.repeat(60_000)
  await keep(store, { seq: 0 }, range(1, 30, 'm', text))
  for (let seq = 31; seq <= 200; seq += 1) await keep(store, undefined, [event(seq, 'm', text)])
  const { from, events } = await store.log('a')
  assert.ok(events.length >= 14 && JSON.stringify(events).length <= (1 << 20) + 1_000, `${events.length}`)
  assert.equal(events.at(-1).seq, 200)
  assert.equal(from.seq, events[0].seq - 1)
})

test('of several processes the position only moves forward, and nothing is kept twice', async () => {
  const storage = new MemoryStorage(), one = open(storage), two = open(storage)
  await one.touch('a')
  await keep(one, { seq: 0 }, range(1, 5))
  await keep(two, undefined, range(1, 3))
  await keep(two, undefined, range(3, 8))
  await keep(one, undefined, range(6, 7))
  await keep(one, undefined, range(8, 9))
  assert.deepEqual((await one.log('a')).events.map(({ seq }) => seq), [1, 2, 3, 4, 5, 6, 7, 8, 9])
})

test('one process on the log before does not write into the log of now', async () => {
  const storage = new MemoryStorage(), one = open(storage), two = open(storage)
  await one.touch('a')
  await keep(one, { seq: 0 }, range(1, 5))
  await keep(two, { seq: 6, mark: 'other6' }, range(7, 8, 'other'))
  await keep(one, undefined, range(6, 8))
  assert.deepEqual((await one.log('a')).events.map(({ mark }) => mark), ['other7', 'other8'])
  // The other process finds the same log there already.
  await keep(one, { seq: 6, mark: 'other6' }, range(7, 9, 'other'))
  assert.deepEqual((await two.log('a')).events.map(({ mark }) => mark), ['other7', 'other8', 'other9'])
})

test('a value that is no JSON, or of another form, is absent and leaves no gap', async () => {
  const storage = new MemoryStorage(), store = open(storage)
  await store.touch('a')
  await keep(store, { seq: 0 }, range(1, 200))
  const keys = storage.keys('').filter(key => /\.\d+$/.test(key) && key.includes('/log/'))
  storage.set(keys.find(key => key.endsWith('.65')), '{"events": [1,')
  assert.deepEqual((await open(storage).log('a')).events.map(({ seq }) => seq), Array.from({ length: 72 }, (_, index) => index + 129))
  for (const key of storage.keys('')) storage.set(key, '[]')
  const kept = await open(storage).load()
  assert.deepEqual([...kept.positions], [])
  assert.equal(kept.list, undefined)
  for (const key of storage.keys('')) storage.set(key, '{')
  await open(storage).load()
})

test('Retry-After is seconds, or a date that is read against the answer\'s own', () => {
  const read = fields => retryAfterMs(new Headers(fields))
  assert.equal(read({}), undefined)
  assert.equal(read({ 'Retry-After': '7' }), 7_000)
  assert.equal(read({ 'Retry-After': 'soon' }), undefined)
  assert.equal(read({ 'Retry-After': 'Wed, 21 Oct 2015 07:28:30 GMT', Date: 'Wed, 21 Oct 2015 07:28:00 GMT' }), 30_000)
  assert.equal(read({ 'Retry-After': 'Wed, 21 Oct 2015 07:28:30 GMT', Date: 'Wed, 21 Oct 2015 08:28:00 GMT' }), undefined)
  // No time at all would be a loop without a pause.
  assert.equal(read({ 'Retry-After': '0' }), undefined)
  assert.equal(read({ 'Retry-After': '86400' }), 300_000)
})

test('a post that another process settles while the outbox is read is among those that were stored', async () => {
  const storage = new MemoryStorage(), store = open(storage), other = open(storage)
  const post = { key: 'k', roomId: 'a', messageType: 'text', payload: { text: 'x' } }
  await store.changeOutbox([{ key: 'k', add: post }])
  const read = storage.get
  let isSettled = false
  storage.get = async key => {
    if (key.includes('outbox/') && !isSettled) {
      isSettled = true
      await other.changeOutbox([{ key: 'k', remove: { messageId: 1, seq: 1 } }])
    }
    return read.call(storage, key)
  }
  assert.deepEqual(await store.outbox(), { posts: [], done: [{ key: 'k', messageId: 1, seq: 1 }] })
})

test('what is stored in another shape is absent', async t => {
  for (const [name, bad] of [['list', '{"cursor":"c","rooms":[null]}'], ['done', '{}'], ['done', '[null]'], ['recent', '{}'], ['changed', '{}']]) {
    await t.test(`${name}: ${bad}`, async () => {
      const storage = new MemoryStorage(), store = open(storage)
      await store.set(name, JSON.parse(bad))
      await store.touch('a')
      const { positions, list } = await store.load()
      assert.deepEqual([[...positions], list], [[], undefined])
      await store.changeOutbox([{ key: 'k', add: { key: 'k', roomId: 'a', messageType: 'text', payload: {} } }])
      await store.changeOutbox([{ key: 'k', remove: { messageId: 1, seq: 1 } }])
      assert.deepEqual((await store.outbox()).done, [{ key: 'k', messageId: 1, seq: 1 }])
      assert.equal(await store.isOutboxChanged(), false)
      if (name === 'changed') await store.set(name, {})
      await store.outbox()
      assert.equal(await store.isOutboxChanged(), false)
    })
  }
})

test('posts that were given up are remembered beside those that were stored', async () => {
  const store = open()
  const keys = Array.from({ length: MOST_DONE + 50 }, (_, number) => `k${number}`)
  const add = key => ({ key, add: { key, roomId: 'a', messageType: 'text', payload: {} } })
  const changes = keys.map((key, number) => ({ key, remove: { messageId: number + 1, seq: number + 1 } }))
  await store.changeOutbox([add('gone'), { key: 'gone', remove: null }, ...changes])
  const { done } = await store.outbox()
  assert.deepEqual(done[0], { key: 'gone' })
  assert.deepEqual(done.slice(1).map(({ key }) => key), keys.slice(-MOST_DONE))
  await store.changeOutbox(keys.flatMap(key => [add(key), { key, remove: null }]))
  assert.equal((await store.outbox()).done.length, 2 * MOST_DONE)
})

test('a post that others have settled longer ago than is remembered is put back, as one that was tried', async () => {
  const store = open()
  const post = { key: 'k', roomId: 'a', messageType: 'text', payload: { text: 'x' } }
  const others = Array.from({ length: MOST_DONE }, (_, number) => ({ key: `k${number}`, remove: { messageId: number + 2, seq: number + 2 } }))
  await store.changeOutbox([{ key: 'k', add: post }, { key: 'k', remove: { messageId: 1, seq: 1 } }, ...others.slice(1)])
  const [remembered] = await store.changeOutbox([{ key: 'k', put: post }])
  assert.deepEqual(remembered, { isGone: true, message: { key: 'k', messageId: 1, seq: 1 } })
  await store.changeOutbox(others.slice(0, 1))
  assert.deepEqual(await store.changeOutbox([{ key: 'k', put: post }]), [{ isTried: true }])
  assert.deepEqual((await store.outbox()).posts, [{ ...post, isTried: true, isCertain: false }])
  // As one that was tried it may be stored, whatever the server answers now.
  const queue = new OutboxQueue({ posts: [{ ...post, state: 'queued' }] })
  queue.wake()
  queue.triedElsewhere('k')
  queue.answer({ key: 'k', status: 404 })
  assert.equal(queue.posts.get('k').isCertain, false)
})

test('a post that others have settled so long ago is not edited or discarded, and one that was refused stays so', async t => {
  const done = Array.from({ length: MOST_DONE }, (_, number) => ({ key: `k${number}`, messageId: number + 1, seq: number + 1 }))
  for (const state of ['queued', 'refused']) {
    const post = { key: 'k', roomId: 'a', messageType: 'text', payload: { text: 'x' }, isTried: false, state, isCertain: true }
    for (const change of [{ put: { ...post, payload: { text: 'y' } } }, { remove: null }]) {
      await t.test(`${state}, ${Object.keys(change)}`, async () => {
        const store = open()
        await store.changeOutbox(done.map(({ key, ...remove }) => ({ key, remove })))
        assert.deepEqual(await store.changeOutbox([{ key: 'k', ...change, ifOpen: post }]), [{ isTried: true }])
        assert.deepEqual((await store.outbox()).posts, [{ ...post, isTried: true, isCertain: false }])
      })
    }
    await t.test(`${state}, found missing`, () => {
      const queue = new OutboxQueue({ posts: [post], isSender: false })
      const actions = queue.loaded({ done })
      assert.deepEqual(actions.filter(action => action.keep), [{ keep: { key: 'k' } }])
      assert.equal(queue.posts.get('k').state, state === 'queued' ? 'new' : 'refused')
      assert.deepEqual(queue.discard({ key: 'k' }).at(-1), { discarded: { key: 'k', isGone: false } })
    })
  }
})
