import assert from 'node:assert/strict'
import test from 'node:test'
import { MemoryStorage } from '../src/storage/memory-storage.js'
import { Chat, setUp } from './support/client.js'
import { FakeServer, answer, makeToken, problem, until } from './support/fake-server.js'
import { fakeTime } from './support/time.js'

const rejections = []
process.on('unhandledRejection', error => rejections.push(error))
test.after(() => assert.deepEqual(rejections, [], 'unhandled rejections'))

test('the constructor does nothing', async () => {
  const server = new FakeServer()
  const touched = []
  const storage = new Proxy({}, { get: (_, name) => { if (name !== 'isLasting') touched.push(name) } })
  new Chat({ url: 'http://system', getToken: () => { touched.push('getToken') }, storage, WebSocket: server.WebSocket, fetch: server.fetch })
  await new Promise(resolve => setTimeout(resolve, 10))
  assert.deepEqual(touched, [])
  assert.deepEqual(server.calls, [])
})

test('a gap is a protocol error: the connection is made again from the last position', async t => {
  const { chat, server, live, change } = setUp(t)
  server.room('a')
  const seen = []
  chat.room('a').on('event', event => seen.push(event.seq))
  await live()
  server.message('a', {})
  await until(() => seen.length === 1)
  const { log } = server.rooms.get('a')
  for (const seq of [2, 3]) log.push({ ...log[0], seq, mark: `m-a-${seq}`, messageId: 900 + seq })
  const isRefused = change(({ reason }) => reason === 'protocol')
  server.say(log[2])
  await isRefused
  assert.deepEqual(seen, [1])
  chat.retryNow()
  await until(() => seen.length === 3)
  assert.deepEqual(seen, [1, 2, 3])
})

test('a connection is synchronised once, also where the store was slow over two of them', async t => {
  const storage = new MemoryStorage()
  let go, isWaiting = false
  const write = storage.write.bind(storage)
  storage.write = async (...values) => { isWaiting = Boolean(go); await go; return write(...values) }
  const { chat, server, states, live, drop } = setUp(t, { storage })
  server.room('a')
  chat.room('a').on('event', () => {})
  await live()
  let release
  go = new Promise(resolve => { release = resolve })
  server.message('a', {})
  await until(() => isWaiting)
  const tries = () => states.filter(({ state }) => state === 'syncing').length
  for (const count of [2, 3]) {
    await drop()
    chat.retryNow()
    await until(() => tries() === count)
  }
  release()
  await until(() => chat.state === 'live')
  assert.equal(server.sockets.length, 1)
  assert.equal(server.frames.filter(frame => frame.type === 'sync').length, 2)
})

test('frames that are no JSON objects, swapped or doubled lose and double nothing', async t => {
  const { chat, server, states, live } = setUp(t)
  server.room('a')
  const seen = []
  chat.room('a').on('event', event => seen.push(event.seq))
  await live()
  for (const bad of ['<html>', '{"eventType":"mess', '[1]', 'null', '"x"', '{"eventType":"message","roomId":"a","seq":"1"}', '{"eventType":"message","roomId":"a","seq":1.5}']) {
    await until(() => chat.state === 'live')
    const before = states.length
    server.sockets[0].sayText(bad)
    // The pause may be over before anybody looks.
    await until(() => states.slice(before).some(change => change.state === 'offline'), `offline after ${bad}`)
    assert.equal(states[before].reason, 'protocol')
    chat.retryNow()
  }
  await until(() => chat.state === 'live')
  server.message('a', {})
  server.say(server.rooms.get('a').log[0])
  server.message('a', {})
  await until(() => seen.length === 2)
  assert.deepEqual(seen, [1, 2])
})

test('a dead link is found by a ping of its own', async t => {
  const time = fakeTime(t)
  const { chat, server, states } = setUp(t)
  chat.start()
  await time.advance(100, 10)
  assert.equal(chat.state, 'live')
  await time.advance(26_000)
  assert.equal(server.frames.filter(frame => frame.type === 'ping').length, 1)
  assert.equal(chat.state, 'live')
  server.sockets[0].ignoresPings = true
  await time.advance(36_000)
  assert.ok(states.some(change => change.state === 'offline' && change.reason === 'dead'))
})

