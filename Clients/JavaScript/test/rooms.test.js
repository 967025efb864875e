import assert from 'node:assert/strict'
import test from 'node:test'
import { MemoryStorage } from '../src/storage/memory-storage.js'
import { setUp } from './support/client.js'
import { FakeServer, problem, until } from './support/fake-server.js'
import { fakeTime } from './support/time.js'

const rejections = []
process.on('unhandledRejection', error => rejections.push(error))
test.after(() => assert.deepEqual(rejections, [], 'unhandled rejections'))

const texts = room => room.messages.map(message => message.content?.text)
const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

test('older messages come page by page and the window has no gap', async t => {
  const { chat, server, live } = setUp(t, { keep: 60 })
  server.room('a', { seq: 120 })
  const room = chat.room('a')
  await live()
  assert.equal(await room.loadOlder(50), true)
  assert.deepEqual(texts(room), numbers(71, 120).map(number => `t${number}`))
  const both = await Promise.all([room.loadOlder(50), room.loadOlder(50)])
  assert.deepEqual(both, [true, true])
  assert.equal(room.isAtEnd, false)
  assert.deepEqual(texts(room), numbers(21, 80).map(number => `t${number}`))
  server.message('a', { text: 'new' })
  await until(() => room.newerCount === 41)
  assert.equal(await room.loadOlder(50), false)
  assert.equal(texts(room)[0], 't1')
  room.toEnd()
  assert.equal(texts(room).at(-1), 'new')
  assert.equal(room.newerCount, 0)
})

test('what is asked for before it is known where the log is waits for that', async t => {
  const { chat, server, live } = setUp(t)
  server.room('a', { seq: 7 })
  const older = chat.room('a').loadOlder(5)
  await live()
  assert.equal(await older, true)
  assert.deepEqual(texts(chat.room('a')), numbers(3, 7).map(number => `t${number}`))
})

test('without a connection it waits for older messages 20 s, or until the chat is closed', async t => {
  const time = fakeTime(t)
  const { chat } = setUp(t)
  const room = chat.room('a')
  let ended
  room.loadOlder().catch(error => { ended = error.code })
  await time.advance(19_900)
  assert.equal(ended, undefined)
  await time.advance(200)
  assert.equal(ended, 'timeout')
  room.loadOlder().catch(error => { ended = error.code })
  await time.advance(10)
  const closing = chat.close()
  await time.advance(1_500)
  await closing
  assert.equal(ended, 'closed')
  await assert.rejects(room.loadOlder(), { code: 'closed' })
  assert.equal(time.timers.size, 0)
})

test('a room that one has been removed from has no older messages', async t => {
  const { chat, server, live } = setUp(t)
  server.room('a', { seq: 3 })
  await live()
  assert.equal(await chat.room('a').loadOlder(), false)
  server.say({ eventType: 'room_removed', roomId: 'a', reason: 'removed' })
  await until(() => chat.room('a').state === 'gone')
  assert.equal(await chat.room('a').loadOlder(), false)
  assert.deepEqual(chat.room('a').messages, [])
})

test('edits and deletions reach both ends of a window that is not at the end', async t => {
  const { chat, server, live } = setUp(t, { keep: 60 })
  server.room('a', { seq: 120 })
  const room = chat.room('a')
  await live()
  await room.loadOlder(50)
  await room.loadOlder(50)
  assert.equal(room.isAtEnd, false)
  const inWindow = room.messages[0], inTail = 219
  server.event('a', { eventType: 'message_deleted', messageId: inWindow.messageId, senderId: 2, contentJson: '{}', isDeleted: true })
  server.event('a', { eventType: 'message_edited', messageId: inTail, senderId: 2, contentJson: '{"text":"edited"}', isEdited: true })
  await until(() => room.messages[0].isDeleted)
  await until(() => room.info.lastSeq === 122)
  assert.ok(!texts(room).includes('edited'))
  room.toEnd()
  assert.equal(texts(room).at(-1), 'edited')
  assert.equal(room.isAtEnd, true)
  assert.ok(room.messages.length <= 60)
})

