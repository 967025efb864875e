import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RoomLog } from './client.mjs'

const me = 1, other = 2
const message = (seq, text = `text ${seq}`, more = {}) => ({
  eventType: 'message', seq, messageId: 100 + seq, roomId: 'r', senderId: other, messageType: 'text',
  contentJson: JSON.stringify({ text }), sentAt: '2026-11-24T15:56:59.008Z', isEdited: false, isDeleted: false, ...more,
})
const change = (seq, of, text, more = {}) =>
  message(of, text, { eventType: 'message_edited', seq, messageId: 100 + of, isEdited: true, ...more })
const joined = seq => ({ eventType: 'member_joined', seq, roomId: 'r', userId: 3, actorId: 3, at: '2026-11-24T15:56:59.008Z' })
const texts = log => log.entries.map(entry => entry.event?.eventType ?? JSON.parse(entry.message.contentJson).text)
const seqs = log => log.entries.map(entry => entry.seq)

function begun(at = 0) {
  const log = new RoomLog()
  log.begin(at)
  return log
}

test('events are placed in order, whatever order they come in, each once', () => {
  const log = begun(10)
  const orders = [[11, 12, 13, 14], [14, 13, 12, 11], [12, 11, 11, 14, 12, 13, 14, 9, 10]]
  for (const order of orders) {
    const log = begun(10)
    const placed = order.flatMap(seq => log.take(message(seq))).map(event => event.seq)
    assert.deepEqual(placed, [11, 12, 13, 14])
    assert.deepEqual(seqs(log), [11, 12, 13, 14])
    assert.equal(log.cursor, 14)
    assert.equal(log.hasGap, false)
  }
  assert.deepEqual(log.take(message(13)), [])
  assert.equal(log.hasGap, true)
  assert.equal(log.cursor, 10, 'nothing behind a gap counts as taken')
  assert.deepEqual(seqs(log), [])
})

test('nothing is taken before the log began', () => {
  assert.deepEqual(new RoomLog().take(message(1)), [])
})

test('an edit and a deletion change the message and keep its place', () => {
  const log = begun()
  for (const seq of [1, 2]) log.take(message(seq))
  const before = log.entries
  const [first, second] = before
  log.take(change(3, 1, 'new'))
  assert.deepEqual(texts(log), ['new', 'text 2'])
  assert.notEqual(log.entries[0], first, 'an entry that changed is another object')
  assert.equal(log.entries[1], second)
  log.take(change(4, 2, '', { eventType: 'message_deleted', contentJson: '{}', isDeleted: true }))
  assert.equal(log.entries[1].message.isDeleted, true)
  assert.deepEqual(seqs(log), [1, 2])
  assert.equal(log.cursor, 4)
  log.change(change(2, 2, 'back from the dead'))
  assert.equal(log.entries[1].message.isDeleted, true)
})

test('what else happened has its own entries, and what is not known only its number', () => {
  const log = begun()
  log.take(joined(1))
  log.take({ eventType: 'from_the_future', seq: 2 })
  log.take(message(3))
  assert.deepEqual(texts(log), ['member_joined', 'text 3'])
  assert.equal(log.cursor, 3)
})

test('pages of history go before what is there, without doubles', () => {
  const log = begun(7)
  log.take(message(8))
  log.expectPage()
  assert.equal(log.before, 8)
  log.addPage([message(6), message(4), message(8, 'old')], true, [joined(5)])
  assert.deepEqual(texts(log), ['text 4', 'member_joined', 'text 6', 'text 8'])
  assert.equal(log.before, 4)
  assert.equal(log.hasEarlier, true)
  log.expectPage()
  log.addPage([message(2)], false)
  assert.deepEqual(seqs(log), [2, 4, 5, 6, 8])
  assert.equal(log.hasEarlier, false)
})

test('a change that overtakes a page is not lost, and a tombstone is not undone', () => {
  const log = begun(3)
  log.expectPage()
  log.take(change(4, 2, 'edited'))
  log.take(change(5, 3, 'edited'))
  log.addPage([message(3, '', { contentJson: '{}', isDeleted: true }), message(2, 'as it was')], false)
  assert.deepEqual(texts(log), ['edited', undefined])
  assert.equal(log.message(103).isDeleted, true)
  assert.equal(log.message(102).seq, 2)
})

test('a change of a message that nobody asked for is forgotten', () => {
  const log = begun(3)
  log.take(change(4, 2, 'edited'))
  log.expectPage()
  log.addPage([message(2, 'newer than that edit')], false)
  assert.deepEqual(texts(log), ['newer than that edit'])
})

test('a post is on its way until the log shows it', () => {
  const log = begun(5)
  const posts = [{ clientMessageId: 'a' }, { clientMessageId: 'b', seq: 7 }, { clientMessageId: 'c', seq: 3 }]
  const waiting = () => log.unplaced(posts, me).map(post => post.clientMessageId)
  assert.deepEqual(waiting(), ['a', 'b'], 'what the log has passed is in it, loaded or not')
  log.take(message(6, 'x', { senderId: other, clientMessageId: 'a' }))
  assert.deepEqual(waiting(), ['a', 'b'], 'keys of others are none of ours')
  log.take(message(7, 'x', { senderId: me, clientMessageId: 'b' }))
  assert.deepEqual(waiting(), ['a'])
  log.take(message(8, 'x', { senderId: me, clientMessageId: 'a' }))
  assert.deepEqual(waiting(), [])
})

test('a restart forgets everything', () => {
  const log = begun(5)
  log.take(message(6))
  log.take(message(9))
  log.begin(2)
  assert.deepEqual([log.entries, log.cursor, log.hasGap, log.hasEarlier], [[], 2, false, true])
  assert.equal(log.message(106), undefined)
})