test('a chat that was stopped while its page was hidden pings again once it is started in a visible one', async t => {
  const time = fakeTime(t)
  globalThis.document = Object.assign(new EventTarget(), { hidden: false })
  t.after(() => { delete globalThis.document })
  const { chat, server } = setUp(t)
  chat.start()
  await time.advance(100, 10)
  document.hidden = true
  document.dispatchEvent(new Event('visibilitychange'))
  chat.stop()
  await time.advance(100)
  document.hidden = false
  chat.start()
  await time.advance(26_000)
  assert.equal(chat.state, 'live')
  assert.ok(server.frames.some(frame => frame.type === 'ping'))
})

test('a process that slept pings at once and waits 5 s', async t => {
  const time = fakeTime(t)
  const { chat, server, states } = setUp(t)
  chat.start()
  await time.advance(1_000, 10)
  server.sockets[0].ignoresPings = true
  await time.jump(600_000)
  await time.advance(10, 10)
  assert.equal(server.frames.filter(frame => frame.type === 'ping').length, 1)
  assert.equal(chat.state, 'live')
  await time.advance(6_000)
  assert.ok(states.some(change => change.state === 'offline' && change.reason === 'sleep'), JSON.stringify(states))
})

test('a token callback that throws is called again after pauses, and the state says when', async t => {
  const time = fakeTime(t)
  let calls = 0
  const { chat, states } = setUp(t, { getToken: async () => { calls += 1; if (calls < 4) throw new Error('no network'); return makeToken() } })
  chat.start()
  await time.advance(10_000)
  assert.equal(chat.state, 'live')
  assert.equal(calls, 4)
  const waiting = states.filter(change => change.state === 'offline')
  assert.equal(waiting.length, 3)
  assert.ok(waiting.every(change => change.reason === 'token' && change.retryInMs < 2_000 && change.retryAt > 0 && change.cause.message === 'no network'))
})

test('a token callback that hangs counts as failed after 30 s, and its late answer is dropped', async t => {
  const time = fakeTime(t)
  const reasons = []
  let late
  const { chat } = setUp(t, {
    getToken: ({ reason }) => { reasons.push(reason); return reasons.length === 1 ? new Promise(resolve => { late = resolve }) : makeToken() },
  })
  chat.start()
  await time.advance(29_000)
  assert.equal(chat.state, 'offline')
  assert.deepEqual(reasons, ['first'])
  await time.advance(3_000)
  assert.equal(chat.state, 'live')
  late(makeToken({ sub: 99 }))
  await time.advance(1_000)
  assert.equal(chat.state, 'live')
})

test('calls that wait for a token end with its call, also before the chat is started', async t => {
  const time = fakeTime(t)
  const { chat } = setUp(t, { getToken: () => new Promise(() => {}) })
  const outcomes = []
  chat.findRooms('a').catch(error => outcomes.push(error.code))
  await time.advance(31_000)
  assert.deepEqual(outcomes, ['timeout'])
  chat.start()
  await time.advance(100)
  chat.findRooms('a').catch(error => outcomes.push(error.code))
  await time.advance(31_000)
  assert.deepEqual(outcomes, ['timeout', 'timeout'])
})

test('what is no token, or the one just refused, is failed', async t => {
  const time = fakeTime(t)
  const server = new FakeServer()
  const refused = makeToken()
  const given = [undefined, 42, 'no.jwt', 'a.b.c', refused]
  const reasons = []
  const { chat } = setUp(t, { server, getToken: async ({ reason }) => { reasons.push(reason); return reasons.length <= given.length ? given[reasons.length - 1] : reasons.length < 9 ? refused : makeToken() } })
  chat.start()
  await time.advance(20_000)
  assert.equal(chat.state, 'live')
  server.sockets[0].drop(4401)
  await time.advance(30_000)
  assert.equal(chat.state, 'live')
  assert.equal(reasons.length, 9)
  assert.ok(reasons.slice(5).every(reason => reason === 'refused'), reasons.join())
})