test('a page that fails is an error of the call, and the next call asks again', async t => {
  const { chat, server, live } = setUp(t)
  server.room('a', { seq: 5 })
  await live()
  const ways = [() => problem(503, 'unavailable'), () => new Response('<html>'), () => new Response('{"items": 1}'), () => { throw new TypeError('x') }]
  server.intercept = (method, path) => (path.endsWith('/rooms/a/messages') ? ways.shift()?.() : undefined)
  await assert.rejects(chat.room('a').loadOlder(), { code: 'unavailable' })
  await assert.rejects(chat.room('a').loadOlder(), { code: 'protocol' })
  await assert.rejects(chat.room('a').loadOlder(), { code: 'protocol' })
  await assert.rejects(chat.room('a').loadOlder(), { code: 'network' })
  assert.equal(await chat.room('a').loadOlder(), false)
  assert.equal(chat.room('a').messages.length, 5)
})

test('a log that was set back: reset with its position, nothing of the old one, and live again with the next event', async t => {
  const { chat, server, live, drop } = setUp(t)
  server.room('a', { seq: 3 })
  const room = chat.room('a')
  const seen = [], resets = []
  room.on('event', event => seen.push(event.mark))
  room.on('reset', reset => resets.push(reset))
  await live()
  server.message('a', { text: 'lost' }, { senderId: 1, clientMessageId: 'k' })
  await until(() => seen.length === 1)
  await drop()
  server.logName = 'other'
  server.room('a', { seq: 2 })
  chat.retryNow()
  await until(() => resets.length === 1)
  assert.equal(resets[0].seq, 2)
  assert.equal(resets[0].mark, 'other-a-2')
  assert.deepEqual(resets[0].lost.map(message => message.content.text), ['lost'])
  assert.deepEqual(texts(room), [])
  await until(() => room.state === 'reset')
  server.message('a', { text: 'x' })
  await until(() => room.state === 'live')
  assert.deepEqual(texts(room), ['x'])
  assert.deepEqual(seen, ['m-a-4', 'other-a-3'])
})

test('more missed than wanted: skipped, and what lies between is loaded when wanted', async t => {
  const { chat, server, live, drop } = setUp(t, { maxMissed: 10 })
  server.room('a', { seq: 3 })
  const room = chat.room('a'), skips = []
  room.on('skipped', skip => skips.push(skip))
  await live()
  server.message('a', { text: 'four' })
  await until(() => texts(room).length === 1)
  await drop()
  for (const number of numbers(5, 30)) server.message('a', { text: `t${number}` })
  chat.retryNow()
  await until(() => skips.length === 1)
  assert.deepEqual(skips, [{ after: 4, through: 30 }])
  assert.deepEqual(texts(room), [])
  await room.loadOlder(5)
  assert.deepEqual(texts(room), numbers(26, 30).map(number => `t${number}`))
})

test('removed: gone, nothing kept; added again: the same object from its head', async t => {
  const storage = new MemoryStorage()
  const { chat, server, live } = setUp(t, { storage })
  server.room('a', { seq: 3 })
  const room = chat.room('a'), gone = [], seen = []
  room.on('gone', () => gone.push(room.state))
  room.on('event', event => seen.push(event.seq))
  await live()
  server.message('a', { text: 'x' })
  await until(() => seen.length === 1)
  assert.ok(storage.keys('').some(key => key.includes('/log/a/')))
  server.say({ eventType: 'room_removed', roomId: 'a', reason: 'removed' })
  await until(() => gone.length === 1)
  assert.deepEqual(gone, ['gone'])
  assert.equal(storage.keys('').some(key => key.includes('/log/a/')), false)
  assert.equal(chat.rooms.list.length, 0)
  assert.equal(chat.room('a'), room)
  server.say({ eventType: 'room_added', room: server.described(server.rooms.get('a')) })
  await until(() => room.state === 'live')
  server.message('a', { text: 'y' })
  await until(() => seen.length === 2)
  assert.deepEqual(texts(room), ['y'])
})

test('an unread message from before this process that is deleted counts no more', async t => {
  const { chat, server, live } = setUp(t)
  const room = server.room('a', { seq: 3, lastReadSeq: 1, unreadCount: 2 })
  const [read, unread, missing] = room.log.map(event => event.messageId)
  await live()
  assert.equal(chat.room('a').info.unreadCount, 2)
  const asked = []
  server.intercept = (method, path) => {
    const id = method === 'GET' && Number(/^\/api\/v1\/messages\/(\d+)$/.exec(path)?.[1])
    if (!id) return undefined
    asked.push(id)
    return id === missing ? problem(503, 'unavailable') : Response.json({ messageId: id, roomId: 'a', seq: room.log.find(event => event.messageId === id).seq })
  }
  for (const messageId of [read, missing, unread]) server.event('a', { eventType: 'message_deleted', messageId, senderId: 2, contentJson: '{}', isDeleted: true })
  await until(() => chat.room('a').info.unreadCount === 1)
  assert.deepEqual(asked, [read, missing, unread])
})

