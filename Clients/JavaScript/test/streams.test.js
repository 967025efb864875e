import assert from 'node:assert/strict'
import test from 'node:test'
import { setUp } from './support/client.js'
import { FakeServer, makeToken, problem } from './support/fake-server.js'
import { fakeTime } from './support/time.js'

test('after three handshakes that nobody answers a stream serves, and its token is renewed without a break', async t => {
  const time = fakeTime(t)
  const server = new FakeServer()
  server.accepts = false
  server.room('a')
  const { chat, states } = setUp(t, { server, getToken: async () => makeToken({ lifeSeconds: 100 }) })
  const seen = []
  chat.room('a').on('event', event => seen.push(event.seq))
  chat.start()
  await time.advance(8_000)
  assert.equal(chat.state, 'live')
  assert.equal(chat.connection.reason, 'unsupported')
  server.message('a', {})
  await time.advance(100)
  assert.deepEqual(seen, [1])
  chat.room('a').markRead()
  await time.advance(100)
  assert.ok(server.calls.some(call => call.method === 'PUT' && call.path === '/api/v1/rooms/a/read'))
  const count = states.length
  for (let second = 0; second < 42; second += 1) { for (const { write } of server.streams) write(':\n\n'); await time.advance(1_000) }
  assert.ok(server.streams.length >= 2, 'a second stream')
  assert.equal(server.sockets.length, 1, 'one of them is open')
  assert.equal(states.length, count, JSON.stringify(states.slice(count)))
  server.message('a', {})
  await time.advance(100)
  assert.deepEqual(seen, [1, 2])
  assert.notEqual(server.streams.at(-1).headers['Last-Event-ID'], undefined)
})

test('an event between two streams is in the list of the second and still comes', async t => {
  const time = fakeTime(t)
  const server = new FakeServer()
  server.accepts = false
  server.room('a')
  const { chat } = setUp(t, { server, getToken: async () => makeToken({ lifeSeconds: 100 }) })
  const seen = [], skipped = []
  chat.room('a').on('event', event => seen.push(event.seq))
  chat.room('a').on('skipped', value => skipped.push(value))
  chat.start()
  await time.advance(8_000)
  server.message('a', {})
  await time.advance(100)
  const [stream] = server.sockets
  stream.isSynced = false
  const late = server.message('a', {})
  stream.isSynced = true
  while (server.streams.length < 2) { stream.write(':\n\n'); await time.advance(1_000) }
  server.streams[1].say(late)
  server.message('a', {})
  await time.advance(100)
  assert.deepEqual(seen, [1, 2, 3])
  assert.deepEqual(skipped, [])
})

test('where a server has forgotten the cursor of a stream, rooms go on at their heads', async t => {
  const time = fakeTime(t)
  const server = new FakeServer()
  server.accepts = false
  server.room('a')
  const { chat, states } = setUp(t, { server })
  const seen = []
  chat.room('a').on('event', event => seen.push(event.seq))
  chat.start()
  await time.advance(8_000)
  server.message('a', {})
  await time.advance(100)
  server.hasForgotten = true
  server.streams[0].drop()
  server.message('a', {})
  await time.advance(1_000)
  assert.equal(server.streams.length, 2)
  server.message('a', {})
  await time.advance(100)
  assert.deepEqual(seen, [1, 3])
  assert.equal(chat.room('a').state, 'live')
  assert.ok(states.every(({ reason }) => reason !== 'protocol'))
})

test('a stream that is refused with 405 leads back to the socket at once', async t => {
  const time = fakeTime(t)
  const server = new FakeServer()
  server.accepts = false
  let streams = 0
  server.intercept = (method, path) => { if (path === '/sse/user') { streams += 1; server.accepts = true; return problem(405, 'method_not_allowed') } }
  const { chat } = setUp(t, { server })
  chat.start()
  await time.advance(8_000)
  assert.equal(streams, 1)
  assert.equal(chat.state, 'live')
})

