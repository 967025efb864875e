// The open room: its log, fed by a socket and by history, and what the user does in it.

import { Backoff } from './backoff.js'
import { RoomLog } from './room-log.js'
import { RoomSocket } from './room-socket.js'
import { Typists, TypingSignal, BELIEVED_MS } from './typing.js'

const READ_EVERY_MS = 1_000
/** Pages of events that are looked through for what else happened around one page of messages. */
const NOTICE_PAGES = 5
const MEMBER_PAGES = 5
const noticeTypes = new Set(['member_joined', 'member_left', 'member_role_changed', 'room_updated', 'room_archived'])

/** Says 'change', 'happened' with each new event as its `detail`, 'read', and 'left' with a reason. */
export class Room extends EventTarget {
  log = new RoomLog()
  /** Of the socket; see `RoomSocket`. */
  state = 'connecting'
  isLoading = false
  /** Why there is no history, or an old one. */
  trouble = null
  members = []
  /** How far the others have read. */
  readBy = new Map()
  #typists = new Typists()
  #signal = new TypingSignal()
  #pageBackoff = new Backoff()
  #isFilling = false
  #isClosed = false
  #timers = new Set()
  /** How often the log was begun: an answer for another one is of no use. */
  #begun = 0
  #readSeq
  #maySayRead = true

