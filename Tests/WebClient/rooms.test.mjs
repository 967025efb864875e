import assert from 'node:assert/strict'
import test from 'node:test'
import {
  Drafts, GuestRoom, Originals, Preferences, RoomActivity, SafeStorage, matchingRooms, newlyUnread, noticeWords, postWords, roomName, strings, toolsOf,
} from './client.mjs'

const room = (roomId, name, more = {}) => ({ roomId, name, ...more })
const settle = () => new Promise(resolve => setImmediate(resolve))

/** A room of the library, as far as these parts use it. */
function fakeRoom() {
  const listeners = new Map()
  return {
    on: (type, listener) => { listeners.set(type, listener); return () => listeners.delete(type) },
    say: (type, value) => listeners.get(type)?.(value), listeners,
  }
}

test('rooms are found by words of their names: those that begin so first, in the order of the list', () => {
  const rooms = [room('a', 'My lobby'), room('b', 'Lobby'), room('c', 'Other'), room('d', '회의실 로비'), room('e', 'xlobby')]
  assert.deepEqual(matchingRooms(rooms, 'lob').map(each => each.roomId), ['b', 'a', 'e'])
  assert.deepEqual(matchingRooms(rooms, 'LOBBY my').map(each => each.roomId), ['a'])
  assert.deepEqual(matchingRooms(rooms, '로비').map(each => each.roomId), ['d'])
  assert.deepEqual(matchingRooms(rooms, 'zzz'), [])
})

test('a room without a name that can be seen is called by its id', () => {
  assert.equal(roomName(room('abc', '\u3164')), 'abc')
  assert.equal(roomName(undefined), '')
})

test('news is what others said since the last list, in rooms that were there', () => {
  const at = (seq, senderId, unreadCount) => room('a', 'A', { lastMessage: { seq, senderId }, unreadCount })
  const before = new Map([['a', at(5, 2, 1)]])
  assert.deepEqual(newlyUnread(before, [at(6, 2, 2)], 1).length, 1)
  assert.deepEqual(newlyUnread(before, [at(5, 2, 1)], 1), [])
  assert.deepEqual(newlyUnread(before, [at(6, 1, 1)], 1), [])
  assert.deepEqual(newlyUnread(before, [at(6, 2, 0)], 1), [])
  assert.deepEqual(newlyUnread(new Map(), [at(6, 2, 1)], 1), [])
})

test('typing ends by itself, when somebody says so, and with a message', t => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const source = fakeRoom(), clock = { now: 0 }
  let changes = 0
  const activity = new RoomActivity(source, { userId: 1, changed: () => { changes += 1 }, onMessage() {}, now: () => clock.now })
  source.say('typing', { userId: 2, typing: true })
  source.say('typing', { userId: 3, typing: true })
  source.say('typing', { userId: 1, typing: true })
  assert.deepEqual(activity.typists, [2, 3])
  source.say('event', { eventType: 'message', senderId: 2 })
  assert.deepEqual(activity.typists, [3])
  clock.now = 13_000
  t.mock.timers.tick(2_000)
  assert.deepEqual(activity.typists, [])
  assert.ok(changes >= 3)
  activity.close()
  assert.equal(source.listeners.size, 0)
})

test('notices and readers are bounded, and end with the log that they belong to', () => {
  const source = fakeRoom()
  const activity = new RoomActivity(source, { userId: 1, changed() {}, onMessage() {} })
  for (let seq = 1; seq <= 500; seq += 1) source.say('event', { eventType: 'member_joined', seq, userId: seq })
  for (let userId = 2; userId <= 3_000; userId += 1) source.say('read', { userId, lastReadSeq: 5 })
  source.say('read', { userId: 2, lastReadSeq: 3 })
  assert.equal(activity.notices.length, 200)
  assert.equal(activity.readBy.size, 1_000)
  assert.equal(activity.readBy.get(2), 5)
  source.say('reset', {})
  assert.equal(activity.notices.length + activity.readBy.size, 0)
  activity.close()
})

test('a room that one only looks at loads one page at a time, without a gap', async () => {
  const asked = []
  const api = {
    history: async (roomId, before) => {
      asked.push(before)
      await null
      return before === undefined ? { items: [{ messageId: 9, seq: 9 }, { messageId: 8, seq: 8 }], hasMore: true } : { items: [{ messageId: 7, seq: 7 }], hasMore: false }
    },
  }
  const guest = new GuestRoom(api, room('a', 'A'))
  assert.deepEqual(await Promise.all([guest.loadOlder(), guest.loadOlder()]), [true, true])
  assert.equal(await guest.loadOlder(), false)
  assert.equal(await guest.loadOlder(), false)
  assert.deepEqual(asked, [undefined, 8])
  assert.deepEqual(guest.messages.map(message => message.seq), [7, 8, 9])
})

