// Everything that goes wrong at once, at random, with a seed that is in the test's name.

import assert from 'node:assert/strict'
import test from 'node:test'
import { MemoryStorage } from '../src/storage/memory-storage.js'
import { setUp } from './support/client.js'
import { FakeServer, problem } from './support/fake-server.js'
import { fakeTime, generator } from './support/time.js'

const SEEDS = Number(process.env.SEEDS ?? 5)
const FIRST = Number(process.env.FIRST_SEED ?? 1)
// Its messages arrive in real time, whatever the time of the test is.
globalThis.BroadcastChannel = undefined
const rejections = []
process.on('unhandledRejection', error => rejections.push(error))
test.after(() => assert.deepEqual(rejections, [], 'unhandled rejections'))

for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
  test(`chaos with seed ${seed}: nothing is lost, doubled or out of order`, async t => {
    const time = fakeTime(t, seed), random = generator(seed)
    const chance = share => random() < share
    const pick = list => list[Math.floor(random() * list.length)]
    const server = new FakeServer(), ids = ['a', 'b', 'c']
    for (const id of ids) server.room(id, { seq: 3 })
    let isCalm = false
    server.intercept = (method, path) => {
      if (isCalm || !chance(0.4)) return undefined
      return pick([() => { throw new TypeError('network') }, () => problem(503, 'unavailable', { 'Retry-After': '1' }), () => problem(500, 'internal_error'),
        () => new Response('<html>', { status: 200 }), () => problem(429, 'rate_limited'), () => problem(401, 'invalid_token'), () => new Promise(() => {})])()
    }
    server.afterPost = () => { if (!isCalm && chance(0.3)) throw new TypeError('the answer is lost') }
    const storage = new MemoryStorage()
    storage.isLasting = true
    const seen = new Map(), named = new Map(ids.map(id => [id, []])), kept = new Map(ids.map(id => [id, []]))
    let next = 0, life = 0, current
    const begin = () => {
      life += 1
      const { chat, errors } = setUp(t, { server, storage, userId: 1 })
      for (const id of ids) {
        const room = chat.room(id), events = []
        seen.set(`${id} ${life}`, events)
        room.on('event', event => events.push(event.seq))
        room.subscribe(() => { for (let index = 1; index < room.messages.length; index += 1) {
          const [before, after] = [room.messages[index - 1].seq ?? Infinity, room.messages[index].seq ?? Infinity]
          if (before > after) throw new Error('out of order')
        } })
        const read = async () => {
          for await (const event of room.events({ as: 'reader', after: 0 })) {
            named.get(id).push(event.seq)
            if (chance(0.2)) await new Promise(resolve => setTimeout(resolve, random() * 3_000))
          }
        }
        // The process before may still have the name.
        const readAgain = () => read().catch(error => { if (error.code === 'in_use') setTimeout(readAgain, 100) })
        readAgain()
      }
      chat.start()
      current = { chat, errors }
    }
    begin()
    for (let step = 0; step < 150; step += 1) {
      const id = pick(ids), { log } = server.rooms.get(id)
      pick([
        () => { for (let count = 0; count < 1 + random() * 20; count += 1) server.message(id, { text: `m${log.length}` }) },
        () => {
          const { seq, mark, ...message } = pick(log)
          if (message.eventType === 'message') server.event(id, { ...message, eventType: 'message_edited', contentJson: `{"text":"e${log.length}"}`, isEdited: true })
        },
        () => {
          const key = `k${next++}`
          current.chat.room(id).send({ text: key }, { key }).kept.then(() => kept.get(id).push(key), () => {})
        },
        () => server.dropAll(pick([1006, 1012, 1013, 4401, 4408, 4429])),
        () => server.say(pick(log)),
        () => { for (const socket of server.sockets) socket.sayText?.(pick(['<html>', '{}', '[]', '{"eventType":"future","roomId":"a"}', '{"eventType":"poll","roomId":"zzz","seq":4}'])) },
        () => { for (const socket of server.sockets) socket.ignoresPings = chance(0.5) },
        () => { server.accepts = chance(0.6) },
        () => current.chat.retryNow(),
        () => { current.chat.room(id).loadOlder(7).catch(() => {}) },
        () => { current.chat.room(id).markRead() },
        () => { if (chance(0.5)) { current.chat.stop(); current.chat.start() } },
        () => { if (chance(0.4)) { const old = current.chat; begin(); old.close() } },
      ])()
      await time.advance(random() ** 3 * 8_000)
    }
    isCalm = true
    server.accepts = true
    current.chat.retryNow()
    await time.advance(700_000)
    const { chat, errors } = current
    assert.equal(chat.state, 'live')
    assert.deepEqual(chat.outbox, [])
    assert.deepEqual(errors.filter(error => error.code !== 'protocol'), [])
    for (const id of ids) {
      const { log } = server.rooms.get(id)
      for (const [life, events] of seen) {
        if (life.startsWith(id)) assert.deepEqual(events, events.map((_, index) => events[0] + index), `events of ${life}`)
      }
      assert.equal(seen.get(`${id} ${life}`).at(-1) ?? log.length, log.length)
      const keys = log.filter(event => event.eventType === 'message' && event.clientMessageId).map(event => event.clientMessageId)
      assert.equal(new Set(keys).size, keys.length, 'stored once')
      assert.deepEqual(keys.filter(key => kept.get(id).includes(key)), kept.get(id), 'in the order kept')
      const readSeqs = named.get(id)
      assert.deepEqual([...new Set(readSeqs)].sort((a, b) => a - b), log.map(event => event.seq), 'the named reader has all')
      assert.ok(readSeqs.length - new Set(readSeqs).size <= life, 'the named reader repeats one event a life')
      const texts = new Map()
      for (const event of log) texts.set(event.messageId, JSON.parse(event.contentJson).text)
      const shown = chat.room(id).messages
      const first = Math.min(...[...seen].filter(([life]) => life.startsWith(id)).map(([, events]) => events[0] ?? Infinity))
      const known = log.filter(event => event.eventType === 'message' && event.seq >= first).length
      assert.ok(shown.length >= known, `${shown.length} of ${known} messages are kept`)
      assert.deepEqual(shown.map(message => message.content.text), [...texts.values()].slice(-shown.length), 'what is shown is the fold of the log')
      const info = chat.rooms.list.find(room => room.roomId === id)
      assert.equal(info.lastSeq, log.length)
    }
    const closing = chat.close()
    await time.advance(2_000)
    await closing
    assert.equal(time.timers.size, 0)
  })
}

