// State machine of the outbox: one attempt at a time per room, in the order stored; rooms are independent. Pure: each
// input returns the actions to perform, in order. A `keep` has to be written before the actions behind it are
// performed.

import { isForgotten, isOpen, isSameContent, keptPost, outcomeOf } from './kept-post.js'
import { positionOf } from './timeline.js'
import { LONGEST_ASKED_PAUSE_MS, Pauses, Timers } from './timers.js'

const REPEATED = new Set([401, 408, 425, 429])
/** Statuses after which the post is repeated, although this attempt certainly stored nothing. */
const NOT_STORED = new Set([401, 425, 429])
const MOST_SERVER_ERRORS = 20

export class OutboxQueue {
  /** By key, in the order kept: `{key, roomId, messageType, payload, replyToMessageId?, createdAt?, state, isTried, …}`. */
  posts = new Map()
  #timers
  #random
  #pauses = new Map()
  /** Rooms whose pause was asked for by the server. */
  #asked = new Set()
  #sending = new Map()
  #isSender
  #actions = []

  constructor({ now = 0, random = Math.random, posts = [], isSender = true } = {}) {
    this.#timers = new Timers(now)
    this.#random = random
    this.#isSender = isSender
    for (const post of posts) this.posts.set(post.key, restored(post))
  }