test('a page that does not come can be asked for again', async () => {
  let fail = true
  const guest = new GuestRoom({ history: async () => { if (fail) throw new Error('gone'); return { items: [], hasMore: false } } }, room('a', 'A'))
  await assert.rejects(guest.loadOlder())
  fail = false
  assert.equal(await guest.loadOlder(), false)
})

test('the original of a reply is asked for once, and one that is not there is said', async () => {
  let asked = 0
  const originals = new Originals({ message: async id => { asked += 1; if (id === 2) throw Object.assign(new Error(), { status: 404 }); return { messageId: id } } }, () => {})
  assert.equal(originals.get(1, new Map()), undefined)
  originals.get(1, new Map())
  originals.get(2, new Map())
  await settle()
  assert.equal(originals.get(1, new Map()).messageId, 1)
  assert.equal(originals.get(2, new Map()), null)
  assert.equal(originals.get(3, new Map([[3, 'loaded']])), 'loaded')
  assert.equal(asked, 2)
})

test('what may be done with a message depends on whose it is, what it is, and where', () => {
  const message = { seq: 1, messageType: 'text', contentJson: '{"text":"x"}' }
  const tools = more => toolsOf({ message, isOwn: false, isManaged: false, canWrite: true, ...more }).join(' ')
  assert.equal(tools({}), 'reply copy copyLink')
  assert.equal(tools({ isOwn: true }), 'reply edit copy copyLink delete')
  assert.equal(tools({ isManaged: true }), 'reply copy copyLink delete')
  assert.equal(tools({ canWrite: false }), 'copy copyLink')
  assert.equal(tools({ message: { ...message, isDeleted: true } }), '')
  assert.equal(tools({ message: { ...message, seq: undefined }, isOwn: true, post: { state: 'queued' } }), 'edit copy')
  assert.equal(tools({ message: { ...message, seq: undefined }, isOwn: true, post: { state: 'sending' } }), 'copy')
})

test('a post that is not stored is said in words, also whether that is certain', () => {
  assert.equal(postWords({ state: 'queued' }), 'Waiting to be sent')
  assert.equal(postWords({ state: 'refused', error: { code: 'room_archived' } }), 'Not sent: The room is archived.')
  assert.match(postWords({ state: 'refused', error: { code: 'not_a_member' }, isCertain: false }), /may have been sent/u)
  assert.equal(postWords({ state: 'refused', error: { code: '__proto__', message: 'Odd' } }), 'Not sent: Odd')
})

test('names in sentences are isolated', () => {
  assert.equal(noticeWords({ eventType: 'member_left', userId: 2, actorId: 1 }, id => `N${id}`), '\u2068N1\u2069 removed \u2068N2\u2069')
  assert.equal(noticeWords({ eventType: 'room_updated', actorId: 1, name: 'New' }, id => `N${id}`), '\u2068N1\u2069 named the room \u2068New\u2069')
})

test('drafts belong to a user and a room, and empty ones are not kept', () => {
  const storage = new SafeStorage(() => null), drafts = new Drafts(storage, 1)
  drafts.set('a', 'text')
  drafts.set('b', '  ')
  assert.equal(drafts.get('a'), 'text')
  assert.equal(drafts.get('b'), '')
  assert.equal(new Drafts(storage, 2).get('a'), '')
  drafts.forget()
  assert.equal(drafts.get('a'), '')
})

test('choices have defaults, also where what is stored is none', () => {
  const storage = new SafeStorage(() => null)
  storage.set('chat.preferences', '[1')
  const preferences = new Preferences(storage)
  assert.equal(preferences.get('previews'), true)
  let changes = 0
  preferences.addEventListener('change', () => { changes += 1 })
  preferences.set('theme', 'dark')
  assert.equal(new Preferences(storage).get('theme'), 'dark')
  assert.equal(changes, 1)
})

test('errors are said by their code, else as the server says', () => {
  assert.equal(strings.errorText({ code: 'not_addable' }), 'This person does not let others add them.')
  assert.equal(strings.errorText({ code: 'odd', message: 'Server words' }), 'Server words')
  assert.equal(strings.errorText({ code: 'odd', isTemporary: true }), 'The server cannot be reached. Please try again.')
})