/** A chat whose network lets no socket through, live on a stream. */
async function onStream(t, options = {}) {
  const time = fakeTime(t), server = options.server ?? new FakeServer()
  server.accepts = false
  server.room('a')
  const made = setUp(t, { server, ...options }), seen = []
  made.chat.room('a').on('event', event => seen.push(event.content.text))
  made.chat.start()
  await time.advance(8_000)
  assert.equal(made.chat.state, 'live')
  return { ...made, time, server, seen, stream: () => server.streams.at(-1) }
}

test('frames of a stream may come in any pieces, with any line ends, over several data lines', async t => {
  const { server, stream, seen, time } = await onStream(t)
  const { log } = server.rooms.get('a')
  const event = (seq, text) => {
    const made = { eventType: 'message', roomId: 'a', seq, mark: `mark-${seq}`, messageId: seq, senderId: 2, messageType: 'text', contentJson: JSON.stringify({ text }), isEdited: false, isDeleted: false }
    log.push(made)
    return JSON.stringify(made)
  }
  const bytes = new TextEncoder().encode(`data: ${event(1, 'grüße 👋')}\r\n\r\n: comment\r\ndata:${event(2, 'two')}\n\ndata: {"eventType":"message",\ndata: ${event(3, 'three').slice(23)}\n\n`)
  for (const byte of bytes) { stream().writeBytes(Uint8Array.of(byte)); await null }
  await time.advance(10)
  assert.deepEqual(seen, ['grüße 👋', 'two', 'three'])
})

test('a stream that dies in mid-frame goes on with the next, and nothing is doubled', async t => {
  const { chat, server, stream, seen, time } = await onStream(t)
  server.message('a', { text: 'one' })
  await time.advance(10)
  stream().write('data: {"eventType":"message","roomId":"a","se')
  stream().drop()
  await time.advance(10)
  assert.equal(chat.state, 'offline')
  server.message('a', { text: 'two' })
  server.synced = function (socket) {
    socket.say({ eventType: 'rooms', rooms: [...this.rooms.values()].map(room => this.described(room)), removed: [], isLast: true })
    for (const event of this.rooms.get('a').log) socket.say(event)
    socket.isSynced = true
    socket.say({ eventType: 'synced', cursor: 'again' })
  }
  chat.retryNow()
  await time.advance(100)
  assert.deepEqual(seen, ['one', 'two'])
})

test('a stream whose sign-in has ended, or that is refused with 401, gets a fresh token', async t => {
  const reasons = []
  const { chat, server, stream, time } = await onStream(t, { getToken: async ({ reason }) => { reasons.push(reason); return makeToken() } })
  stream().write('event: close\ndata: {"code": 4401, "reason": "signed out"}\n\n')
  let refusals = 1
  server.intercept = (method, path) => (path === '/sse/user' && refusals-- > 0 ? problem(401, 'invalid_token') : undefined)
  await time.advance(5_000)
  assert.equal(chat.state, 'live')
  assert.deepEqual(reasons, ['first', 'refused', 'refused'])
})

test('a server that restarts says when to come back', async t => {
  const { chat, stream, time, states } = await onStream(t)
  stream().write('retry: 4000\n\n')
  stream().drop()
  await time.advance(10)
  assert.equal(states.at(-1).retryInMs, 4_000)
  assert.equal(states.at(-1).reason, 'restart')
  await time.advance(4_100)
  assert.equal(chat.state, 'live')
})

test('a stream that falls silent is found dead', async t => {
  const { states, time } = await onStream(t)
  await time.advance(31_000)
  assert.ok(states.some(change => change.reason === 'dead'))
})

test('the end of a chat ends its stream, also where the call has lost its signal', async t => {
  const time = fakeTime(t)
  const server = new FakeServer()
  server.accepts = false
  let isCancelled = false
  server.intercept = (method, path) => {
    if (path !== '/sse/user') return undefined
    return new Response(new ReadableStream({ start: controller => controller.enqueue(new TextEncoder().encode(':\n\n')), cancel: () => { isCancelled = true } }), { status: 200, headers: { 'Content-Type': 'text/event-stream' } })
  }
  const { chat } = setUp(t, { server })
  chat.start()
  await time.advance(8_000)
  const closing = chat.close()
  await time.advance(2_000)
  await closing
  assert.ok(isCancelled)
})
