import assert from 'node:assert/strict'
import test from 'node:test'
import { MOST_DONE } from '../src/core/kept-post.js'
import { deferred } from '../src/error.js'
import { Outbox } from '../src/outbox.js'
import { KeptStorage } from '../src/storage/kept-storage.js'
import { MemoryStorage, lostLock } from '../src/storage/memory-storage.js'
import { Store } from '../src/store.js'
import { setUp } from './support/client.js'
import { FakeServer, answer, makeToken, problem, until } from './support/fake-server.js'
import { fakeTime } from './support/time.js'

const rejections = []
process.on('unhandledRejection', error => rejections.push(error))
test.after(() => assert.deepEqual(rejections, [], 'unhandled rejections'))

const isPost = (method, path) => method === 'POST' && path === '/api/v1/messages'

/** A server with a room, and a store that outlives a client. */
function lasting() {
  const server = new FakeServer()
  server.room('a')
  const storage = new MemoryStorage()
  storage.isLasting = true
  return { server, storage }
}

const texts = server => server.rooms.get('a').log.map(event => JSON.parse(event.contentJson).text)

test('a post of a former life is sent by the next, and its end is reported', async t => {
  const { server, storage } = lasting()
  const first = setUp(t, { server, storage, userId: 1 })
  const post = first.chat.room('a').send({ text: 'one' }, { key: 'k1' })
  await post.kept
  await first.chat.close()
  assert.equal(server.calls.length, 0)
  const second = setUp(t, { server, storage, userId: 1 })
  const ends = []
  second.chat.on('post', post => ends.push([post.key, post.state]))
  await second.live()
  await until(() => ends.length === 1)
  assert.deepEqual(ends, [['k1', 'stored']])
  assert.deepEqual(texts(server), ['one'])
  assert.deepEqual(second.chat.outbox, [])
})

test('posts are sent in the order kept, whatever answers are lost, and stored once', async t => {
  const time = fakeTime(t)
  const { chat, server } = setUp(t)
  server.room('a')
  let count = 0
  const ways = [
    () => { throw new TypeError('lost before') },
    () => new Response('<html>bad gateway</html>', { status: 502 }),
    () => problem(503, 'unavailable', { 'Retry-After': '2' }),
    () => problem(429, 'rate_limited', { 'Retry-After': '1' }),
    () => new Response('{"messageId": 1, "se', { status: 200 }),
    () => undefined,
  ]
  server.intercept = (method, path) => (isPost(method, path) ? ways[count++ % ways.length]() : undefined)
  server.afterPost = stored => { if (stored.seq % 3 === 0) throw new TypeError('the answer is lost') }
  chat.start()
  const posts = Array.from({ length: 10 }, (_, index) => chat.room('a').send({ text: `p${index}` }))
  await time.advance(300_000)
  assert.deepEqual(texts(server), posts.map((_, index) => `p${index}`))
  assert.ok(posts.every(post => post.state === 'stored'))
  assert.deepEqual(chat.outbox, [])
})

test('what was kept in memory while the store failed is sent by the other process once it works again', async t => {
  const time = fakeTime(t)
  const { server, storage } = lasting()
  const sender = setUp(t, { server, storage, userId: 1 })
  sender.chat.start()
  await time.advance(5_000)
  let isBroken = false
  const failing = new Proxy(storage, {
    get: (target, name) => {
      if (name === 'write' && isBroken) return () => { throw new Error('the disk is full') }
      return typeof target[name] === 'function' ? target[name].bind(target) : target[name]
    },
  })
  const { chat } = setUp(t, { server, storage: failing, userId: 1 })
  chat.start()
  await time.advance(5_000)
  isBroken = true
  const post = chat.room('a').send({ text: 'x' })
  await time.advance(5_000)
  sender.chat.room('a').send({ text: 'y' })
  await time.advance(5_000)
  assert.equal(post.state, 'queued')
  isBroken = false
  await time.advance(60_000)
  assert.equal(post.state, 'stored')
  assert.deepEqual(texts(server), ['y', 'x'])
})

test('posts of two processes on one store are sent in the order kept', async t => {
  // As processes have none.
  const { BroadcastChannel } = globalThis
  globalThis.BroadcastChannel = undefined
  t.after(() => { globalThis.BroadcastChannel = BroadcastChannel })
  const { server, storage } = lasting()
  const [sender, other] = [1, 2].map(() => setUp(t, { server, storage, userId: 1 }))
  await sender.live()
  await other.live()
  const names = []
  for (let number = 0; number < 5; number += 1) {
    await other.chat.room('a').send({ text: `other ${number}` }).kept
    await sender.chat.room('a').send({ text: `sender ${number}` }).kept
    names.push(`other ${number}`, `sender ${number}`)
  }
  await until(() => texts(server).length === names.length)
  assert.deepEqual(texts(server), names)
})