test('SignedOut gives up; start asks again', async t => {
  let isSignedIn = false
  const { chat, states } = setUp(t, { getToken: async () => { if (isSignedIn) return makeToken(); throw Object.assign(new Error('bye'), { name: 'SignedOut' }) } })
  chat.start()
  await until(() => chat.state === 'signedOut')
  assert.equal(states.at(-1).reason, 'signedOut')
  await assert.rejects(chat.findUsers('x'), { code: 'signed_out' })
  isSignedIn = true
  chat.start()
  // A call waits for the token that `start` has asked for.
  await assert.rejects(chat.findUsers('x'), { status: 404 })
  await until(() => chat.state === 'live')
})

test('a server that refuses one token after the other is asked with growing pauses', async t => {
  const time = fakeTime(t)
  let tokens = 0
  const { chat, server } = setUp(t, { getToken: async () => { tokens += 1; return makeToken() } })
  chat.start()
  await time.advance(1_000)
  assert.equal(chat.state, 'live')
  server.intercept = () => problem(401, 'invalid_token')
  const errors = []
  for (let call = 0; call < 100; call += 1) {
    chat.findUsers('x').catch(error => errors.push(error.status ?? error.code))
    await time.advance(100)
  }
  assert.equal(errors.length, 100)
  assert.ok(errors.every(error => error === 401 || error === 'signed_out'), errors.join())
  // 10 s: two at once, then pauses of up to 0.5, 1, 2, 4 … s.
  assert.ok(tokens >= 4 && tokens < 12, String(tokens))
  server.intercept = undefined
  await time.advance(60_000)
  chat.findUsers('x').catch(error => errors.push(error.status))
  await time.advance(100)
  assert.equal(errors.at(-1), 404)
})

test('a token of another user closes the socket, and nothing is sent or shown', async t => {
  let sub = 1
  const { chat, server, live } = setUp(t, { getToken: async () => makeToken({ sub }) })
  server.room('a')
  await live()
  const room = chat.room('a')
  room.subscribe(() => {})
  sub = 2
  server.sockets[0].drop(4401)
  await until(() => chat.state === 'signedOut')
  assert.equal(chat.connection.reason, 'otherUser')
  const calls = server.calls.length
  const post = room.send({ text: 'x' })
  await post.kept
  await new Promise(resolve => setTimeout(resolve, 30))
  assert.equal(server.calls.length, calls)
  assert.equal(post.state, 'queued')
  assert.equal(server.sockets.length, 0)
})

test('a token is renewed in place before it ends, and REST calls that are refused get a fresh one', async t => {
  const time = fakeTime(t)
  const reasons = []
  const { chat, server, states } = setUp(t, { getToken: async ({ reason }) => { reasons.push(reason); return makeToken() } })
  server.room('a')
  chat.start()
  await time.advance(715_000, 1_000)
  assert.deepEqual(reasons, ['first'])
  await time.advance(10_000)
  assert.deepEqual(reasons, ['first', 'expiring'])
  assert.equal(server.frames.filter(frame => frame.type === 'auth').length, 1)
  assert.equal(states.at(-1).state, 'live')
  let refusals = 1
  server.intercept = (method, path) => (path === '/api/v1/users' && refusals-- > 0 ? problem(401, 'invalid_token') : path === '/api/v1/users' ? answer(200, { items: [] }) : undefined)
  const found = await chat.findUsers('x')
  assert.deepEqual(found.items, [])
  assert.deepEqual(reasons, ['first', 'expiring', 'refused'])
})