  get nextDeadline() { return this.#timers.next }

  timePassed(now) {
    this.#timers.advance(now, roomId => { this.#asked.delete(roomId); this.#next(roomId) })
    return this.#take()
  }

  /** Whether this process is the one that sends. */
  sender({ isSender }) {
    this.#isSender = isSender
    return this.#nextOfAll()
  }

  /** The network is back: pauses end, but for those that the server asked for. */
  wake() {
    for (const roomId of this.#pauses.keys()) if (!this.#asked.has(roomId)) this.#timers.clear(roomId)
    return this.#nextOfAll()
  }

  // What the application wants

  /** A new post, written first. A known key: with the same content it is the same post, with other content rejected. */
  add(post) {
    const known = this.posts.get(post.key)
    if (!known) {
      this.posts.set(post.key, { ...post, state: 'new', isTried: false })
      this.#do('keep', { key: post.key })
    } else if (!isSameContent(known, post)) {
      this.#do('rejected', { key: post.key, code: 'client_message_id_reused' })
    }
    return this.#take()
  }

  /** The store has it, with this payload: another process may have changed it before the attempt that is stored now. */
  kept({ key, payload }) {
    const post = this.posts.get(key)
    if (post && payload) post.payload = payload
    if (post?.state === 'new') {
      this.#set(post, 'queued')
      this.#next(post.roomId)
    }
    return this.#take()
  }

  /**
   * Changes a post that was never tried; else the message is edited once it is stored. `ifOpen`: the post before the
   * change, which is not made if the store shows that another process has begun to send it.
   */
  edit({ key, payload }) {
    const post = this.posts.get(key)
    const isChanged = post !== undefined && isOpen(post)
    if (isChanged) {
      const ifOpen = keptPost(post)
      post.payload = payload
      this.#do('keep', { key, ifOpen })
    }
    this.#do('edited', { key, isChanged })
    return this.#take()
  }

  /** Gives a post up. `isGone`: it is not stored and never will be. */
  discard({ key }) {
    const post = this.posts.get(key)
    if (post?.state === 'sending') post.isUnwanted = true
    else if (post && isOpen(post)) {
      this.#discard(post, post.state !== 'refused' || post.isCertain, keptPost(post))
      this.#next(post.roomId)
    } else this.#do('discarded', { key, isGone: false })
    return this.#take()
  }

  /** Sends a refused post again, after all others; tries a waiting one now. */
  retry({ key }) {
    const post = this.posts.get(key)
    if (post?.state === 'refused') {
      this.posts.delete(key)
      this.posts.set(key, post)
      post.error = post.isCertain = undefined
      post.serverErrors = 0
      this.#do('keep', { key, isLast: true })
      this.#set(post, 'queued')
    }
    if (post) { this.#timers.clear(post.roomId); this.#asked.delete(post.roomId); this.#next(post.roomId) }
    return this.#take()
  }

  // Answers

  answer({ key, status, code, isProblem = false, retryAfterMs, message }) {
    const post = this.posts.get(key)
    if (status < 500) this.#othersAnswered(key)
    if (this.#sending.get(post?.roomId) !== key) return this.#take()
    this.#sending.delete(post.roomId)
    if (status >= 200 && status < 300) {
      this.#stored(post, message)
    } else if (status >= 500 || REPEATED.has(status)) {
      post.isTried = !NOT_STORED.has(status) || post.wasTried
      post.isSuspect = status === 500 && isProblem
      this.#again(post, retryAfterMs)
      if (post.isSuspect && this.posts.has(key)) this.#do('probe', {})
    } else {
      const isCertain = !(post.wasTried && (status === 403 || status === 404))
      // Tried again it is as new.
      post.isTried = !isCertain
      if (post.isUnwanted) this.#discard(post, isCertain)
      else this.#refuse(post, { code, status }, isCertain)
      this.#answered(post.roomId)
    }
    return this.#take()
  }

  /** @param isUnsent the attempt ended before the request was sent, for want of a token or an address */
  noAnswer({ key, retryAfterMs, isUnsent = false }) {
    const post = this.posts.get(key)
    if (this.#sending.get(post?.roomId) !== key) return this.#take()
    this.#sending.delete(post.roomId)
    post.isTried = !isUnsent || post.wasTried
    this.#again(post, retryAfterMs)
    return this.#take()
  }

  /** Any other call of this client was answered below 500. */
  otherAnswered() {
    this.#othersAnswered()
    return this.#take()
  }

  /** The log shows one's own post. */
  logged({ key, ...message }) {
    const post = this.posts.get(key)
    // A pause that the server asked for (`Retry-After`) still holds.
    if (post) this.#stored(post, message, !this.#asked.has(post.roomId))
    return this.#take()
  }

  /** The store has the key for another message, of another process. */
  taken({ key }) {
    this.posts.delete(key)
    this.#do('rejected', { key, code: 'client_message_id_reused' })
    return this.#take()
  }

  /** Another process has settled it: `message` if it was stored. Here it may have been discarded meanwhile. */
  settled({ key, message }) {
    const post = this.posts.get(key)
    if (post || message?.seq) this.#settle(post ?? { key }, message)
    if (post) this.#next(post.roomId)
    return this.#take()
  }

  /** Another process has tried it, with an outcome that is not known. */
  triedElsewhere(key) {
    const post = this.posts.get(key)
    if (post) this.#markUncertain(post)
    return this.#take()
  }

  /**
   * The posts in the store, in order; other processes write there, too. `done` are the last posts that left it, with
   * `messageId` and `seq` if they were stored. Posts in `except` have unwritten changes, so the store is behind.
   */
  loaded({ posts = [], done = [], except = [] }) {
    const isExcepted = new Set(except), kept = new Set(posts.map(post => post.key))
    const order = []
    for (const post of posts) {
      const known = this.posts.get(post.key)
      if (isExcepted.has(post.key)) {
        if (known) order.push(known)
      } else if (!known) {
        const entry = restored(post)
        order.push(entry)
        this.#set(entry, entry.state)
      } else {
        order.push(known)
        if (known.state === 'new' || known.state === 'sending') continue
        known.payload = post.payload
        known.isTried = post.isTried
        known.error = post.error
        if (known.state !== post.state || known.isCertain !== post.isCertain) {
          known.isCertain = post.isCertain
          this.#set(known, post.state)
        }
      }
    }
    for (const post of this.posts.values()) {
      if (kept.has(post.key)) continue
      if (post.state !== 'new' && !isExcepted.has(post.key)) {
        const entry = outcomeOf(post.key, done)
        if (!isForgotten(entry, done)) { this.#settle(post, entry); continue }
        // This process was suspended while others sent so many posts that this one is no longer remembered. It is sent
        // again, and the server recognizes its key. A refused one is not: nobody has asked for another attempt.
        if (post.state !== 'refused') post.state = 'new'
        this.#markUncertain(post)
        this.#do('keep', { key: post.key })
      }
      order.push(post)
    }
    this.posts.clear()
    for (const post of order) this.posts.set(post.key, post)
    return this.#nextOfAll()
  }

  /** It may be stored, whatever is known of its own attempts. */
  #markUncertain(post) {
    post.isTried = post.wasTried = true
    if (post.state === 'refused') {
      post.isCertain = false
      this.#set(post, 'refused')
    }
  }

  #leave(post) {
    if (this.#sending.get(post.roomId) === post.key) this.#sending.delete(post.roomId)
    this.posts.delete(post.key)
  }

  #settle(post, message) {
    this.#leave(post)
    if (message?.seq) this.#do('post', { key: post.key, state: 'stored', ...message })
    if (!message?.seq || post.isUnwanted) this.#do('discarded', { key: post.key, isGone: !message?.seq })
  }

  #othersAnswered(key) {
    for (const post of [...this.posts.values()]) {
      if (!post.isSuspect || post.key === key) continue
      post.isSuspect = false
      post.serverErrors = (post.serverErrors ?? 0) + 1
      // Other calls are answered, so the post itself is the cause.
      if (post.serverErrors >= MOST_SERVER_ERRORS && post.state === 'queued') {
        this.#refuse(post, { code: 'server_error', status: 500, isTemporary: true }, true)
        this.#answered(post.roomId)
      }
    }
  }

  #stored(post, message, isAnswered = true) {
    this.#leave(post)
    const { messageId, seq } = message
    this.#do('keep', { key: post.key, done: { messageId, seq } })
    this.#do('post', { key: post.key, state: 'stored', messageId, ...positionOf(message) })
    if (post.isUnwanted) this.#do('discarded', { key: post.key, isGone: false })
    if (isAnswered) this.#answered(post.roomId)
  }

  #refuse(post, error, isCertain) {
    post.error = error
    post.isCertain = isCertain
    this.#do('keep', { key: post.key })
    this.#set(post, 'refused')
  }

  #discard(post, isGone, ifOpen) {
    this.posts.delete(post.key)
    // What no store ever had, no other process has sent.
    this.#do('keep', { key: post.key, done: post.state !== 'new' && null, ...ifOpen && { ifOpen } })
    this.#do('discarded', { key: post.key, isGone })
  }