test('hours of 500 for everything empty no outbox, and the next answer sends it', async t => {
  const time = fakeTime(t)
  const { chat, server } = setUp(t)
  server.room('a')
  let isDown = true, posts = 0
  server.intercept = (method, path) => { if (isPost(method, path)) posts += 1; return isDown ? problem(500, 'internal_error') : undefined }
  chat.start()
  const post = chat.room('a').send({ text: 'x' })
  await time.advance(4 * 3_600_000, 5_000)
  assert.equal(post.state, 'queued')
  assert.ok(posts > 100 && posts < 2_000, String(posts))
  isDown = false
  await time.advance(40_000)
  assert.equal(post.state, 'stored')
})

test('one message that the server cannot store is refused after twenty tries, and the next is sent', async t => {
  const time = fakeTime(t)
  const { chat, server } = setUp(t)
  server.room('a')
  let tries = 0
  server.intercept = (method, path, body) => { if (isPost(method, path) && body.payload.text === 'bad') { tries += 1; return problem(500, 'internal_error') } }
  chat.start()
  const bad = chat.room('a').send({ text: 'bad' })
  const good = chat.room('a').send({ text: 'good' })
  await time.advance(900_000, 1_000)
  assert.equal(bad.state, 'refused')
  assert.equal(bad.error.code, 'server_error')
  assert.equal(bad.error.isTemporary, true)
  assert.equal(tries, 20)
  assert.equal(good.state, 'stored')
})

test('401 after a fresh token is repeated, not refused', async t => {
  const time = fakeTime(t)
  const { chat, server } = setUp(t)
  server.room('a')
  let refusals = 5
  server.intercept = (method, path) => (isPost(method, path) && refusals-- > 0 ? problem(401, 'invalid_token') : undefined)
  chat.start()
  const post = chat.room('a').send({ text: 'x' })
  await time.advance(60_000)
  assert.equal(post.state, 'stored')
})

test('a refused post can be tried again or given up', async t => {
  const { chat, server, live } = setUp(t)
  server.room('a')
  let isFull = true
  server.intercept = (method, path) => (isPost(method, path) && isFull ? problem(422, 'validation_failed') : undefined)
  await live()
  const post = chat.room('a').send({ text: 'x' })
  await assert.rejects(post.stored, { code: 'validation_failed', status: 422 })
  assert.equal(post.isCertain, true)
  assert.equal(chat.outbox.length, 1)
  isFull = false
  post.retry()
  await until(() => post.state === 'stored')
  await post.stored
  isFull = true
  const other = chat.room('a').send({ text: 'y' })
  await assert.rejects(other.stored)
  assert.equal(await other.discard(), true)
  assert.deepEqual(chat.outbox, [])
  assert.equal(await post.discard(), false)
})

test('the same key with the same content is the same send, with another it is refused without a try', async t => {
  const { chat, server, live, errors } = setUp(t)
  server.room('a')
  await live()
  const room = chat.room('a')
  room.subscribe(() => {})
  server.intercept = (method, path) => (isPost(method, path) ? new Promise(() => {}) : undefined)
  const post = room.send({ text: 'x' }, { key: 'k' })
  assert.equal(room.send({ text: 'x' }, { key: 'k' }), post)
  const other = room.send({ text: 'y' }, { key: 'k' })
  await assert.rejects(other.stored, { code: 'client_message_id_reused' })
  await until(() => post.state === 'sending')
  server.message('a', { text: 'x' }, { senderId: 1, clientMessageId: 'k' })
  await post.stored
  await until(() => room.messages.length === 1)
  const calls = server.calls.length
  const again = room.send({ text: 'x' }, { key: 'k' })
  assert.equal((await again.stored).messageId, room.messages[0].messageId)
  await assert.rejects(room.send({ text: 'z' }, { key: 'k' }).stored, { code: 'client_message_id_reused' })
  assert.equal(server.calls.length, calls)
  assert.deepEqual(errors, [])
})