test('lists are frozen and the same object until something changes; listeners are called once a turn', async t => {
  const { chat, server, live } = setUp(t)
  server.room('a')
  server.room('b')
  const room = chat.room('a')
  await live()
  await until(() => room.messages && room.state === 'live')
  let lists = 0, changes = 0
  chat.rooms.subscribe(() => { lists += 1 })
  room.subscribe(() => { changes += 1 })
  await new Promise(resolve => setTimeout(resolve, 20))
  lists = changes = 0
  const { list } = chat.rooms, { messages } = room
  assert.equal(chat.rooms.list, list)
  assert.equal(room.messages, messages)
  for (const number of numbers(1, 100)) server.message('a', { text: `t${number}` })
  await until(() => room.messages.length === 100)
  await new Promise(resolve => setTimeout(resolve, 5))
  assert.notEqual(room.messages, messages)
  assert.ok(lists <= 3 && changes <= 3, `${lists} ${changes}`)
  assert.throws(() => { room.messages.push(1) }, TypeError)
  assert.throws(() => { room.messages[0].seq = 7 }, TypeError)
  assert.throws(() => { chat.rooms.list[0].name = 'x' }, TypeError)
})

test('what is read offline is shown, kept and sent by the next process', async t => {
  const server = new FakeServer()
  server.room('a', { seq: 3, unreadCount: 3 })
  const storage = new MemoryStorage()
  const first = setUp(t, { server, storage, userId: 1 })
  await first.live()
  first.chat.stop()
  first.chat.room('a').markRead()
  assert.equal(first.chat.rooms.list[0].unreadCount, 0)
  await new Promise(resolve => setTimeout(resolve, 20))
  await first.chat.close()
  assert.equal(server.frames.some(frame => frame.type === 'read'), false)
  const second = setUp(t, { server, storage, userId: 1 })
  await second.live()
  assert.deepEqual(server.frames.filter(frame => frame.type === 'read'), [{ type: 'read', roomId: 'a', seq: 3 }])
  assert.equal(second.chat.rooms.list[0].unreadCount, 0)
  server.say({ eventType: 'room_changed', roomId: 'a', lastReadSeq: 3, unreadCount: 0, lastSeq: 3 })
  await until(() => !/"a"/.test(storage.get(storage.keys('').find(key => key.endsWith('/marks')))))
})

test('the logs of the last 50 rooms asked for are kept', async t => {
  const storage = new MemoryStorage()
  const { chat, server, live } = setUp(t, { storage })
  for (const number of numbers(1, 55)) server.room(`r${number}`)
  await live()
  for (const number of numbers(1, 55)) { chat.room(`r${number}`).subscribe(() => {}); await until(() => chat.room(`r${number}`).state === 'live') }
  server.message('r1', {})
  await until(() => chat.room('r1').messages.length === 1)
  const kept = storage.keys('').filter(key => key.endsWith('/head')).map(key => key.split('/').at(-2))
  assert.equal(kept.length, 50)
  assert.equal(kept.includes('r5'), false)
  assert.equal(kept.includes('r6'), true)
})

test('at most 50 rooms are open for typing', async t => {
  const { chat, server, live } = setUp(t)
  for (const number of numbers(1, 52)) server.room(`r${number}`)
  await live()
  const offs = numbers(1, 52).map(number => chat.room(`r${number}`).on('typing', () => {}))
  const open = new Set()
  for (const { type, roomId } of server.frames) { if (type === 'open') open.add(roomId); if (type === 'close') open.delete(roomId) }
  assert.equal(open.size, 50)
  const typed = []
  chat.room('r52').on('typing', event => typed.push(event.userId))
  server.say({ eventType: 'typing', roomId: 'r52', userId: 7, typing: true })
  await until(() => typed.length === 1)
  for (const off of offs) off()
})

