// The sources of the room view: own rooms from the chat library, and rooms that are only viewed.

/**
 * A room that is read without the library: a public room that the user has not joined, or any room while there is no
 * connection. It has the part of the library's `Room` that the view uses.
 */
export class GuestRoom {
  messages = Object.freeze([])
  isAtEnd = true
  newerCount = 0
  hasMore = true
  state = 'idle'
  isGuest = true
  #listeners = new Set()
  #loading = null

  constructor(api, info) { Object.assign(this, { api, info, id: info.roomId }) }

  on() { return () => {} }

  subscribe(listener) {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async loadOlder() {
    this.#loading ??= this.#load().finally(() => { this.#loading = null })
    return await this.#loading
  }

  toEnd() {}
  markRead() {}
  typing() {}

  async #load() {
    if (!this.hasMore) return false
    const { items, hasMore } = await this.api.history(this.id, this.messages[0]?.seq)
    const older = items.map(item => Object.freeze({ ...item, key: `id:${item.messageId}` })).sort((a, b) => a.seq - b.seq)
    this.messages = Object.freeze([...older, ...this.messages])
    this.hasMore = hasMore
    for (const listener of this.#listeners) listener()
    return hasMore
  }
}

/** Events that a room shows between its messages. */
const NOTICES = new Set(['member_joined', 'member_left', 'member_role_changed', 'room_updated', 'room_archived'])
const MOST_NOTICES = 200
const MOST_READERS = 1_000
const TYPING_MS = 12_000

/**
 * Activity in the open room besides its messages: who joined, who types, who has read. Bounded, and only since the room
 * was opened. Calls `changed()`.
 */
export class RoomActivity {
  notices = []
  readBy = new Map()
  #typists = new Map()
  #offs

  constructor(room, { userId, changed, onMessage, now = Date.now }) {
    Object.assign(this, { userId, changed, now })
    this.#offs = [
      room.on('event', event => {
        if (event.eventType === 'message') { this.#typists.delete(event.senderId); onMessage(event) }
        if (!NOTICES.has(event.eventType)) return
        this.notices = [...this.notices, event].slice(-MOST_NOTICES)
        if (event.eventType === 'member_left') this.readBy.delete(event.userId)
        changed()
      }),
      // All of it belongs to the previous log.
      room.on('reset', () => { this.notices = []; this.readBy.clear(); changed() }),
      room.on('typing', ({ userId: typist, typing }) => {
        if (typist === userId) return
        if (typing) this.#typists.set(typist, now())
        else this.#typists.delete(typist)
        changed()
      }),
      room.on('read', ({ userId: reader, lastReadSeq }) => {
        if (reader === userId || !(lastReadSeq > (this.readBy.get(reader) ?? 0))) return
        if (this.readBy.size < MOST_READERS || this.readBy.has(reader)) this.readBy.set(reader, lastReadSeq)
        changed()
      }),
    ]
    // The end of typing may be lost; servers end it after 10 s.
    this.timer = setInterval(() => {
      for (const [typist, at] of this.#typists) {
        if (now() - at < TYPING_MS) continue
        this.#typists.delete(typist)
        changed()
      }
    }, 2_000)
  }

  get typists() { return [...this.#typists.keys()] }

  close() {
    clearInterval(this.timer)
    for (const off of this.#offs) off()
  }
}

/** Original messages of replies, also those that are not loaded. Calls `changed()` when one has come. */
export class Originals {
  #found = new Map()
  #asked = new Set()

  constructor(api, changed) { Object.assign(this, { api, changed }) }

  /** The message, `null` where there is none any more, `undefined` while it is asked for. */
  get(messageId, loaded) {
    const message = loaded.get(messageId)
    if (message) return message
    if (!this.#asked.has(messageId)) this.#ask(messageId)
    return this.#found.get(messageId)
  }

  async find(messageId) {
    if (!this.#found.get(messageId)) await this.#ask(messageId)
    return this.#found.get(messageId)
  }

  async #ask(messageId) {
    this.#asked.add(messageId)
    if (this.#asked.size > 2_000) { this.#asked = new Set([messageId]); this.#found.clear() }
    try {
      this.#found.set(messageId, await this.api.message(messageId))
    } catch (error) {
      if (error.isTemporary) setTimeout(() => this.#asked.delete(messageId), 5_000)
      else this.#found.set(messageId, null)
    }
    this.changed()
  }
}

/** How long to wait for the room's position from the connection before the history is loaded without it. */
const CONNECTION_WAIT_MS = 300

/** Loads older messages of a room; none if the room's position is not known in time. */
export async function loadOlder(room, count) {
  const loading = room.loadOlder(count)
  loading.catch(() => {})
  await Promise.race([loading, new Promise(resolve => setTimeout(resolve, CONNECTION_WAIT_MS))])
  const isKnown = room.isGuest || room.state !== 'idle' || room.messages.length > 0
  if (isKnown) await loading
}