test('a key of a message whose file the server has described is left to the server, with another file it is refused', async t => {
  const { chat, server, live } = setUp(t)
  server.room('a')
  await live()
  const room = chat.room('a')
  room.subscribe(() => {})
  const stored = server.message('a', { fileId: 'f1', fileName: 'a.png', fileSize: 3 }, { senderId: 1, clientMessageId: 'k', messageType: 'image' })
  await until(() => room.messages.length === 1)
  server.intercept = (method, path) => (isPost(method, path) ? answer(200, stored) : undefined)
  const again = room.send({ fileId: 'f1' }, { key: 'k', messageType: 'image' })
  assert.equal((await again.stored).messageId, stored.messageId)
  await assert.rejects(room.send({ fileId: 'f2' }, { key: 'k', messageType: 'image' }).stored, { code: 'client_message_id_reused' })
})

test('a store that cannot be read for a while takes no post away', async t => {
  const { server, storage } = lasting()
  let isAway = false
  for (const name of ['get', 'keys', 'write']) {
    const call = storage[name].bind(storage)
    storage[name] = (...values) => { if (isAway) throw new Error('disk'); return call(...values) }
  }
  const { chat, live } = setUp(t, { server, storage, userId: 1 })
  let release
  const held = new Promise(resolve => { release = resolve })
  server.intercept = async (method, path) => { if (isPost(method, path)) await held }
  await live()
  const room = chat.room('a')
  const posts = ['x', 'y'].map(text => room.send({ text }))
  await Promise.all(posts.map(post => post.kept))
  isAway = true
  // It looks for posts of other processes every second.
  await until(() => chat.storage === 'memory', 'the failure', 5_000)
  posts.push(room.send({ text: 'z' }))
  await posts[2].kept
  assert.equal(chat.outbox.length, 3)
  release()
  await Promise.all(posts.map(post => post.stored))
  assert.deepEqual(texts(server), ['x', 'y', 'z'])
})

test('a post that was refused for its key gives up nothing of the one that has the key', async t => {
  const { chat, server, live } = setUp(t, { userId: 1 })
  server.room('a')
  const room = chat.room('a')
  const first = room.send({ text: 'x' }, { key: 'k' })
  const refused = room.send({ text: 'y' }, { key: 'k' })
  await assert.rejects(refused.stored, { code: 'client_message_id_reused' })
  refused.retry()
  assert.equal(await refused.discard(), true)
  assert.deepEqual(chat.outbox, [first])
  await live()
  await first.stored
  assert.deepEqual(texts(server), ['x'])
})

test('a waiting post is what it was when it was edited, whatever becomes of the object', async t => {
  const { chat, server, live } = setUp(t, { userId: 1 })
  server.room('a')
  const post = chat.room('a').send({ text: 'x' }), payload = { text: 'y' }
  await chat.room('a').edit(post.key, payload)
  payload.text = 'z'
  await live()
  await post.stored
  assert.deepEqual(texts(server), ['y'])
})

test('an edit of a waiting post changes it, of one under way the message', async t => {
  const { chat, server, live } = setUp(t)
  server.room('a')
  await live()
  const room = chat.room('a')
  room.subscribe(() => {})
  let release
  server.intercept = (method, path) => (isPost(method, path) ? new Promise(resolve => { release = resolve }) : undefined)
  const first = room.send({ text: 'one' }), second = room.send({ text: 'two' })
  await until(() => first.state === 'sending' && second.state === 'queued')
  const edited = room.edit(first.key, { text: 'ONE' })
  await room.edit(second.key, { text: 'TWO' })
  assert.equal(room.messages.at(-1).content.text, 'TWO')
  server.intercept = undefined
  release(undefined)
  await Promise.all([first.stored, second.stored, edited])
  await until(() => room.messages.length === 2 && room.messages[0].content.text === 'ONE')
  assert.deepEqual(room.messages.map(message => message.content.text), ['ONE', 'TWO'])
})

test('a post made after close settles at once', async t => {
  const { chat, live } = setUp(t)
  await live()
  await chat.close()
  const post = chat.room('a').send({ text: 'x' })
  await assert.rejects(post.kept, { code: 'closed' })
  await assert.rejects(post.stored, { code: 'closed' })
})

test('a post for which there was no token is still untried: it can be edited and given up', async t => {
  const time = fakeTime(t)
  const { server, storage } = lasting()
  const { chat } = setUp(t, { server, storage, userId: 1, getToken: async () => { throw new Error('away') } })
  chat.start()
  const post = chat.room('a').send({ text: 'x' }, { key: 'k1' })
  await time.advance(20_000)
  assert.equal(post.state, 'queued')
  await Promise.all([chat.room('a').edit('k1', { text: 'y' }), time.advance(10)])
  assert.equal(post.payload.text, 'y')
  const discarded = post.discard()
  await time.advance(10_000)
  assert.equal(await discarded, true)
})

