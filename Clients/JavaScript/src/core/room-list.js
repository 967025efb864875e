// The user's rooms, newest activity first, with what is unread in them. Pure. Inputs return what became of the room.

import { positionOf } from './timeline.js'

const MOST_UNREAD = 1_000
/** Messages of others that are remembered per room, to count those after a count of the server. */
const MOST_COUNTED = 200
const EMPTY = Object.freeze([])

/** A row: `room` as the server has it, frozen; `activity` sorts; `counted` are messages of others `{seq, id, isDeleted}`. */
export class RoomList {
  /** The last cursor behind which everything is taken in. */
  cursor
  #rows = new Map()
  #userId
  #list = null
  /** Rooms that were named since the first piece of a list of all rooms. */
  #named = null

  constructor({ userId, cursor, rooms = [] } = {}) {
    this.#userId = userId
    this.cursor = cursor
    for (const { room, activity } of rooms) this.#put(room, activity)
  }

  setUser(userId) { this.#userId = userId }

  /** Frozen, the same object until something changes. */
  get list() {
    this.#list ??= Object.freeze([...this.#rows.values()]
      .sort((a, b) => (a.activity < b.activity ? 1 : a.activity > b.activity ? -1 : a.room.roomId < b.room.roomId ? 1 : -1))
      .map(row => row.room))
    return this.#list.length === 0 ? EMPTY : this.#list
  }