test('a server that refuses every token is not asked in a fast loop', async t => {
  const time = fakeTime(t)
  let calls = 0, sockets = 0
  const server = new FakeServer()
  server.refusesWith = () => { sockets += 1; return 4401 }
  const { chat } = setUp(t, { server, getToken: async () => { calls += 1; return makeToken() } })
  chat.start()
  await time.advance(60_000)
  assert.ok(calls > 3 && calls < 30, `${calls} calls`)
  assert.ok(sockets < 30, `${sockets} sockets`)
  assert.notEqual(chat.state, 'live')
})

test('a server that ends each connection right after synced is not asked in a fast loop', async t => {
  const time = fakeTime(t)
  const server = new FakeServer()
  let synced = 0
  server.synced = function (socket) { synced += 1; socket.say({ eventType: 'synced', cursor: 'c' }); setTimeout(() => socket.drop(1006), 1) }
  const { chat } = setUp(t, { server })
  chat.start()
  await time.advance(120_000)
  assert.ok(synced > 3 && synced < 40, `${synced} connections in two minutes`)
})

test('a WebSocket that cannot be made, and one that never opens, are failed tries', async t => {
  const time = fakeTime(t)
  let made = 0
  class Broken { constructor() { made += 1; if (made % 2 === 1) throw new SyntaxError('no'); this.readyState = 0 } close() {} send() {} }
  const server = new FakeServer()
  server.intercept = () => { throw new TypeError('no network') }
  const { chat, states } = setUp(t, { server, WebSocket: Broken })
  chat.start()
  await time.advance(120_000)
  assert.ok(made > 4 && made < 30, String(made))
  assert.ok(states.every(change => change.state !== 'live'))
})

test('close leaves no timer, no socket and no listener, whatever is under way', async t => {
  const { chat, server, live } = setUp(t)
  server.room('a')
  const room = chat.room('a')
  room.on('event', () => {})
  await live()
  server.intercept = (method, path, body, { signal }) => (path === '/api/v1/messages' ? new Promise(() => {}) : undefined)
  const post = room.send({ text: 'x' })
  await post.kept
  const events = room.events()
  const next = events.next()
  const other = chat.findUsers('x')
  server.intercept = () => new Promise(() => {})
  const started = Date.now()
  await chat.close()
  assert.ok(Date.now() - started < 10_000)
  assert.equal(chat.state, 'closed')
  assert.equal(server.sockets.length, 0)
  assert.deepEqual(await next, { done: true, value: undefined })
  await other.catch(() => {})
  await assert.rejects(post.stored, { code: 'closed' })
  assert.throws(() => chat.start(), { code: 'closed' })
  await new Promise(resolve => setTimeout(resolve, 20))
  const left = process.getActiveResourcesInfo().filter(name => name === 'Timeout')
  assert.ok(left.length <= 1, left.join())
  await chat.close()
})

test('close leaves no timer at any moment of a life', async t => {
  const time = fakeTime(t)
  for (const ms of [0, 1, 2, 5, 40, 1_000, 26_000, 700_000]) {
    const { chat, server } = setUp(t)
    server.room('a', { seq: 2 })
    const room = chat.room('a')
    room.on('typing', () => {})
    chat.start()
    room.send({ text: 'x' })
    room.markRead(1)
    room.events({ after: 0, as: 'x' }).next()
    await time.advance(ms)
    if (ms === 1_000) server.intercept = () => problem(503, 'unavailable')
    room.send({ text: 'y' })
    await time.advance(1)
    const closing = chat.close()
    await time.advance(1_999)
    await closing
    assert.deepEqual([...time.timers.values()].map(timer => String(timer.callback)), [], `after ${ms} ms`)
  }
})

test('close in the middle of a handshake, and within listeners', async t => {
  for (const state of ['connecting', 'syncing', 'live']) {
    const { chat, server } = setUp(t)
    chat.on('state', change => { if (change.state === state) chat.close() })
    chat.start()
    await until(() => chat.state === 'closed')
    await chat.close()
    assert.equal(server.sockets.length, 0)
  }
})