test('a process that begins while its store fails hears of the posts of others once it works', async t => {
  const time = fakeTime(t)
  const { server, storage } = lasting()
  let isAway = true
  const failing = new Proxy(storage, {
    get: (target, name) => {
      if (isAway && ['get', 'keys', 'write'].includes(name)) return () => { throw new Error('disk') }
      return typeof target[name] === 'function' ? target[name].bind(target) : target[name]
    },
  })
  const late = setUp(t, { server, storage: failing, userId: 1 })
  await time.advance(1_000)
  await Promise.all([late.chat.forget().catch(() => {}), time.advance(1_000)])
  assert.equal(late.chat.storage, 'memory')
  late.chat.start()
  await time.advance(1_000)
  isAway = false
  await time.advance(61_000)
  assert.equal(late.chat.storage, 'lasting')
  // Kept by a process that never sends.
  const still = setUp(t, { server, storage, userId: 1 })
  const post = still.chat.room('a').send({ text: 'x' })
  await time.advance(100)
  await post.kept
  await time.advance(10_000)
  assert.deepEqual(texts(server), ['x'])
})

/** Two processes: `still` has kept a post and does not look; `other` has begun to send it, and has no answer before `release()`. */
async function overtaken(t) {
  const { server, storage } = lasting()
  const still = setUp(t, { server, storage, userId: 1 }), other = setUp(t, { server, storage, userId: 1 })
  const post = still.chat.room('a').send({ text: 'one' }, { key: 'k1' })
  await post.kept
  let release
  server.intercept = (method, path) => (isPost(method, path) ? new Promise(resolve => { release = resolve }) : undefined)
  await other.live()
  await until(() => release)
  return { server, still, other, post, release: () => { server.intercept = undefined; release(undefined) } }
}

test('an edit of a post that another process has begun to send changes the message', async t => {
  const { server, still, post, release } = await overtaken(t)
  const edited = still.chat.room('a').edit('k1', { text: 'ONE' })
  await until(() => post.payload.text === 'one')
  release()
  await still.live()
  await Promise.all([post.stored, edited])
  const calls = server.calls.filter(({ method }) => method === 'POST' || method === 'PATCH')
  assert.deepEqual(calls.map(({ method, body }) => [method, body.payload.text]), [['POST', 'one'], ['PATCH', 'ONE']])
})

test('a post that another process has begun to send is not gone when it is discarded', async t => {
  const { server, still, post, release } = await overtaken(t)
  assert.equal(await post.discard(), false)
  assert.deepEqual(still.chat.outbox, [post])
  release()
  await still.live()
  await post.stored
  assert.deepEqual(texts(server), ['one'])
})

test('a post that another process has stored is not gone when it is discarded', async t => {
  const { server, other, post, release } = await overtaken(t)
  release()
  await until(() => other.chat.outbox.length === 0 && texts(server).length === 1)
  await other.chat.close()
  assert.equal(await post.discard(), false)
  await post.stored
})

test('a post is sent as another process has edited it', async t => {
  const { server, storage } = lasting()
  const still = setUp(t, { server, storage, userId: 1 }), other = setUp(t, { server, storage, userId: 1 })
  await other.live()
  let release
  server.intercept = (method, path) => (isPost(method, path) ? new Promise(resolve => { release = resolve }) : undefined)
  other.chat.room('a').send({ text: 'first' })
  await until(() => release)
  const post = still.chat.room('a').send({ text: 'one' }, { key: 'k1' })
  await post.kept
  await until(() => other.chat.outbox.length === 2)
  await still.chat.room('a').edit('k1', { text: 'ONE' })
  server.intercept = undefined
  release(undefined)
  await until(() => texts(server).length === 2)
  assert.deepEqual(texts(server), ['first', 'ONE'])
})

test('an edit and a discard in one step, of a post that another process has begun to send, do neither', async t => {
  const { server, still, post, release } = await overtaken(t)
  const edited = still.chat.room('a').edit('k1', { text: 'ONE' }), discarded = post.discard()
  assert.equal(await discarded, false)
  release()
  await still.live()
  await edited
  assert.deepEqual(server.calls.filter(({ method }) => method === 'PATCH').map(({ body }) => body.payload.text), ['ONE'])
})