  constructor({ room, api, session, outbox, sockets }) {
    super()
    Object.assign(this, { room, api, outbox, userId: session.userId })
    this.#readSeq = room.lastReadSeq ?? 0
    this.socket = new RoomSocket({
      url: sockets, roomId: room.roomId, session, lastSeq: () => this.log.cursor,
      events: {
        ready: (ready, isResumed) => { if (!isResumed) this.#begin(ready.seq) },
        event: event => this.#take(event),
        state: state => this.#changeState(state),
        restart: () => { this.log = new RoomLog() },
        left: (code, reason) => this.#left(reason),
      },
    })
    this.changed = () => this.dispatchEvent(new Event('change'))
    this.posted = () => { this.#tidy(); this.changed() }
    outbox.addEventListener('change', this.posted)
  }

  open() {
    this.socket.open()
    this.loadMembers()
  }

  close() {
    this.stopTyping()
    this.#isClosed = true
    this.socket.close()
    this.outbox.removeEventListener('change', this.posted)
    for (const timer of this.#timers) clearTimeout(timer)
  }

  get isArchived() { return this.room.archivedAt !== undefined }
  get role() { return this.members.find(member => member.userId === this.userId)?.role ?? 'member' }
  get isManaged() { return this.role !== 'member' }
  get typists() { return this.#typists.at(Date.now()) }

  /** One's own posts that the log does not show yet. */
  get posts() {
    const posts = this.outbox.of(this.room.roomId)
    return this.log.unplaced(posts, this.userId)
  }

  // What the user does

  post(text, replyToMessageId) {
    // Said, too, so that the server does not take what is typed next for what it has passed on already.
    this.stopTyping()
    this.outbox.add(this.room.roomId, text, replyToMessageId)
  }

  async edit(message, text) {
    this.log.change(await this.api.edit(message.messageId, text))
    this.changed()
  }

  /** The event that says so makes it a tombstone. */
  remove(message) { return this.api.remove(message.messageId) }

  write() { if (this.#signal.write(Date.now())) this.socket.send({ type: 'typing', typing: true }) }

  stopTyping() { if (this.#signal.stop()) this.socket.send({ type: 'typing', typing: false }) }

  /** All that is here was seen. */
  see() {
    const seq = this.log.cursor
    if (this.state !== 'live' || seq === null || seq <= this.#readSeq || !this.#maySayRead) return
    if (!this.socket.send({ type: 'read', seq })) return
    this.#readSeq = seq
    this.#maySayRead = false
    // The view looks again with the change, should there be more by then.
    this.#after(READ_EVERY_MS, () => { this.#maySayRead = true; this.changed() })
    this.dispatchEvent(new Event('read'))
  }

  async loadEarlier() {
    if (this.isLoading || this.log.cursor === null || !this.log.hasEarlier) return
    const { log } = this, begun = this.#begun
    this.isLoading = true
    this.changed()
    try {
      log.expectPage()
      const before = log.before ?? log.cursor + 1
      const page = await this.api.history(this.room.roomId, before)
      const notices = await this.#noticesAround(page, before)
      if (begun === this.#begun) log.addPage(page.items, page.hasMore, notices)
      this.trouble = null
      this.#pageBackoff.reset()
    } catch (error) {
      this.trouble = error.message
      if (error.isTemporary) this.#after(this.#pageBackoff.next(), () => this.loadEarlier())
    }
    this.isLoading = false
    this.changed()
    if (begun !== this.#begun) this.loadEarlier()
  }

  async loadMembers() {
    try {
      let members = [], cursor
      for (let page = 0; page < MEMBER_PAGES && (page === 0 || cursor); page += 1) {
        const answer = await this.api.members(this.room.roomId, cursor)
        members = members.concat(answer.items)
        cursor = answer.nextCursor
      }
      this.members = members
      for (const member of members) this.#noteRead(member.userId, member.lastReadSeq)
      this.changed()
    } catch { /* Names and roles come with the next change of members. */ }
  }

  // What happens in the room

  #begin(seq) {
    this.#begun += 1
    this.log.begin(seq)
    this.loadEarlier()
  }

  #changeState(state) {
    this.state = state
    this.changed()
  }

  #take(event) {
    if (event.seq === undefined) this.#pass(event)
    else this.#place(event)
    this.changed()
  }

  #place(event) {
    for (const placed of this.log.take(event)) this.#happened(placed)
    if (this.log.hasGap) this.#fill()
    this.#tidy()
  }

  /** Posts that the log shows are on their way no more. */
  #tidy() {
    const waiting = new Set(this.posts)
    for (const post of this.outbox.of(this.room.roomId)) {
      if (post.state === 'sent' && !waiting.has(post)) this.outbox.remove(post.clientMessageId)
    }
  }

  #happened(event) {
    this.dispatchEvent(new CustomEvent('happened', { detail: event }))
    switch (event.eventType) {
      case 'message':
        this.#typists.note(event.senderId, false, Date.now())
        this.#noteRead(event.senderId, event.seq)
        break
      case 'room_updated': this.room = { ...this.room, name: event.name }; break
      case 'room_archived': this.room = { ...this.room, name: event.name, archivedAt: event.at }; break
      case 'member_joined':
      case 'member_left':
      case 'member_role_changed': this.loadMembers(); break
    }
  }

  #pass(event) {
    if (event.eventType === 'read') this.#noteRead(event.userId, event.lastReadSeq)
    if (event.eventType === 'typing' && event.userId !== this.userId) {
      this.#typists.note(event.userId, event.typing, Date.now())
      this.#after(BELIEVED_MS + 50, this.changed)
    }
  }

  #noteRead(userId, seq) { if (seq > (this.readBy.get(userId) ?? 0)) this.readBy.set(userId, seq) }

  /** Fetches what is missing before an event that came too early. */
  async #fill() {
    if (this.#isFilling) return
    this.#isFilling = true
    const backoff = new Backoff()
    for (const { log } = this; log === this.log && log.hasGap && !this.#isClosed; ) {
      try {
        const { items } = await this.api.events(this.room.roomId, log.cursor)
        if (log === this.log) for (const event of items) this.#place(event)
        this.changed()
      } catch (error) {
        if (!error.isTemporary) break
      }
      if (log.hasGap) await new Promise(resolve => this.#after(backoff.next(), resolve))
    }
    this.#isFilling = false
  }

  /** What else happened between these messages; edits and deletions show in the messages themselves. */
  async #noticesAround(page, before) {
    const first = page.hasMore ? Math.min(...page.items.map(message => message.seq)) : 1
    if (before - first === page.items.length) return []
    let after = first - 1, notices = []
    for (let pages = 0; pages < NOTICE_PAGES && after < before - 1; pages += 1) {
      const answer = await this.api.events(this.room.roomId, after)
      notices = notices.concat(
        answer.items.filter(event => event.seq < before && noticeTypes.has(event.eventType)))
      if (!answer.hasMore) break
      after = answer.nextAfter
    }
    return notices
  }

  #left(reason) {
    this.close()
    this.dispatchEvent(new CustomEvent('left', { detail: reason }))
  }

  #after(milliseconds, act) {
    if (this.#isClosed) return
    const timer = setTimeout(() => { this.#timers.delete(timer); act() }, milliseconds)
    this.#timers.add(timer)
  }
}