  /** The server answered for this room: the next post is sent without a pause. */
  #answered(roomId) {
    this.#pauses.delete(roomId)
    this.#asked.delete(roomId)
    this.#timers.clear(roomId)
    this.#next(roomId)
  }

  #again(post, retryAfterMs) {
    if (!this.#pauses.has(post.roomId)) this.#pauses.set(post.roomId, new Pauses(this.#random))
    let pause = this.#pauses.get(post.roomId).next()
    if (retryAfterMs !== undefined) {
      pause = Math.min(retryAfterMs, LONGEST_ASKED_PAUSE_MS)
      this.#asked.add(post.roomId)
    }
    this.#timers.set(post.roomId, pause)
    if (post.isUnwanted) {
      post.isUnwanted = false
      if (!post.isTried) return this.#discard(post, true)
      this.#do('discarded', { key: post.key, isGone: false })
    }
    // As before the attempt: all processes may change it again.
    if (!post.isTried) this.#do('keep', { key: post.key })
    this.#set(post, 'queued')
  }

  #nextOfAll() {
    for (const roomId of new Set([...this.posts.values()].map(post => post.roomId))) this.#next(roomId)
    return this.#take()
  }

  #next(roomId) {
    if (!this.#isSender || this.#sending.has(roomId) || this.#timers.has(roomId)) return
    let next
    for (const post of this.posts.values()) if (post.roomId === roomId && post.state === 'queued') { next = post; break }
    if (!next) return
    this.#sending.set(roomId, next.key)
    // Written before the attempt: whichever process sends it after a crash must know.
    next.wasTried = next.isTried
    if (!next.isTried) {
      next.isTried = true
      this.#do('keep', { key: next.key })
    }
    this.#set(next, 'sending')
    this.#do('send', { key: next.key })
  }

  #set(post, state) {
    post.state = state
    const { error, isCertain } = post
    this.#do('post', { key: post.key, state, ...(state === 'refused' ? { ...error, isCertain } : {}) })
  }

  #do(name, value) { this.#actions.push({ [name]: value }) }

  #take() {
    const actions = this.#actions
    this.#actions = []
    return actions
  }
}

const restored = ({ state, ...post }) => ({ ...post, isTried: post.isTried ?? false, state: state === 'refused' ? state : 'queued' })
