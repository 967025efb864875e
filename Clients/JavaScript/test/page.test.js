// In a page: what the document and the window report.

import assert from 'node:assert/strict'
import test from 'node:test'
import { setUp } from './support/client.js'
import { fakeTime } from './support/time.js'

/** An `EventTarget` that counts its listeners. */
class Counted extends EventTarget {
  count = 0
  hidden = false
  addEventListener(...values) { this.count += 1; super.addEventListener(...values) }
  removeEventListener(...values) { this.count -= 1; super.removeEventListener(...values) }
  say(type) { this.dispatchEvent(new Event(type)) }
}

function page(t) {
  const document = new Counted(), window = new Counted()
  Object.assign(globalThis, { document, addEventListener: window.addEventListener.bind(window), removeEventListener: window.removeEventListener.bind(window) })
  t.after(() => { for (const name of ['document', 'addEventListener', 'removeEventListener']) delete globalThis[name] })
  const show = isVisible => { document.hidden = !isVisible; document.say('visibilitychange') }
  return { document, window, show }
}

const pings = server => server.frames.filter(frame => frame.type === 'ping').length

test('a hidden page does not ping, and one that comes back does at once', async t => {
  const time = fakeTime(t), { chat, server, states } = setUp(t), { show } = page(t)
  chat.start()
  await time.advance(100)
  show(false)
  await time.advance(600_000)
  assert.equal(pings(server), 0)
  assert.equal(chat.state, 'live')
  show(true)
  await time.advance(10)
  assert.equal(pings(server), 1)
  server.sockets[0].ignoresPings = true
  show(false)
  show(true)
  await time.advance(5_000)
  assert.ok(states.some(change => change.reason === 'dead'))
})

test('timers of a hidden page that are late are no sleep', async t => {
  const time = fakeTime(t), { chat, states } = setUp(t), { show } = page(t)
  chat.start()
  await time.advance(100)
  show(false)
  for (let minute = 0; minute < 20; minute += 1) await time.jump(60_000)
  assert.equal(chat.state, 'live')
  assert.equal(states.length, 3)
})

test('online and pageshow ping a live connection and end a pause', async t => {
  const time = fakeTime(t), { chat, server, states } = setUp(t), { window } = page(t)
  chat.start()
  await time.advance(100)
  window.say('online')
  // One ping answers for both.
  window.say('online')
  await time.advance(10)
  assert.equal(pings(server), 1)
  window.say('pageshow')
  await time.advance(10)
  assert.equal(pings(server), 2)
  server.accepts = false
  server.intercept = () => { throw new TypeError('network') }
  server.dropAll()
  await time.advance(60_000)
  while (chat.state !== 'offline') await time.advance(100)
  server.accepts = true
  server.intercept = undefined
  window.say('online')
  await time.advance(50)
  assert.equal(chat.state, 'live', JSON.stringify(states.slice(-3)))
})

test('no listener of the page is left after stop or close', async t => {
  const time = fakeTime(t), { chat } = setUp(t), { document, window } = page(t)
  for (let life = 0; life < 3; life += 1) {
    chat.start()
    chat.start()
    await time.advance(100)
    assert.deepEqual([document.count, window.count], [1, 2])
    chat.stop()
    assert.deepEqual([document.count, window.count], [0, 0])
  }
  chat.start()
  await time.advance(10)
  const closing = chat.close()
  await time.advance(2_000)
  await closing
  assert.deepEqual([document.count, window.count, time.timers.size], [0, 0, 0])
})