test('two edits in one step change the post, not the message', async t => {
  const { chat, server, live } = setUp(t)
  server.room('a')
  await live()
  const room = chat.room('a'), post = room.send({ text: '0' }, { key: 'k' })
  await Promise.all([room.edit('k', { text: '1' }), room.edit('k', { text: '2' })])
  await post.stored
  assert.deepEqual(texts(server), ['2'])
  assert.equal(server.calls.some(({ method }) => method === 'PATCH'), false)
})

test('a process that is signed out leaves the sending to another one', async t => {
  const { server, storage } = lasting()
  let sub = 1
  const first = setUp(t, { server, storage, getToken: async () => makeToken({ sub }) }), second = setUp(t, { server, storage })
  await first.live()
  await first.chat.room('a').send({ text: 'x' }).stored
  await second.live()
  sub = 2
  server.sockets[0].drop(4401)
  await until(() => first.chat.state === 'signedOut')
  await second.chat.room('a').send({ text: 'y' }).stored
  assert.deepEqual(texts(server), ['x', 'y'])
})

test('a key is known from the answer on, also before the log shows its message', async t => {
  const { chat, server, live, change } = setUp(t)
  server.room('a', { seq: 1 })
  await live()
  const room = chat.room('a')
  room.subscribe(() => {})
  await until(() => room.state === 'live')
  server.accepts = false
  const isOffline = change(({ state }) => state === 'offline')
  server.dropAll()
  await isOffline
  const post = room.send({ text: 'x' }, { key: 'k' })
  const { seq } = await post.stored
  assert.equal(room.send({ text: 'x' }, { key: 'k' }), post)
  const other = room.send({ text: 'y' }, { key: 'k' })
  await assert.rejects(other.stored, { code: 'client_message_id_reused' })
  assert.deepEqual([post.state, post.seq, server.calls.filter(({ method, path }) => isPost(method, path)).length], ['stored', seq, 1])
})

test('a stored post that another process has kept again is a post anew, until the log shows it again', async () => {
  const kept = { key: 'k', roomId: 'a', messageType: 'text', payload: { text: 'x' }, isTried: true, state: 'queued' }
  const store = {
    outbox: async () => ({ posts: [kept], done: [] }), changeOutbox: async changes => changes.map(() => ({})), isOutboxChanged: async () => false,
  }
  const ends = []
  const outbox = new Outbox({ store: async () => store, isShown: () => true, onChange() {}, onEnd: post => ends.push(post.state), onError: assert.ifError })
  const message = { clientMessageId: 'k', messageId: 1, seq: 1 }
  await outbox.load()
  const first = outbox.get('k')
  outbox.logged(message)
  await until(() => ends.length === 1)
  // As a process does that was suspended while many others were sent.
  await outbox.load()
  outbox.passed('a', 1)
  assert.deepEqual([first.state, outbox.list.map(post => post.state)], ['stored', ['queued']])
  outbox.logged(message)
  await until(() => ends.length === 2)
  assert.deepEqual([ends, outbox.list], [['stored', 'stored'], []])
})

/** Changes that remove these posts as stored by the server. */
const settled = keys => keys.map(key => ({ key: `${key}`, remove: { messageId: 1, seq: 1 } }))

/** An outbox in a storage that others use, too, and its store. `rest` is called once it sends. */
function shared(storage, rest, onEnd = () => {}) {
  const kept = new KeptStorage(storage), store = new Store(kept, 1)
  const context = { kept, rest, store: async () => store, channelName: () => 'x', isShown: () => true, onChange() {}, onEnd, onError: assert.ifError }
  return { store, outbox: new Outbox(context) }
}

test('a post that others may have sent long ago is neither changed nor given up by the process that wakes up', async () => {
  for (const change of ['discard', 'edit']) {
    const storage = new MemoryStorage()
    const { outbox } = shared(storage), other = shared(storage).store
    const post = outbox.post({ key: 'k', roomId: 'a', messageType: 'text', payload: { text: 'x' } })
    await post.kept
    await other.changeOutbox(settled(['k', ...Array(MOST_DONE).keys()]))
    assert.equal(change === 'edit' ? await outbox.edit('k', { text: 'y' }) : await outbox.discard(post), false)
    assert.deepEqual([post.state, post.payload, outbox.list], ['queued', { text: 'x' }, [post]])
    assert.deepEqual((await other.outbox()).posts.map(({ key, payload, isTried }) => [key, payload, isTried]), [['k', { text: 'x' }, true]])
  }
})

