import assert from 'node:assert/strict'
import { beforeEach, mock, test } from 'node:test'
import { RoomSocket } from './client.mjs'

/** What the network is to a `RoomSocket`. */
class FakeSocket {
  static OPEN = 1
  static made = []
  sent = []
  constructor(url, protocols) {
    Object.assign(this, { url, protocols, readyState: 0 })
    FakeSocket.made.push(this)
  }
  send(text) { this.sent.push(JSON.parse(text)) }
  close() { this.readyState = 3 }
  say(event) { this.readyState = 1; this.onmessage({ data: JSON.stringify(event) }) }
  end(code, reason = '') { this.readyState = 3; this.onclose({ code, reason }) }
}

const ready = seq => ({ eventType: 'ready', sessionId: 's', roomId: 'r', seq, heartbeatSeconds: 25 })
const settled = async () => { for (let turn = 0; turn < 10; turn += 1) await Promise.resolve() }
const passed = async ms => { mock.timers.tick(ms); await settled() }

let told, refreshes, lastSeq, socket
const latest = () => FakeSocket.made.at(-1)

beforeEach(async () => {
  globalThis.window = { addEventListener() {}, removeEventListener() {} }
  mock.timers.reset()
  mock.timers.enable({ apis: ['setTimeout'] })
  mock.method(Math, 'random', () => 1)
  FakeSocket.made = []
  told = []
  refreshes = 0
  lastSeq = null
  const session = { userId: 7, token: async () => `t${refreshes}`, refresh: async () => `t${(refreshes += 1)}` }
  socket = new RoomSocket({
    url: 'ws://h/ws/chat', roomId: 'a b', session, lastSeq: () => lastSeq, WebSocket: FakeSocket,
    events: {
      ready: (event, isResumed) => { told.push(['ready', isResumed]); lastSeq ??= event.seq },
      event: event => told.push(['event', event.seq]), state: state => told.push(['state', state]),
      restart: () => { lastSeq = null; told.push(['restart']) }, left: (code, reason) => told.push(['left', code, reason]),
    },
  })
  socket.open()
  await settled()
})

test('the token is no part of the address', () => {
  assert.equal(latest().url, 'ws://h/ws/chat?roomId=a%20b&userId=7')
  assert.deepEqual(latest().protocols, ['chat.v1', 'bearer.t0'])
})

test('a broken link is resumed from where the log is, with growing pauses', async () => {
  latest().say(ready(5))
  latest().say({ eventType: 'message', seq: 6 })
  lastSeq = 6
  for (const pause of [500, 1000, 2000]) {
    const count = FakeSocket.made.length
    latest().end(1006)
    await passed(pause - 1)
    assert.equal(FakeSocket.made.length, count)
    await passed(1)
    assert.equal(FakeSocket.made.length, count + 1)
    assert.match(latest().url, /&lastSeq=6$/)
  }
  latest().say(ready(9))
  latest().say({ eventType: 'caught_up', seq: 9 })
  assert.deepEqual(told.slice(-3), [['ready', true], ['state', 'catching_up'], ['state', 'live']])
  await passed(10_000)
  latest().end(1006)
  await passed(500)
  assert.equal(FakeSocket.made.length, 5, 'after a good connection the pause is short again')
})

test('a server that goes away says when to come back', async () => {
  latest().say(ready(5))
  latest().say({ eventType: 'reconnect', afterMs: 4321, reason: 'restart' })
  latest().end(1012)
  await passed(4320)
  assert.equal(FakeSocket.made.length, 1)
  await passed(1)
  assert.equal(FakeSocket.made.length, 2)
})

test('a token that is not taken is refreshed first', async () => {
  for (const code of [4401, 4408]) {
    const before = refreshes
    latest().say(ready(5))
    latest().end(code)
    await settled()
    assert.equal(refreshes, before + 1)
    await passed(30_000)
    assert.deepEqual(latest().protocols, ['chat.v1', `bearer.t${before + 1}`])
  }
})

test('a token that ends is replaced in place', async () => {
  latest().say(ready(5))
  latest().say({ eventType: 'token_expiring', expiresAt: '2026-11-24T15:58:09.000Z' })
  await settled()
  assert.deepEqual(latest().sent, [{ type: 'auth', token: 't1' }])
  assert.equal(FakeSocket.made.length, 1)
})

test('who may not be here leaves and does not come back', async () => {
  latest().end(4404, 'no such room')
  await passed(600_000)
  assert.deepEqual(told.at(-1), ['left', 4404, 'no such room'])
  assert.equal(FakeSocket.made.length, 1)
})

test('another log is read from the start; too many sockets wait', async () => {
  latest().say(ready(5))
  latest().end(4409)
  await passed(500)
  assert.doesNotMatch(latest().url, /lastSeq/)
  latest().end(4429)
  await passed(15_000)
  assert.equal(FakeSocket.made.length, 2)
  await passed(1000)
  assert.equal(FakeSocket.made.length, 3)
})

test('a link that died silently is found', async () => {
  latest().say(ready(5))
  await passed(25_000)
  assert.deepEqual(latest().sent, [{ type: 'ping' }])
  latest().say({ eventType: 'pong' })
  await passed(25_000)
  await passed(10_000)
  assert.deepEqual(told.at(-1), ['state', 'waiting'])
  assert.equal(latest().readyState, 3)
})

test('a handshake without an end is given up', async () => {
  await passed(15_000)
  await passed(500)
  assert.equal(FakeSocket.made.length, 2)
})

test('what an older socket says late is not heard', async () => {
  const first = latest()
  first.say(ready(5))
  first.end(1006)
  await passed(500)
  const count = told.length
  first.say({ eventType: 'message', seq: 6 })
  first.end(4404)
  assert.equal(told.length, count)
  assert.equal(socket.send({ type: 'ping' }), false, 'nothing is sent before the new one is open')
  socket.close()
  latest().say(ready(5))
  await passed(600_000)
  assert.equal(FakeSocket.made.length, 2)
})
