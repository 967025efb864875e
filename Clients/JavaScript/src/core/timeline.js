// The visible messages of a room: a window of the log without gaps, with edits and deletions applied; own posts without
// a place in the log come last. Pure.

const MOST_CHANGES_DURING_PAGE = 1_000
const EMPTY = Object.freeze([])

const contents = new WeakMap()
const prototype = Object.freeze(Object.create(Object.prototype, {
  content: {
    get() {
      if (!contents.has(this)) contents.set(this, parsed(this.contentJson))
      return contents.get(this)
    },
  },
}))

function parsed(text) {
  try { return Object.freeze(JSON.parse(text)) } catch { return undefined }
}

/** A frozen copy with `content`: `contentJson` parsed when it is first looked at. */
export const frozen = fields => Object.freeze(Object.assign(Object.create(prototype), fields))

const isChange = type => type === 'message_edited' || type === 'message_deleted'

export class Timeline {
  isAtEnd = true
  newerCount = 0
  #userId
  #keep
  /** The newest messages, up to the end. While the window is at the end it is the same array as `#shown`. */
  #tail = []
  #shown = this.#tail
  /** From this `seq` on every message is in `#shown`, or in `#tail`. */
  #start
  #tailStart
  #posts = EMPTY
  #through
  /** Changes that arrive while a page is loaded, which may have been read before them. */
  #changes = null
  #isPageStale = false
  #page
  #snapshot = null

  /** The stored events begin after the position `from` and end at `through`. */
  constructor({ userId, keep = 1_000, from, through = from, events = [] }) {
    this.#userId = userId
    this.#keep = keep
    this.begin(from)
    for (const event of events) this.take(event)
    this.#through = through
  }

  /** Drops everything: the log goes on after `seq`. */
  begin(seq) {
    this.#tail = this.#shown = []
    this.#start = this.#tailStart = seq + 1
    this.#through = seq
    this.isAtEnd = true
    this.newerCount = 0
    this.#changes = null
    this.#page = undefined
    this.#snapshot = null
  }

  get hasMore() { return this.#start > 1 }

  /** Frozen, the same object until something changes. */
  get messages() {
    if (this.#snapshot) return this.#snapshot
    const shown = [...this.#shown]
    if (this.isAtEnd) {
      const placed = post => post.seq !== undefined && post.seq <= this.#through
      const own = this.#posts.filter(post => !placed(post) && !this.#findOwn(post.clientMessageId))
      shown.push(...own.filter(post => post.seq !== undefined), ...own.filter(post => post.seq === undefined))
    }
    return this.#snapshot = shown.length === 0 ? EMPTY : Object.freeze(shown)
  }

  /** The own message with this key, if it is loaded. */
  ownMessage(key) { return this.#findOwn(key) }

  message(messageId) { return findId(this.#shown, messageId) ?? findId(this.#tail, messageId) }

  /** Takes the next event of the log. */
  take(event) {
    this.#through = event.seq
    if (event.eventType === 'message') this.#append(this.#entry(event))
    else if (isChange(event.eventType)) this.change(event)
  }

  /** A message has changed: by an event, or by the answer to an edit, which may come before its event. */
  change(event) {
    if (this.#changes && event.messageId !== undefined) {
      if (this.#changes.size < MOST_CHANGES_DURING_PAGE) this.#changes.set(event.messageId, event)
      else this.#isPageStale = true
    }
    for (const list of this.#tail === this.#shown ? [this.#tail] : [this.#tail, this.#shown]) {
      const at = list.findLastIndex(entry => entry.messageId === event.messageId)
      // Deleted messages stay deleted, and edited ones as edited last: an older change may follow, as the answer to a call.
      if (at < 0 || list[at].isDeleted || event.updatedAt < list[at].updatedAt) continue
      list[at] = this.#changed(list[at], event)
      this.#snapshot = null
    }
  }

  /** Own posts that the log may not have yet, in their order. */
  setPosts(posts) {
    if (posts.length === 0 && this.#posts.length === 0) return
    this.#posts = posts
    this.#snapshot = null
  }

  /** `{before, limit}` of the page to be fetched; `undefined` where there is nothing more, or one is under way. */
  loadOlder(limit) {
    if (!this.hasMore || this.#changes) return undefined
    this.#changes = new Map()
    this.#isPageStale = false
    return this.#page = { before: this.#start, limit }
  }

  /** Adds a page. Returns the page to request next, if this one is outdated. */
  page(items, hasMore, page = this.#page) {
    if (page === undefined || page !== this.#page || !this.#changes) return undefined
    if (this.#isPageStale) {
      this.#changes = null
      return this.loadOlder(page.limit)
    }
    const older = items.filter(item => item.seq < this.#start).sort((a, b) => a.seq - b.seq).map(item => {
      const change = this.#changes.get(item.messageId)
      const entry = this.#entry(item)
      return change && !item.isDeleted ? this.#changed(entry, change) : entry
    })
    this.#changes = null
    this.#page = undefined
    this.#start = hasMore && older.length > 0 ? older[0].seq : 1
    const shown = [...older, ...this.#shown]
    const surplus = shown.length - this.#keep
    if (surplus > 0) {
      this.isAtEnd = false
      this.newerCount += surplus
      shown.length = this.#keep
    }
    this.#shown = shown
    if (this.isAtEnd) { this.#tail = shown; this.#tailStart = this.#start }
    this.#snapshot = null
    return undefined
  }

  pageFailed() {
    this.#changes = null
    this.#page = undefined
  }

  toEnd() {
    if (this.isAtEnd) return
    this.pageFailed()
    this.#shown = this.#tail
    this.#start = this.#tailStart
    this.isAtEnd = true
    this.newerCount = 0
    this.#snapshot = null
  }

  #append(entry) {
    this.#tail.push(entry)
    if (this.#tail.length > this.#keep) {
      this.#tail.shift()
      this.#tailStart = this.#tail[0].seq
      if (this.isAtEnd) { this.#start = this.#tailStart; this.pageFailed() }
    }
    if (!this.isAtEnd) this.newerCount += 1
    else this.#snapshot = null
  }

  #entry(message) {
    const { eventType, ...fields } = message
    const isOwn = message.senderId === this.#userId && message.clientMessageId !== undefined
    return frozen({ key: isOwn ? ownKey(message.clientMessageId) : `id:${message.messageId}`, ...fields })
  }

  /** A change has a `seq` and a mark of its own; the message keeps its place. */
  #changed(entry, { contentJson, isEdited, isDeleted, updatedAt, messageType }) {
    const fields = { ...entry, contentJson, isEdited, isDeleted }
    if (updatedAt !== undefined) fields.updatedAt = updatedAt
    if (messageType !== undefined) fields.messageType = messageType
    return frozen(fields)
  }

  #findOwn(key) {
    const isIt = entry => entry.clientMessageId === key && entry.senderId === this.#userId
    return this.#tail.findLast(isIt) ?? (this.isAtEnd ? undefined : this.#shown.findLast(isIt))
  }
}

const findId = (list, messageId) => list.findLast(entry => entry.messageId === messageId)

/** A place in a log. */
export const positionOf = ({ seq, mark }) => mark === undefined ? { seq } : { seq, mark }

/** The `key` of one's own message, before and after it is stored. */
export const ownKey = clientMessageId => `own:${clientMessageId}`