test('a room that is listened to before one is a member is opened once one is, without an error', async t => {
  const { chat, server, errors, live } = setUp(t)
  await live()
  const opened = () => server.frames.filter(frame => frame.type === 'open' || frame.type === 'close').map(frame => frame.type + frame.roomId)
  const off = chat.room('a').on('typing', () => {})
  const other = chat.room('b').on('read', () => {})
  other()
  await until(() => chat.room('a').state === 'idle')
  assert.deepEqual(opened(), [])
  server.say({ eventType: 'room_added', room: server.described(server.room('a')) })
  server.say({ eventType: 'room_added', room: server.described(server.room('b')) })
  await until(() => opened().length > 0)
  off()
  await until(() => opened().length > 1)
  assert.deepEqual(opened(), ['opena', 'closea'])
  assert.deepEqual(errors, [])
})

test('many kept rooms are named in several frames', async () => {
  const { syncFrames } = await import('../src/sync-frames.js')
  const rooms = Object.fromEntries(numbers(1, 3_000).map(number => [`room-with-a-long-name-${number}`, { seq: number, mark: 'abcdefghijk' }]))
  const frames = syncFrames({ rooms, cursor: 'c', maxMissed: 100 })
  assert.ok(frames.length > 1)
  assert.ok(frames.every(frame => JSON.stringify(frame).length < 64 * 1024))
  assert.deepEqual(frames.map(frame => frame.more ?? false), [...Array(frames.length - 1).fill(true), false])
  assert.deepEqual(Object.assign({}, ...frames.map(frame => frame.rooms)), rooms)
  assert.equal(frames[0].cursor, 'c')
  assert.equal(frames[1].cursor, undefined)
})

test('after a death at any moment what is kept is the fold of a prefix, and nothing is missing or doubled', async t => {
  const server = new FakeServer()
  server.room('a', { seq: 2 })
  const snapshots = []
  class Recording extends MemoryStorage {
    write(changes, options) { super.write(changes, options); snapshots.push(new Map(this.keys('').map(key => [key, this.get(key)]))) }
  }
  const first = setUp(t, { server, storage: new Recording(), userId: 1 })
  first.chat.room('a').subscribe(() => {})
  await first.live()
  for (const number of numbers(1, 12)) {
    const { seq, mark, ...message } = server.message('a', { text: `n${number}` })
    if (number % 3 === 0) server.event('a', { ...message, eventType: 'message_edited', contentJson: '{"text":"edited"}', isEdited: true })
    if (number % 4 === 0) first.chat.room('a').send({ text: `own${number}` }, { key: `k${number}` })
    await new Promise(resolve => setTimeout(resolve, number % 2))
  }
  await until(() => first.chat.outbox.length === 0 && first.chat.room('a').messages.length === 15)
  await first.chat.close()
  const { log } = server.rooms.get('a')
  const fold = through => {
    const messages = new Map()
    for (const event of log.filter(({ seq }) => seq > 2 && seq <= through)) {
      messages.set(event.messageId, JSON.parse(event.contentJson).text)
    }
    return [...messages.values()]
  }
  assert.ok(snapshots.length > 20)
  for (const snapshot of snapshots) {
    const storage = new MemoryStorage()
    for (const [key, value] of snapshot) storage.set(key, value)
    const calls = server.calls.length
    const { chat, live } = setUp(t, { server, storage, userId: 1 })
    const room = chat.room('a'), seen = []
    room.on('event', event => seen.push(event.seq))
    room.subscribe(() => {})
    await new Promise(resolve => setTimeout(resolve, 4))
    const kept = room.messages.filter(message => message.messageId !== undefined)
    const isKept = [...snapshot.keys()].some(key => key.endsWith('/log/a/head'))
    if (isKept) assert.ok(numbers(2, log.length).some(seq => JSON.stringify(fold(seq)) === JSON.stringify(kept.map(message => message.content.text))), JSON.stringify(texts(room)))
    await live()
    await until(() => chat.outbox.length === 0)
    if (isKept) {
      await until(() => room.messages.length === 15)
      assert.deepEqual(texts(room), fold(log.length))
      assert.deepEqual(seen, numbers(log.length - seen.length + 1, log.length))
    }
    assert.ok(server.calls.slice(calls).filter(call => call.method === 'POST').length <= 3)
    assert.equal(log.length, server.rooms.get('a').log.length, 'nothing is stored twice')
    await chat.close()
  }
})
