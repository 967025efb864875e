// A room's log as far as it is known here. No DOM, no network: what comes in is put in its place, once.

/** How many events beyond a gap are kept; the log has the rest. */
const MOST_EARLY = 500

/**
 * `entries` are in `seq` order. A message is `{kind: 'message', key, seq, message}`, anything else that happened
 * `{kind: 'notice', key, seq, event}`. An entry is never changed but replaced, so a view can compare entries by identity.
 */
export class RoomLog {
  entries = []
  /** Everything up to here was taken, and nothing after it; `null` before the log began. */
  cursor = null
  /** Whether there are messages before the first of `entries`. */
  hasEarlier = true
  #early = new Map()
  #seqOfMessage = new Map()
  /** Changes to messages that are not here, for the page that is on its way and may have been read before them. */
  #changesDuringPage = null

  /** Live events begin after `seq`: the `ready` of a socket that was opened without `lastSeq`. */
  begin(seq) {
    this.entries = []
    this.cursor = seq
    this.hasEarlier = true
    this.#early.clear()
    this.#seqOfMessage.clear()
    this.#changesDuringPage = null
  }

  /**
   * Takes an event that has a `seq`. Returns the events that have their place now: none where it was seen before, or
   * where something before it is missing (`hasGap`). Then it is kept until the events after `cursor` have been taken.
   */
  take(event) {
    if (this.cursor === null || event.seq <= this.cursor) return []
    if (event.seq > this.cursor + 1) {
      if (this.#early.size < MOST_EARLY) this.#early.set(event.seq, event)
      return []
    }
    const placed = []
    for (let next = event; next; next = this.#early.get(this.cursor + 1)) {
      this.#early.delete(next.seq)
      this.#place(next)
      placed.push(next)
    }
    return placed
  }

  get hasGap() { return this.#early.size > 0 }

  /** Where a page that leads further back ends. */
  get before() { return this.entries.length === 0 ? null : this.entries[0].seq }

  /** Before a page is asked for. */
  expectPage() { this.#changesDuringPage = new Map() }

  /** Takes a page of history, `notices` being what else happened between its messages. */
  addPage(messages, hasMore, notices = []) {
    for (const message of messages) {
      const change = this.#changesDuringPage?.get(message.messageId)
      const entry = messageEntry(message.seq, message.isDeleted ? message : change ?? message)
      const known = this.#find(message.seq)
      // What came as an event is at least as new, but what is deleted stays so.
      if (known === undefined || message.isDeleted) this.#insert(entry)
    }
    for (const event of notices) if (this.#find(event.seq) === undefined) this.#insert(noticeEntry(event))
    this.hasEarlier = hasMore
    this.#changesDuringPage = null
  }

  /** Takes the answer to an edit, which may be here before its event. */
  change(message) {
    const seq = this.#seqOfMessage.get(message.messageId)
    if (seq === undefined) {
      this.#changesDuringPage?.set(message.messageId, message)
      return
    }
    const known = this.#find(seq).message
    if (!known.isDeleted) this.#insert(messageEntry(seq, message))
  }

  message(messageId) {
    const seq = this.#seqOfMessage.get(messageId)
    return seq === undefined ? undefined : this.#find(seq).message
  }

  /** Those of one's own posts that have no place in the log yet. */
  unplaced(posts, userId) {
    const placed = new Set()
    for (const { message } of this.entries) {
      if (message?.senderId === userId && message.clientMessageId) placed.add(message.clientMessageId)
    }
    return posts.filter(post => !placed.has(post.clientMessageId) && !this.#hasPassed(post))
  }

  #hasPassed(post) { return post.seq !== undefined && this.cursor !== null && post.seq <= this.cursor }

  #place(event) {
    this.cursor = event.seq
    switch (event.eventType) {
      case 'message': this.#insert(messageEntry(event.seq, event)); break
      case 'message_edited':
      case 'message_deleted': this.change(event); break
      case 'member_joined':
      case 'member_left':
      case 'member_role_changed':
      case 'room_updated':
      case 'room_archived': this.#insert(noticeEntry(event)); break
      // A newer server may know more; it has its number all the same.
    }
  }

  #insert(entry) {
    const at = this.#position(entry.seq)
    const isThere = this.entries[at]?.seq === entry.seq
    this.entries.splice(at, isThere ? 1 : 0, entry)
    if (entry.message) this.#seqOfMessage.set(entry.message.messageId, entry.seq)
  }

  #find(seq) {
    const entry = this.entries[this.#position(seq)]
    return entry?.seq === seq ? entry : undefined
  }

  /** Where `seq` is or would be. */
  #position(seq) {
    let low = 0, high = this.entries.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.entries[middle].seq < seq) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** A change comes with its own `seq`; the message keeps its place. */
const messageEntry = (seq, message) =>
  ({ kind: 'message', key: `m${message.messageId}`, seq, message: { ...message, seq } })
const noticeEntry = event => ({ kind: 'notice', key: `n${event.seq}`, seq: event.seq, event })
