// One room, as the application has it. The same object for the same id.

import { RoomLog } from './core/room-log.js'
import { frozen, positionOf } from './core/timeline.js'
import { pause } from './clock.js'
import { ChatError, Listeners, closedError, quiet } from './error.js'
import { RoomEvents } from './room-events.js'

const TYPING_MS = 2_000
/** Time limit for a connection that tells the room's position. */
const PLACE_MS = 20_000
const EMPTY = Object.freeze([])
const LIVE_SIGNALS = new Set(['typing', 'read'])

export class Room {
  #chat
  #listeners
  #shown = EMPTY
  #isStale = true
  #readers = new Set()
  #isUsed = false
  #opened
  #older
  /** Aborts the wait for the room's position. */
  #placing
  #isClosed = false
  #typedAt = -Infinity

  /** @param chat what rooms need of their `Chat`: the object of its `#forRooms` */
  constructor(chat, id) {
    this.#chat = chat
    this.id = id
    this.#listeners = new Listeners((error, type) => chat.reportListener(error, type))
  }

  get info() { return this.#chat.list().room(this.id) }
  get state() { return this.#log?.state ?? 'idle' }

  /** Frozen, the same array until something changes. */
  get messages() {
    this.#open()
    const intake = this.#chat.intake()
    const timeline = this.#log?.timeline
    // Changes that are being written are shown afterwards.
    if (this.#isStale && timeline && !intake.isKeeping) {
      this.#isStale = false
      timeline.setPosts(this.#chat.outbox().shown(this.id, this.#chat.userId()))
      this.#shown = timeline.messages
    }
    return this.#shown
  }

  get isAtEnd() { return this.#log?.timeline?.isAtEnd ?? true }
  get newerCount() { return this.#log?.timeline?.newerCount ?? 0 }
  /** Whether `loadOlder` would have something to load. */
  get hasMore() { return this.#log?.timeline?.hasMore ?? this.state !== 'gone' }

  /** 'event', 'message', 'typing', 'read', 'reset', 'skipped', 'gone'. Returns how to take the listener away. */
  on(type, listener) {
    const off = this.#listeners.on(type, listener)
    this.#open()
    if (LIVE_SIGNALS.has(type)) this.#chat.openSignals(this)
    return () => {
      off()
      if (LIVE_SIGNALS.has(type) && !this.wantsSignals) this.#chat.openSignals(this)
    }
  }

  get wantsSignals() { return this.#listeners.has('typing') || this.#listeners.has('read') }

  /** `listener()` after `messages`, `state` or what belongs to them has changed. */
  subscribe(listener) {
    const off = this.#listeners.on('change', () => listener())
    this.#open()
    return off
  }

  /**
   * Loads up to `limit` older messages, once the position of the room is known. Returns whether there are more.
   * Fails with `timeout` where that is not known within 20 s, `closed`, or what the call fails with.
   */
  loadOlder(limit = 50) {
    return this.#older ??= quiet(this.#loadOlder(limit).finally(() => { this.#older = undefined }))
  }

  toEnd() {
    this.#log?.timeline?.toEnd()
    this.show()
  }

  send(content, { key = newKey(), replyTo, messageType = 'text', payload = content } = {}) {
    if (typeof key !== 'string' || key.length < 1 || [...key].length > 64) throw new TypeError('key: 1 to 64 characters')
    // Throws here for half a character, and not where the store is written.
    encodeURIComponent(key)
    if (payload === null || typeof payload !== 'object') throw new TypeError('content: an object')
    const fields = {
      key, roomId: this.id, messageType, payload: copied(payload), replyToMessageId: replyTo, createdAt: new Date().toISOString(),
    }
    if (new TextEncoder().encode(JSON.stringify(fields)).length > 65_000) throw new ChatError('too_large', 'A message has at most 64 KiB')
    return this.#chat.outbox().post(fields, this.#log?.timeline?.ownMessage(key))
  }

  /** Uploads a file and sends a message that names it: see `files.js`, which is imported when it is needed. */
  sendFile(...values) { return quiet(this.#inFiles('sendFile', values)) }
  /** What the server knows of a file, with addresses that are good for a while. */
  file(...values) { return quiet(this.#inFiles('file', values)) }
  async #inFiles(name, values) { return (await import('./files.js'))[name](this, this.#chat, ...values) }

  /** Edits a message, or one's own post that is still waiting, by its key. */
  edit(id, content) { return quiet(this.#edit(id, content)) }
  delete(id) { return quiet(this.#delete(id)) }

  /** Marks the room as read up to `seq`: up to its end without one. Kept, and sent when that can be. */
  markRead(seq = Math.max(this.#log?.position?.seq ?? 0, this.info?.lastSeq ?? 0)) {
    if (seq > (this.info?.lastReadSeq ?? 0)) this.#chat.read(this.id, seq)
  }

  typing(typing = true) {
    const now = Date.now()
    if (typing && Math.abs(now - this.#typedAt) < TYPING_MS) return
    this.#typedAt = typing ? now : -Infinity
    this.#chat.send({ type: 'typing', roomId: this.id, typing })
  }

  leave() { return this.#chat.rest.call('system', 'POST', `/rooms/${this.id}/leave`) }

  members(cursor) { return this.#chat.rest.call('system', 'GET', `/rooms/${this.id}/members`, { query: { cursor } }) }

  /** Every event after a position, at the pace of the consumer. */
  events(options = {}) { return new RoomEvents(this, this.#chat, options) }

  // For the library alone

  get #log() { return this.#chat.intake()?.logs.get(this.id) }
  get #isPlaced() { return Boolean(this.#log?.timeline) || this.state === 'gone' }

  /** Something that is shown has changed. */
  show() {
    const log = this.#log
    if (log?.timeline) this.#chat.outbox().passed(this.id, log.position?.seq ?? Infinity)
    if (this.#isPlaced) this.#placing?.abort()
    this.#isStale = true
    this.#chat.soon(this, () => this.#listeners.emit('change'))
  }

  /** An action of the room's log. */
  hand(action) {
    const [[name, value]] = Object.entries(action)
    switch (name) {
      case 'event': {
        const { event } = value
        for (const { reading } of this.#readers) reading?.event(event)
        this.#listeners.emit('event', event)
        if (event.eventType === 'message') this.#listeners.emit('message', event)
        break
      }
      case 'signal':
        if (LIVE_SIGNALS.has(value.frame.eventType)) this.#listeners.emit(value.frame.eventType, value.frame)
        break
      case 'reset':
        for (const { reading } of this.#readers) reading?.reset()
        this.#chat.outbox().passed(this.id, Infinity)
        this.#listeners.emit('reset', Object.freeze(value))
        break
      case 'skipped':
        for (const { reading } of this.#readers) reading?.missed()
        this.#listeners.emit('skipped', Object.freeze(value))
        break
      case 'begin':
        // By value: further events may have moved the log on by now.
        for (const { reading } of this.#readers) reading?.head(value)
        break
      case 'gone':
        for (const { reading } of this.#readers) reading?.removed()
        this.#listeners.emit('gone', undefined)
        break
      case 'state':
        if (this.#log?.position) for (const { reading } of this.#readers) reading?.head(this.#log.position)
        this.show()
    }
  }

  attach(events) { this.#readers.add(events) }
  detach(events) { this.#readers.delete(events) }

  /** Calls `begin` with the log's position, queued among the frames. */
  async begin(begin) {
    await this.#open()
    return await this.#chat.job(() => begin(this.#log?.position ?? undefined))
  }

  position() { return this.begin(position => position) }

  close() {
    this.#isClosed = true
    this.#placing?.abort(closedError())
    for (const events of this.#readers) events.return()
    this.#listeners.clear()
  }

  /** The user's data were deleted. */
  forget() {
    this.#opened = undefined
    this.#shown = EMPTY
    this.show()
  }

  /** The chat starts, perhaps after `forget`: the log of a room in use is stored again. */
  start() { if (this.#isUsed) this.#open() }

  /** The room is used: from now on its log is stored. */
  #open() {
    this.#isUsed = true
    this.#opened ??= this.#chat.job(() => this.#load()).catch(error => {
      this.#opened = undefined
      this.#chat.report(error)
    })
    return this.#opened
  }

  async #load() {
    const intake = this.#chat.intake()
    const store = await this.#chat.store()
    await store.touch(this.id)
    const kept = await store.log(this.id)
    let log = intake.logs.get(this.id)
    const head = this.#chat.list().head(this.id)
    const last = kept && (kept.events.at(-1) ?? kept.from)
    if (!log) {
      // Stored by another process. A position behind what was received here would leave a gap.
      const position = last && (!head || last.seq >= head.seq) ? positionOf(last) : null
      log = new RoomLog({ userId: this.#chat.userId(), keep: this.#chat.keep, position })
      intake.logs.set(this.id, log)
    }
    // A stored log that ends before the position would leave a gap: the room is then shown from its head.
    if (log.position && last?.seq >= log.position.seq && kept.from.seq <= log.position.seq) {
      log.load(kept.from.seq, kept.events.filter(event => event.seq <= log.position.seq).map(frozen))
    }
    const actions = log.open(head)
    await intake.commit(this.id, [...actions, ...this.#chat.isConnected() ? log.syncing({ isNamed: false }) : []])
    this.show()
  }

  async #loadOlder(limit) {
    await this.#place()
    const page = await this.#chat.job(() => this.#log?.timeline?.loadOlder(limit))
    if (!page) return this.hasMore
    for (let asked = page; asked;) {
      let answer
      try {
        answer = await this.#chat.rest.call('messages', 'GET', `/rooms/${this.id}/messages`, { query: asked })
        if (!Array.isArray(answer?.items)) throw new ChatError('protocol', 'Not a message page', { isTemporary: true })
        asked = await this.#chat.job(() => this.#log?.timeline?.page(answer.items, answer.hasMore === true, asked))
      } catch (error) {
        this.#log?.timeline?.pageFailed()
        throw error
      }
    }
    this.show()
    return this.hasMore
  }

  /** Waits until the room's position is known. */
  async #place() {
    this.#open()
    if (this.#isPlaced) return
    if (this.#isClosed) throw closedError()
    const { signal } = this.#placing = new AbortController()
    await pause(PLACE_MS, signal)
    if (!this.#isPlaced) throw signal.reason ?? new ChatError('timeout', 'No room position', { isTemporary: true })
  }

  async #edit(id, content) {
    const payload = copied(content)
    if (typeof id === 'string') {
      const post = this.#chat.outbox().get(id)
      if (!post) throw new ChatError('not_stored', 'Unknown post')
      if (await this.#chat.outbox().edit(id, payload)) return
      id = (await post.stored).messageId
    }
    const message = await this.#chat.rest.call('messages', 'PATCH', `/messages/${id}`, { body: { payload } })
    await this.#change(message)
  }

  async #delete(id) {
    await this.#chat.rest.call('messages', 'DELETE', `/messages/${id}`)
    await this.#change({ messageId: id, isDeleted: true, contentJson: '{}', isEdited: true })
  }

  async #change(message) {
    await this.#chat.job(() => this.#log?.timeline?.change(message))
    this.show()
  }
}

/** The caller may change the object later. */
const copied = payload => JSON.parse(JSON.stringify(payload))

/** `crypto.randomUUID` exists only in secure contexts. */
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('')
}