test('a listener that throws, or whose promise fails, is reported and breaks nothing', async t => {
  const { chat, server, live, errors } = setUp(t)
  server.room('a')
  const seen = []
  chat.room('a').on('event', () => { throw new Error('mine') })
  chat.room('a').on('event', async () => { throw new Error('mine too') })
  chat.room('a').on('event', event => seen.push(event.seq))
  chat.on('error', () => { throw new Error('even here') })
  await live()
  server.message('a', {})
  server.message('a', {})
  await until(() => seen.length === 2 && errors.length === 4)
  assert.ok(errors.every(error => error.code === 'listener' && error.cause.message.startsWith('mine')))
})

test('a configuration that is not there is asked for again after a minute, one with 405 leads to no loop', async t => {
  const time = fakeTime(t)
  const server = new FakeServer()
  let status = 405
  server.intercept = (method, path) => (path !== '/client/v1/configuration.json' ? undefined
    : status === 200 ? answer(200, { system: 'http://other', messages: 'http://other', sockets: 'http://other' }) : new Response('', { status }))
  const asked = () => server.calls.filter(({ path }) => path.endsWith('configuration.json')).length
  const { chat } = setUp(t, { server, url: 'http://system/' })
  chat.start()
  await time.advance(10_000)
  assert.equal(asked(), 1)
  assert.equal(server.sockets[0].url, 'ws://system/ws/user')
  status = 200
  await time.advance(60_000)
  server.dropAll()
  await time.advance(10_000)
  assert.equal(asked(), 2)
  assert.equal(server.sockets[0].url, 'ws://other/ws/user')
})

test('a configuration that cannot be read any more leaves the addresses as they were', async t => {
  const time = fakeTime(t)
  const server = new FakeServer()
  let status = 404
  server.intercept = (method, path) => (path === '/client/v1/configuration.json' ? new Response('', { status }) : undefined)
  const { chat } = setUp(t, { server, url: 'http://system/' })
  chat.start()
  await time.advance(10_000)
  assert.equal(chat.state, 'live')
  status = 503
  await time.advance(60_000)
  server.dropAll()
  await time.advance(10_000)
  assert.equal(chat.state, 'live')
})

test('addresses that were stored by an earlier process are asked for again', async t => {
  const time = fakeTime(t)
  const server = new FakeServer(), storage = new MemoryStorage()
  let host = 'one'
  server.intercept = (method, path) => (path !== '/client/v1/configuration.json' ? undefined
    : host ? answer(200, { system: 'http://system', messages: 'http://system', sockets: `http://${host}` }) : new Response('', { status: 500 }))
  const first = setUp(t, { server, storage, url: 'http://system/' })
  first.chat.start()
  await time.advance(1_000)
  await Promise.all([first.chat.close(), time.advance(2_000)])
  host = undefined
  const { chat } = setUp(t, { server, storage, url: 'http://system/' })
  chat.start()
  await time.advance(1_000)
  assert.equal(server.sockets[0].url, 'ws://one/ws/user')
  host = 'two'
  await time.advance(61_000)
  server.dropAll()
  await time.advance(10_000)
  assert.equal(server.sockets[0].url, 'ws://two/ws/user')
})

test('a configuration that comes late, as HTML or with 500, delays the start and no more', async t => {
  const time = fakeTime(t)
  const server = new FakeServer()
  const answers = [() => new Response('<html>', { status: 200 }), () => new Response('oops', { status: 500 }), () => { throw new TypeError('network') },
    () => answer(200, { system: 'http://system', messages: ':8081', sockets: ':8082', authMode: 'token' })]
  server.intercept = (method, path) => (path === '/client/v1/configuration.json' ? answers.shift()() : undefined)
  const { chat } = setUp(t, { server, url: 'http://system/' })
  chat.start()
  await time.advance(10_000)
  assert.equal(chat.state, 'live')
  assert.equal(answers.length, 0)
  assert.equal(server.sockets[0].url, 'ws://system:8082/ws/user')
})
