import assert from 'node:assert/strict'
import test from 'node:test'
import { Heights, names, parseRoute, routeTo, rows, strings } from './client.mjs'

const { rowsOf, isSameRow, readersOf } = rows
const DAY = 86_400_000
const noon = new Date(2026, 4, 4, 12).getTime()
const message = (seq, senderId, at, more = {}) => Object.freeze({
  key: `id:${seq}`, seq, messageId: seq, senderId, sentAt: new Date(at).toISOString(), contentJson: '{"text":"x"}', ...more,
})
const kinds = list => list.map(row => row.kind)

test('days, groups and the line before what is new', () => {
  const messages = [message(1, 2, noon), message(2, 2, noon + 60_000), message(3, 1, noon + 90_000), message(4, 2, noon + DAY), message(5, 2, noon + DAY + 1_000)]
  const made = rowsOf({ messages, userId: 1, newAfter: 2 })
  assert.deepEqual(kinds(made), ['day', 'message', 'message', 'message', 'day', 'new', 'message', 'message'])
  assert.deepEqual(made.filter(row => row.kind === 'message').map(row => row.follows), [false, true, false, false, true])
})

test('one\'s own messages are not new', () => {
  const made = rowsOf({ messages: [message(1, 2, noon), message(2, 1, noon)], userId: 1, newAfter: 1 })
  assert.ok(!kinds(made).includes('new'))
})

test('a message after five minutes, or a reply, begins a group', () => {
  const made = rowsOf({ messages: [message(1, 2, noon), message(2, 2, noon + 5 * 60_000), message(3, 2, noon + 5 * 60_000, { replyToMessageId: 1 })], userId: 1 })
  assert.deepEqual(made.filter(row => row.kind === 'message').map(row => row.follows), [false, false, false])
})

test('notices stand where they belong, and older ones than what is shown are left out', () => {
  const notice = seq => ({ seq, eventType: 'member_joined', at: new Date(noon).toISOString() })
  const made = rowsOf({ messages: [message(3, 2, noon), message(5, 2, noon)], notices: [notice(1), notice(4), notice(6)], userId: 1 })
  assert.deepEqual(made.map(row => row.key.replace(/^day.*/u, 'day')), ['day', 'id:3', 'notice:4', 'id:5', 'notice:6'])
})

test('keys are unique, also where clocks went back over midnight', () => {
  const messages = [message(1, 2, noon), message(2, 2, noon + DAY), message(3, 2, noon), message(4, 2, noon + DAY)]
  const keys = rowsOf({ messages, userId: 1 }).map(row => row.key)
  assert.equal(new Set(keys).size, keys.length)
})

test('a post that is not stored is one\'s own, and a row keeps its element while it looks the same', () => {
  const post = { state: 'queued', discard() {} }
  const make = () => {
    const [, row] = rowsOf({ messages: [message(undefined, undefined, noon, { key: 'own:a', post })], userId: 1 })
    return Object.assign(row, { extra: { post, state: 'queued', tools: ['copy'], quote: null } })
  }
  assert.ok(make().isOwn)
  assert.ok(isSameRow(make(), make()))
  const refused = make()
  refused.extra = { ...refused.extra, state: 'refused' }
  assert.ok(!isSameRow(make(), refused))
})

test('rows of 10,000 messages are made within a frame or two', () => {
  const messages = Array.from({ length: 10_000 }, (_, index) => message(index + 1, index % 7, noon + index * 60_000))
  rowsOf({ messages, userId: 1 })
  // The best of some tries: the machine has other work, too.
  const took = Array.from({ length: 8 }, () => {
    const start = performance.now()
    rowsOf({ messages, userId: 1, newAfter: 5_000 })
    return performance.now() - start
  })
  assert.ok(Math.min(...took) < 50, `${took} ms`)
})

test('who has read up to a message', () => {
  assert.deepEqual(readersOf(5, 1, new Map([[1, 9], [2, 5], [3, 4]])), [2])
})

test('heights: estimates are replaced by what was measured, and rows are found by their place', () => {
  const heights = new Heights(() => 10)
  heights.setRows(Array.from({ length: 100 }, (_, index) => ({ key: `k${index}` })))
  assert.equal(heights.total, 1_000)
  assert.ok(heights.measure([[0, 50], [1, 20]]))
  assert.ok(!heights.measure([[0, 50]]))
  assert.equal(heights.total, 1_050)
  assert.equal(heights.indexAt(0), 0)
  assert.equal(heights.indexAt(49), 0)
  assert.equal(heights.indexAt(50), 1)
  assert.equal(heights.indexAt(10_000), 99)
  assert.deepEqual(heights.range(60, 20, 0), { first: 1, end: 4 })
  heights.setRows([])
  assert.deepEqual(heights.range(0, 100, 0), { first: 0, end: 0 })
})

test('addresses of rooms', () => {
  assert.deepEqual(parseRoute('#/rooms/a.b-c_1'), { roomId: 'a.b-c_1' })
  assert.deepEqual(parseRoute('#/rooms/a/42'), { roomId: 'a', seq: 42 })
  assert.deepEqual(parseRoute('#lobby'), { roomId: 'lobby' })
  for (const hash of ['', '#', '#/rooms/', '#/rooms/a b', '#/rooms/%', '#/other', '#<script>']) assert.equal(parseRoute(hash), null, hash)
  assert.deepEqual(parseRoute(routeTo('a', 7)), { roomId: 'a', seq: 7 })
})

test('names: marks of direction are left out, blanks get words', () => {
  assert.equal(names.shownName('Eve\u202Egnp.exe', 'x'), 'Evegnp.exe')
  for (const blank of ['', '   ', '\u3164\u3164', '\u200b\u200d', '\u2800', null, undefined]) assert.equal(names.shownName(blank, 'User 5'), 'User 5')
  assert.equal(names.shownName(' شيماء ', 'x'), 'شيماء')
})

test('initials of names of all kinds', () => {
  for (const [name, expected] of [
    ['Alice', 'A'], ['alice b.', 'AB'], ['Ada Lovelace', 'AL'], ['김철수', '철수'], ['民', '民'], ['😀 smile', '😀S'], ['...', '.'], ['user_name', 'UN'], ['👨‍👩‍👧 x', '👨‍👩‍👧X'],
  ]) assert.equal(names.initials(name), expected, name)
})

test('no character is cut into halves', () => {
  assert.equal(names.firstCharacters('👨‍👩‍👧👍', 1), '👨‍👩‍👧')
  assert.equal(names.oneLine('a\n b', 5), 'a b')
  assert.equal(names.oneLine('😀😀😀', 2), '😀😀…')
})

test('language: the choice, else the first that there is', () => {
  assert.equal(strings.pickLanguage('auto', ['de-DE', 'ko-KR', 'en']), 'ko')
  assert.equal(strings.pickLanguage('auto', ['de']), 'en')
  assert.equal(strings.pickLanguage('ko', ['en']), 'ko')
  assert.equal(strings.pickLanguage('constructor', []), 'en')
})