test('a post that is given up before it was kept is certainly not stored, whatever is remembered of others', async () => {
  const { store, outbox } = shared(new MemoryStorage())
  await store.changeOutbox(settled([...Array(MOST_DONE).keys()]))
  const post = outbox.post({ key: 'k', roomId: 'a', messageType: 'text', payload: { text: 'x' } })
  assert.equal(await outbox.discard(post), true)
  await assert.rejects(post.stored, { code: 'not_stored' })
  assert.deepEqual((await store.outbox()).posts, [])
})

test('a post that others have sent while it was being given up is stored', async () => {
  const storage = new MemoryStorage()
  const { store, outbox } = shared(storage), other = shared(storage).store
  const changeOutbox = store.changeOutbox
  let discarded
  store.changeOutbox = async changes => {
    const answers = await changeOutbox.call(store, changes)
    if (!discarded) {
      discarded = outbox.discard(post)
      await other.changeOutbox(settled(['k']))
    }
    return answers
  }
  const post = outbox.post({ key: 'k', roomId: 'a', messageType: 'text', payload: { text: 'x' } })
  assert.equal((await post.stored).seq, 1)
  assert.equal(await discarded, false)
})

test('a refusal that another process has found to be uncertain, or an edit that came too late, is seen by all', async () => {
  const storage = new MemoryStorage()
  const { store, outbox } = shared(storage), other = shared(storage).store
  const refused = { key: 'k', roomId: 'a', messageType: 'text', payload: { text: 'x' }, isTried: false, state: 'refused', error: { code: 'forbidden', status: 403 }, isCertain: true }
  await store.changeOutbox([{ key: 'k', add: refused }])
  await outbox.load()
  const post = outbox.get('k')
  assert.equal(post.isCertain, true)
  await other.changeOutbox([{ key: 'k', put: { ...refused, isTried: true, isCertain: false } }])
  await outbox.load()
  assert.equal(post.isCertain, false)
  await other.changeOutbox([{ key: 'k', put: { ...refused, state: 'queued', isTried: true } }])
  assert.equal(await outbox.edit('k', { text: 'y' }), false)
  assert.deepEqual([post.state, post.payload], ['queued', { text: 'x' }])
})

test('a key that was given up and used again has the outcome of its last use', async () => {
  const storage = new MemoryStorage()
  const { store, outbox } = shared(storage), other = shared(storage).store
  const add = { key: 'k', roomId: 'a', messageType: 'text', payload: { text: 'x' } }
  await store.changeOutbox([{ key: 'k', add }, { key: 'k', remove: null }])
  const post = outbox.post(add)
  await post.kept
  await other.changeOutbox(settled(['k']))
  await outbox.load()
  assert.deepEqual([post.state, post.seq], ['stored', 1])
})

test('a post that others have stored meanwhile is not given up by the answer to an older attempt', async () => {
  for (const later of [0, MOST_DONE]) {
    const storage = new MemoryStorage(), other = shared(storage).store
    const attempt = deferred(), began = deferred()
    const { outbox } = shared(storage, { call: () => { began.resolve(); return attempt.promise } })
    outbox.start()
    const post = outbox.post({ key: 'k', roomId: 'a', messageType: 'text', payload: { text: 'x' } })
    await began.promise
    const discarded = outbox.discard(post)
    await other.changeOutbox(settled(['k', ...Array(later).keys()]))
    attempt.reject(Object.assign(new Error('no'), { status: 401 }))
    assert.equal(await discarded, false)
    if (later === 0) assert.deepEqual([post.state, post.seq], ['stored', 1])
    await outbox.close()
  }
})

test('a refusal is uncertain from the start where the outcome of an earlier attempt may be forgotten', async () => {
  const storage = new MemoryStorage(), other = shared(storage).store
  const attempt = deferred(), began = deferred(), ended = []
  const { outbox } = shared(storage, { call: () => { began.resolve(); return attempt.promise } }, post => ended.push([post.state, post.isCertain]))
  outbox.start()
  const post = outbox.post({ key: 'k', roomId: 'a', messageType: 'text', payload: { text: 'x' } })
  await began.promise
  await other.changeOutbox(settled(['k', ...Array(MOST_DONE).keys()]))
  attempt.reject(Object.assign(new Error('no'), { status: 403, code: 'forbidden' }))
  await assert.rejects(post.stored, { code: 'forbidden' })
  assert.equal(await outbox.discard(post), false)
  assert.deepEqual([ended, post.state, post.isCertain], [[['refused', false]], 'refused', false])
  await outbox.close()
})