for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
  test(`chaos of logs that are set back and rooms that are lost, with seed ${seed}: what is shown is the log of now`, async t => {
    const time = fakeTime(t, seed), random = generator(seed)
    const pick = list => list[Math.floor(random() * list.length)]
    const server = new FakeServer(), storage = new MemoryStorage()
    server.room('a', { seq: 5 })
    const isThere = () => server.rooms.has('a')
    let current, seen, logs = 0
    const begin = () => {
      current = setUp(t, { server, storage, userId: 1, maxMissed: 15 }).chat
      const mine = seen = [], room = current.room('a')
      room.on('event', event => mine.push(event))
      room.on('reset', ({ seq, mark }) => mine.push({ reset: true, seq, mark }))
      room.on('skipped', ({ through }) => mine.push({ reset: true, seq: through }))
      room.on('gone', () => mine.push({ gone: true }))
      current.start()
    }
    begin()
    let former
    for (let step = 0; step < 120; step += 1) {
      pick([
        () => { if (isThere()) for (let count = 0; count < random() * 12; count += 1) server.message('a', { text: `l${logs} ${server.rooms.get('a').log.length}` }) },
        () => server.dropAll(),
        () => current.retryNow(),
        () => { if (random() < 0.4) { const old = current; begin(); old.close() } },
        () => {
          // PostgreSQL comes back with another log: whoever is connected gets room_reset, the others find it.
          if (!isThere()) return
          server.logName = `log${++logs}`
          server.room('a', { seq: Math.floor(random() * 12) })
          const room = server.rooms.get('a')
          server.say({ eventType: 'room_reset', roomId: 'a', seq: room.log.length, mark: room.log.at(-1)?.mark, room: server.described(room) })
        },
        () => { if (isThere()) { former = server.rooms.get('a'); server.rooms.delete('a'); server.say({ eventType: 'room_removed', roomId: 'a', reason: 'removed' }) } },
        () => { if (!isThere()) { server.rooms.set('a', former); server.say({ eventType: 'room_added', room: server.described(former) }) } },
      ])()
      await time.advance(random() ** 3 * 4_000)
    }
    if (!isThere()) { server.rooms.set('a', former); server.say({ eventType: 'room_added', room: server.described(former) }) }
    current.retryNow()
    await time.advance(70_000)
    server.message('a', { text: 'last' })
    await time.advance(100)
    const { log } = server.rooms.get('a'), room = current.room('a')
    assert.equal(room.state, 'live')
    assert.equal(room.messages.at(-1)?.content.text, 'last')
    const marks = new Map(log.map(event => [event.seq, event.mark]))
    room.messages.forEach((message, index) => {
      assert.equal(message.mark, marks.get(message.seq), 'of the log of now')
      assert.equal(message.seq, room.messages[0].seq + index, 'no gap')
    })
    let before
    for (const event of seen) {
      if (event.gone) before = undefined
      else {
        if (!event.reset && before !== undefined) assert.equal(event.seq, before + 1, JSON.stringify(seen.map(({ seq, reset, gone, mark }) => ({ seq, reset, gone, mark }))))
        before = event.seq
      }
    }
    await current.room('a').loadOlder(100)
    assert.deepEqual(room.messages.map(message => message.mark), log.map(event => event.mark))
  })
}