  /** What is kept together with `cursor`. */
  get kept() { return [...this.#rows.values()].map(({ room, activity }) => ({ room, activity })) }

  room(roomId) { return this.#rows.get(roomId)?.room }

  /** The position of the room's log up to which events were processed. */
  head(roomId) {
    const room = this.room(roomId)
    return room && headOf(room)
  }

  /** A new connection: an unfinished list of all rooms is dropped. */
  begin() { this.#named = null }

  /** A `rooms` frame. Returns the ids of rooms that are the user's no more. */
  rooms({ rooms = [], removed = [], isAll, isLast }) {
    if (isAll) this.#named ??= new Set()
    let activity = ''
    for (const room of [...rooms].reverse()) {
      activity = later(activity, this.#put(room, activity).activity)
      this.#named?.add(room.roomId)
    }
    const gone = removed.filter(id => this.#delete(id))
    if (isLast && this.#named) {
      for (const id of [...this.#rows.keys()]) if (!this.#named.has(id) && this.#delete(id)) gone.push(id)
      this.#named = null
    }
    return gone
  }

  added({ room }) {
    this.#put(room)
    this.#named?.add(room.roomId)
  }

  removed({ roomId }) { return this.#delete(roomId) }

  /** The log was set back. */
  reset({ room }) {
    this.#rows.delete(room.roomId)
    this.added({ room })
  }

  /** The log goes on behind `seq`: counts up to there come from the server. */
  skipped({ roomId, seq, mark }) {
    const row = this.#rows.get(roomId)
    if (row && row.room.lastSeq < seq) this.#change(row, { lastSeq: seq, mark })
  }

  /** Read on some device of the user, or another setting. Counts are as of `lastSeq`. */
  changed({ roomId, lastSeq, eventType, ...fields }) {
    const row = this.#rows.get(roomId)
    if (!row) return
    const { lastReadSeq = row.room.lastReadSeq, unreadCount } = fields
    const read = Math.max(lastReadSeq ?? 0, row.room.lastReadSeq ?? 0)
    if (unreadCount !== undefined) {
      const after = row.counted.filter(({ seq, isDeleted }) => seq > lastSeq && seq > read && !isDeleted).length
      fields.unreadCount = Math.min(unreadCount + after, MOST_UNREAD)
      row.countedThrough = Math.max(row.countedThrough, lastSeq ?? 0)
    }
    if (fields.lastReadSeq !== undefined) fields.lastReadSeq = read
    this.#change(row, fields)
  }

  /**
   * Marked as read here. Of the messages after `seq` only the known ones are counted, until the server sends a count.
   */
  read(roomId, seq) {
    const row = this.#rows.get(roomId)
    if (!row || seq <= (row.room.lastReadSeq ?? 0)) return
    const later = row.counted.filter(counted => counted.seq > seq && !counted.isDeleted).length
    const unreadCount = seq >= row.room.lastSeq ? 0 : Math.min(later, row.room.unreadCount ?? 0)
    this.#change(row, { lastReadSeq: seq, unreadCount })
  }

  /**
   * An event of a room's log: 'seen', 'gap', or 'taken'; 'unknown' where the room is not the user's. 'unsure': taken, but only
   * the server knows whether the message that it deletes was unread; see `deleted`.
   */
  event(event) {
    const row = this.#rows.get(event.roomId)
    if (!row) return 'unknown'
    const { room } = row
    if (event.seq <= room.lastSeq) return 'seen'
    if (event.seq !== room.lastSeq + 1) return 'gap'
    const fields = { lastSeq: event.seq, mark: event.mark }
    switch (event.eventType) {
      case 'message': {
        const { eventType, ...message } = event
        fields.lastMessage = Object.freeze(message)
        if (event.senderId === this.#userId) {
          Object.assign(fields, { lastReadSeq: event.seq, unreadCount: 0 })
          row.counted = []
        } else {
          const { seq, messageId: id, isDeleted } = event
          if (seq > row.countedThrough && !isDeleted) fields.unreadCount = Math.min((room.unreadCount ?? 0) + 1, MOST_UNREAD)
          row.counted.push({ seq, id, isDeleted })
          if (row.counted.length > MOST_COUNTED) row.counted.shift()
        }
        break
      }
      case 'message_edited':
      case 'message_deleted':
        if (room.lastMessage?.messageId === event.messageId) {
          const { contentJson, isEdited, isDeleted } = event
          fields.lastMessage = Object.freeze({ ...room.lastMessage, contentJson, isEdited, isDeleted })
        }
        break
      case 'member_joined': fields.memberCount = room.memberCount + 1; break
      case 'member_left': fields.memberCount = room.memberCount - 1; break
      case 'member_role_changed': if (event.role === 'owner') fields.ownerId = event.userId; break
      case 'room_updated': fields.name = event.name; break
      case 'room_archived': fields.archivedAt = event.at
    }
    const isActivity = event.eventType !== 'message_edited' && event.eventType !== 'message_deleted'
    if (isActivity) row.activity = later(row.activity, event.sentAt ?? event.at ?? '')
    this.#change(row, fields)
    return event.eventType === 'message_deleted' ? this.#uncount(row, event) : 'taken'
  }

  /**
   * A deleted message no longer counts as unread. An edit that marks a message as deleted is followed by its deletion.
   */
  #uncount(row, { roomId, messageId, senderId, seq: deletedAt }) {
    const at = row.counted.findIndex(counted => counted.id === messageId)
    if (at >= 0) {
      const [{ seq, isDeleted }] = row.counted.splice(at, 1)
      if (!isDeleted) this.deleted({ roomId, seq, deletedAt })
    } else if (senderId !== this.#userId && deletedAt > row.countedThrough && isCounting(row)) return 'unsure'
    return 'taken'
  }

  /** The message with this `seq` was deleted, by the event `deletedAt`. */
  deleted({ roomId, seq, deletedAt }) {
    const row = this.#rows.get(roomId)
    if (row && deletedAt > row.countedThrough && seq > (row.room.lastReadSeq ?? 0) && isCounting(row)) {
      this.#change(row, { unreadCount: row.room.unreadCount - 1 })
    }
  }

  #put(room, activity = '') {
    const known = this.#rows.get(room.roomId)
    const own = later(room.createdAt ?? '', room.lastMessage?.sentAt ?? '')
    const row = {
      room: Object.freeze(room), activity: later(later(own, activity), known?.activity ?? ''),
      counted: [], countedThrough: room.lastSeq ?? 0,
    }
    this.#rows.set(room.roomId, row)
    this.#list = null
    return row
  }

  #delete(roomId) {
    const isThere = this.#rows.delete(roomId)
    if (isThere) this.#list = null
    return isThere
  }

  #change(row, fields) {
    const room = { ...row.room, ...fields }
    for (const key of Object.keys(fields)) if (fields[key] === undefined) delete room[key]
    row.room = Object.freeze(room)
    this.#list = null
  }
}

/** The end of the log of a room as described by the server. */
export const headOf = ({ lastSeq, mark }) => positionOf({ seq: lastSeq, mark })

/** A count of 1,000 means "or more", so it cannot be decremented. */
const isCounting = ({ room: { unreadCount } }) => unreadCount > 0 && unreadCount < MOST_UNREAD

/** Times are texts of one form, so they compare as texts. */
const later = (a, b) => (a < b ? b : a)