test('forget ends a discard that waits for the answer', async t => {
  const { chat, server, live } = setUp(t)
  server.room('a')
  server.intercept = (method, path, _, { signal }) => (isPost(method, path)
    ? new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))) : undefined)
  await live()
  const post = chat.room('a').send({ text: 'x' })
  await until(() => post.state === 'sending')
  const discarded = post.discard()
  await chat.forget({ evenUnsent: true })
  assert.equal(await discarded, true)
})

test('a message too large, and a wrong key, are thrown at once', async t => {
  const { chat } = setUp(t)
  assert.throws(() => chat.room('a').send({ text: 'x'.repeat(70_000) }), { code: 'too_large' })
  assert.throws(() => chat.room('a').send({ text: 'x' }, { key: 'k'.repeat(65) }), TypeError)
  // Half a character.
  assert.throws(() => chat.room('a').send({ text: 'x' }, { key: '\ud800' }), URIError)
  assert.throws(() => chat.room('a/b'), TypeError)
})

test('a store that fails is reported once and the post is sent all the same', async t => {
  const storage = { isLasting: true, get() { throw new Error('disk') }, set() { throw new Error('disk') }, delete() { throw new Error('disk') }, keys() { throw new Error('disk') } }
  const { chat, server, live, errors } = setUp(t, { storage })
  server.room('a')
  const seen = []
  chat.room('a').on('event', event => seen.push(event.seq))
  await live()
  const post = chat.room('a').send({ text: 'x' })
  await post.stored
  await until(() => seen.length === 1)
  assert.equal(chat.storage, 'memory')
  assert.deepEqual(errors.map(error => error.code), ['store_failed'])
})

test('changes for which the lock of the store was lost again and again are written later, and nothing behind them is missing', async t => {
  const time = fakeTime(t)
  const { server, storage } = lasting()
  const { write } = storage
  let losses = 0
  storage.write = (changes, options) => {
    if (losses > 0 && changes.some(([key]) => key.endsWith('/done') || key.includes('/outbox/'))) { losses -= 1; throw lostLock() }
    return write.call(storage, changes, options)
  }
  const { chat } = setUp(t, { server, storage })
  chat.start()
  await time.advance(1_000)
  // First the post itself is not written, then its end.
  losses = 7
  const post = chat.room('a').send({ text: 'x' })
  server.afterPost = () => { losses = 7 }
  const outcome = post.stored.then(({ seq }) => seq)
  for (let second = 0; second < 10; second += 1) await time.advance(1_000)
  assert.equal(await outcome, 1)
  assert.equal(losses, 0)
  assert.deepEqual([texts(server), chat.outbox], [['x'], []])
  assert.deepEqual((await storage.keys()).filter(key => key.includes('/outbox/')), [])
})

test('two processes on one store: one line, one sender, each hears each event once', async t => {
  const { server, storage } = lasting()
  const one = setUp(t, { server, storage, userId: 1 }), two = setUp(t, { server, storage, userId: 1 })
  const seen = { one: [], two: [] }
  one.chat.room('a').on('event', event => seen.one.push(event.seq))
  two.chat.room('a').on('event', event => seen.two.push(event.seq))
  await one.live()
  await two.live()
  const posts = []
  for (let number = 0; number < 20; number += 1) posts.push((number % 2 ? two : one).chat.room('a').send({ text: `p${number}` }))
  await Promise.all(posts.map(post => post.stored))
  assert.equal(new Set(texts(server)).size, 20)
  assert.equal(texts(server).length, 20)
  assert.equal(server.calls.filter(({ method, path }) => isPost(method, path)).length, 20)
  await until(() => seen.one.length === 20 && seen.two.length === 20)
  assert.deepEqual(seen.one, seen.two)
  // The one that sends goes away: the other takes over.
  await one.chat.close()
  const last = two.chat.room('a').send({ text: 'last' })
  await last.stored
  await until(() => seen.two.length === 21)
  assert.deepEqual([...new Set(seen.two)].length, 21)
  await two.chat.close()
  const again = setUp(t, { server, storage, userId: 1 })
  again.chat.room('a').subscribe(() => {})
  await until(() => again.chat.room('a').messages.length === 21)
  assert.deepEqual(again.chat.room('a').messages.map(message => message.seq), Array.from({ length: 21 }, (_, index) => index + 1))
})

test('forget deletes everything, but not what is unsent unless that is wanted', async t => {
  const server = new FakeServer()
  server.room('a', { seq: 3 })
  const storage = new MemoryStorage()
  const { chat, live } = setUp(t, { server, storage })
  chat.room('a').subscribe(() => {})
  await live()
  server.message('a', { text: 'x' })
  await until(() => chat.room('a').messages.length === 1)
  server.intercept = (method, path) => (isPost(method, path) ? new Promise(() => {}) : undefined)
  const post = chat.room('a').send({ text: 'y' })
  await post.kept
  await assert.rejects(chat.forget(), { code: 'unsent' })
  chat.stop()
  await chat.forget({ evenUnsent: true })
  assert.deepEqual(storage.keys(''), [])
  assert.deepEqual(chat.outbox, [])
  assert.deepEqual(chat.rooms.list, [])
  server.intercept = undefined
  await live()
  assert.equal(chat.rooms.list.length, 1)
  // The room is still listened to.
  server.message('a', { text: 'z' })
  await until(() => chat.room('a').messages.at(-1)?.content.text === 'z')
})

test('after forget a chat that ran goes on, with the rooms that are listened to and without broken posts', async t => {
  const server = new FakeServer()
  server.room('a', { seq: 3 })
  const storage = new MemoryStorage()
  const { chat, live } = setUp(t, { server, storage, userId: 1 })
  const heard = []
  chat.room('a').on('message', message => heard.push(message.content.text))
  await live()
  const key = storage.keys('').find(each => each.endsWith('/1/list'))
  storage.set(key.replace(/1\/list$/, 'broken/1/outbox/1/k.abc'), '{')
  await chat.forget()
  assert.deepEqual(storage.keys('').filter(each => each.includes('broken')), [])
  await until(() => chat.state === 'live')
  server.message('a', { text: 'x' })
  await until(() => heard.length > 0)
  assert.deepEqual(heard, ['x'])
})

test('forget while the first token is under way starts again', async t => {
  let give
  const { chat, server } = setUp(t, { userId: 1, getToken: () => new Promise(resolve => { give = resolve }) })
  chat.start()
  await until(() => give)
  await chat.forget()
  give(makeToken({ sub: server.userId }))
  await until(() => chat.state === 'live')
})

test('sends from within listeners of events and posts neither loop nor get lost', async t => {
  const { chat, server, live } = setUp(t)
  server.room('a')
  await live()
  const room = chat.room('a')
  room.on('message', message => { if (message.content.text.length < 5) room.send({ text: message.content.text + '.' }) })
  room.subscribe(() => { void room.messages.length; void chat.outbox.length })
  chat.on('post', post => { if (post.payload.text === 'x....') room.send({ text: 'donex' }) })
  room.send({ text: 'x' })
  await until(() => texts(server).includes('donex'))
  assert.deepEqual(texts(server), ['x', 'x.', 'x..', 'x...', 'x....', 'donex'])
})

test('a post is known as stored also where others have sent many since its process last looked', async t => {
  const { server, storage } = lasting()
  // It stands still: it takes part in nothing before `live`.
  const still = setUp(t, { server, storage, userId: 1 })
  const post = still.chat.room('a').send({ text: 'one' }, { key: 'k1' })
  await post.kept
  const other = setUp(t, { server, storage, userId: 1 })
  await other.live()
  const posts = Array.from({ length: MOST_DONE + 5 }, (_, number) => other.chat.room('a').send({ text: `${number}` }))
  await Promise.all(posts.map(post => post.stored))
  await other.chat.close()
  await still.live()
  await post.stored
  assert.equal(post.state, 'stored')
  assert.equal(texts(server).filter(text => text === 'one').length, 1)
})

test('a post that another process gives up is never sent, also where others have sent many since', async t => {
  const { server, storage } = lasting()
  const still = setUp(t, { server, storage, userId: 1 })
  const post = still.chat.room('a').send({ text: 'one' }, { key: 'k1' })
  await post.kept
  const other = setUp(t, { server, storage, userId: 1 })
  const same = other.chat.room('a').send({ text: 'one' }, { key: 'k1' })
  await same.kept
  assert.equal(await same.discard(), true)
  await other.chat.close()
  const third = setUp(t, { server, storage, userId: 1 })
  await third.live()
  await Promise.all(Array.from({ length: MOST_DONE + 5 }, (_, number) => third.chat.room('a').send({ text: `${number}` }).stored))
  await third.chat.close()
  await still.live()
  await assert.rejects(post.stored, { code: 'not_stored' })
  assert.equal(texts(server).includes('one'), false)
})
