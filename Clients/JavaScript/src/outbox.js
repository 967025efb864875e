// The outbox: stores posts, and sends them if this process is the elected sender.

import { isSameContent, keptPost } from './core/kept-post.js'
import { OutboxQueue } from './core/outbox.js'
import { Clock } from './clock.js'
import { Election } from './election.js'
import { ChatError, closedError, deferred, quiet } from './error.js'
import { Post, attempt, probe } from './post.js'

/** The pause before changes that could not be written are written with the next step. */
const KEEP_AGAIN_MS = 1_000

const discardedError = () => new ChatError('not_stored', 'The post was discarded')

export class Outbox {
  #list = null
  #clock = new Clock()
  #queue = new OutboxQueue({ now: this.#clock.now(), isSender: false })
  /** By key: the posts of the queue, and stored posts that the log of their room does not show yet. */
  #posts = new Map()
  #stored = new Set()
  #context
  #timer
  #discarding = new Map()
  #isRunning = false
  #election
  /** Key → number of changes of the post that are not written yet. */
  #unkept = new Map()
  /** `keep` actions that are not written yet, and the actions behind them. */
  #waiting = []
  #last = Promise.resolve()
  #isClosed = false

  /**
   * @param context `{rest, kept, channelName(), store(): Promise, isShown(roomId)}` and the hooks `onChange(roomId)`, `onEnd(post)`,
   *   `onError(error)`
   */
  constructor(context) {
    this.#context = context
    this.#election = new Election({
      ...context,
      onChange: () => this.load(),
      onElected: async isCurrent => {
        await this.load()
        this.#run(this.#queue.sender({ isSender: isCurrent() }))
      },
      onDeposed: () => this.#run(this.#queue.sender({ isSender: false })),
    })
  }

  /** @param stored the message in the log that has the key */
  post(fields, stored) {
    const known = this.#posts.get(fields.key)
    // Stored, although the log does not show it yet.
    if (this.#stored.has(known)) stored = { ...known, content: known.payload }
    const { fileId } = fields.payload
    // What was first sent is not known of an edited message, nor where the server adds what it knows of a file. It decides.
    const isOpen = !stored || stored.isEdited || stored.isDeleted || fileId && fileId === stored.content?.fileId
    if (isOpen && !this.#isClosed && !this.#run(this.#queue.add(fields)).some(action => action.rejected)) return known ?? this.#of(fields.key)
    // Not part of the outbox.
    const post = new Post(this, fields)
    if (this.#isClosed) post.end(closedError())
    else if (!isOpen && isSameContent(fields, { ...stored, payload: stored.content })) {
      if (known) return known
      post.become('stored', { messageId: stored.messageId, seq: stored.seq })
    } else {
      post.become('refused', { code: 'client_message_id_reused', status: 409, isCertain: true })
      queueMicrotask(() => this.#context.onEnd(post))
    }
    return post
  }

  get(key) { return this.#posts.get(key) }

  /** Frozen; the same object until something changes. */
  get list() { return this.#list ??= Object.freeze([...this.#queue.posts.keys()].map(key => this.#posts.get(key))) }

  /** As messages at the end of a room's list. */
  shown(roomId, userId) {
    return [...this.#posts.values()].filter(post => post.roomId === roomId).map(post => post.asMessage(userId))
  }

  retry(post) { if (this.#has(post)) this.#run(this.#queue.retry(post)) }

  discard(post) { return quiet(this.#discard(post)) }

  async #discard(post) {
    const { key, state } = post
    if (!this.#has(post) || state === 'stored') return state === 'refused'
    const wait = deferred()
    const others = this.#discarding.get(key) ?? []
    this.#discarding.set(key, [...others, wait])
    if (others.length === 0) this.#run(this.#queue.discard({ key }))
    return await wait.promise
  }

  /** Changes a post that is refused or was never tried. Resolves to whether that was possible. */
  async edit(key, payload) {
    const { edited } = this.#run(this.#queue.edit({ key, payload })).find(action => action.edited)
    const post = this.#posts.get(key)
    if (edited.isChanged) { post.payload = payload; this.#changed(post.roomId) }
    await this.#last
    return edited.isChanged
  }

  // The log, the network, the life of the process

  logged({ clientMessageId, messageId, seq, mark }) { this.#run(this.#queue.logged({ key: clientMessageId, messageId, seq, mark })) }
  /** The log of a room has reached this `seq`: it shows the posts up to it. */
  passed(roomId, seq) {
    for (const post of this.#stored) if (post.roomId === roomId && post.seq <= seq) this.#drop(post)
  }

  otherAnswered() { this.#run(this.#queue.otherAnswered()) }
  wake() { this.#run(this.#queue.wake()) }

  /** Loads the stored posts, and applies what other processes did. */
  load() { return this.#inTurn(() => this.#read()) }

  async #read() {
    const kept = await (await this.#context.store()).outbox()
    if (!kept) return
    const { posts, done } = kept
    for (const kept of posts) {
      const post = this.#posts.get(kept.key)
      if (this.#unkept.has(kept.key)) continue
      // One that has ended here stays as it ended.
      if (!post || this.#stored.delete(post)) this.#posts.set(kept.key, new Post(this, kept))
      else post.payload = kept.payload
    }
    this.#run(this.#queue.loaded({ posts, done, except: this.#unkept.keys() }))
    for (const roomId of new Set(posts.map(post => post.roomId))) this.#changed(roomId)
  }

  /** The store works again and has what was held in memory. A new stamp makes all processes read the outbox again. */
  async restored() { await (await this.#context.store()).update('changed', Math.random) }

  /** Takes part in sending, from now on until `stop`. */
  start() {
    if (this.#isRunning || this.#isClosed) return
    this.#isRunning = true
    this.#election.start()
    this.#schedule()
  }

  stop() {
    this.#isRunning = false
    clearTimeout(this.#timer)
    this.#election.stop()
    this.#run(this.#queue.sender({ isSender: false }))
  }

  async close() {
    this.#isClosed = true
    this.stop()
    await this.#last
    const error = closedError()
    for (const post of this.#posts.values()) post.end(error)
    for (const waits of this.#discarding.values()) for (const wait of waits) wait.reject(error)
  }

  /** Forgets everything: the user's data were deleted. */
  clear() {
    for (const post of this.#posts.values()) post.end(discardedError())
    const rooms = new Set([...this.#posts.values()].map(post => post.roomId))
    this.#posts.clear()
    this.#stored.clear()
    for (const key of [...this.#discarding.keys()]) this.#discarded({ key, isGone: true })
    this.#queue = new OutboxQueue({ now: this.#clock.now(), isSender: false })
    for (const roomId of rooms) this.#changed(roomId)
  }

  // Actions

  /** Performs the actions: at once, or after the `keep` actions among them are written. Returns them. */
  #run(actions) {
    for (const { keep } of actions) {
      if (!keep) continue
      this.#unkept.set(keep.key, (this.#unkept.get(keep.key) ?? 0) + 1)
      this.#of(keep.key)
    }
    if (actions.some(action => action.keep)) {
      this.#waiting.push(...actions)
      this.#keep()
    } else {
      for (const action of actions) this.#perform(action)
    }
    this.#schedule()
    return actions
  }

  #keep() { this.#inTurn(() => this.#keepWaiting()).catch(this.#context.onError) }

  #inTurn(work) {
    const turn = this.#last.then(work)
    this.#last = turn.catch(() => {})
    return turn
  }

  /** Everything that waits, in one step of the store. */
  async #keepWaiting() {
    const actions = this.#waiting.splice(0)
    const keeps = actions.filter(action => action.keep)
    if (keeps.length === 0) return
    const changes = new Map(), left = new Set()
    for (const { keep } of keeps) {
      const queued = this.#queue.posts.get(keep.key)
      const { key, done, ...how } = keep
      // What the store shows of a post that has left may be an attempt of this process, whose end is not written.
      if (done !== undefined) changes.set(keep, { key, remove: done, ...!left.has(key) && how })
      else if (queued) changes.set(keep, { key, [queued.state === 'new' ? 'add' : 'put']: keptPost(queued), ...how })
      else if (!keep.ifOpen) left.add(key)
    }
    const store = await this.#context.store()
    let answers
    try {
      answers = await store.changeOutbox([...changes.values()])
    } catch (error) {
      // Nothing was written: other processes had taken the lock, again and again.
      this.#waiting.unshift(...actions)
      if (!this.#isClosed) setTimeout(() => this.#keep(), KEEP_AGAIN_MS)
      throw error
    }
    for (const { keep: { key } } of keeps) {
      const count = this.#unkept.get(key) - 1
      if (count > 0) this.#unkept.set(key, count)
      else this.#unkept.delete(key)
    }
    // Posts that other processes stored earlier are sent first, and what they have begun to send is not changed any more.
    if (await store.isOutboxChanged() || answers.some(answer => answer.isTried)) await this.#read()
    const overtaken = new Set()
    // The answers are in the order of the changes.
    for (const action of actions) {
      const outcome = action.edited ?? action.discarded
      if (action.keep) {
        const { keep } = action, change = changes.get(keep)
        // An edit of a post that has left meanwhile is one of the message.
        if (change ? this.#kept(change, answers.shift()) : keep.ifOpen) overtaken.add(keep.key)
      } else {
        // `edit` reads it here, too.
        if (outcome && overtaken.delete(outcome.key)) outcome.isChanged = outcome.isGone = false
        this.#perform(action)
      }
    }
    this.#election.announce()
  }

  /** Returns whether another process was first, so that an edit or a discard has no effect. */
  #kept({ key, add, put, remove, ifOpen }, { known, payload, isGone, isTried, message }) {
    // Another process has settled it: then there is nothing to send.
    if (isGone) this.#run(this.#queue.settled({ key, message }))
    else if (add) this.#added(add, known)
    else if (put && !ifOpen && isTried) this.#run(this.#queue.triedElsewhere(key))
    else if (payload && !this.#unkept.has(key)) {
      this.#run(this.#queue.kept({ key, payload }))
      const post = this.#posts.get(key)
      if (post) post.payload = payload
    }
    return (ifOpen || remove === null) && (isTried || isGone && (put || message?.seq))
  }

  /** @param known the post that already had the key in the store */
  #added(post, known) {
    const { key } = post
    if (known && !isSameContent(known, post)) return this.#run(this.#queue.taken({ key }))
    const queued = this.#queue.posts.get(key)
    if (queued && known?.isTried) queued.isTried = true
    this.#run(this.#queue.kept({ key }))
  }

  #perform(action) {
    const [[name, value]] = Object.entries(action)
    switch (name) {
      case 'send': this.#send(value.key); break
      case 'probe': probe(this.#context.rest, this.#queue.posts.values().next().value?.roomId); break
      case 'post': this.#became(value); break
      case 'discarded': this.#discarded(value); break
      case 'rejected': this.#rejected(value)
    }
  }

  async #send(key) {
    const post = this.#queue.posts.get(key)
    if (!post) return
    const answer = await attempt(this.#context.rest, post)
    if (this.#isClosed && !answer.message) return
    this.#run(answer.status ? this.#queue.answer({ key, ...answer }) : this.#queue.noAnswer({ key, ...answer }))
  }

  #became({ key, state, ...fields }) {
    const post = this.#posts.get(key)
    if (!post) return
    // What is known of a refused post may have changed since this action.
    const queued = this.#queue.posts.get(key)
    if (queued) fields.isCertain = queued.isCertain
    if (post.state === state && (state !== 'refused' || post.isCertain === fields.isCertain)) return
    post.become(state, fields)
    if (state === 'stored') {
      this.#stored.add(post)
      if (!this.#context.isShown(post.roomId)) this.#drop(post)
    }
    this.#changed(post.roomId)
    if (state === 'stored' || state === 'refused') this.#context.onEnd(post)
  }

  #discarded({ key, isGone }) {
    const post = this.#posts.get(key)
    if (post && !this.#queue.posts.has(key) && post.state !== 'stored') {
      this.#posts.delete(key)
      post.end(discardedError())
      this.#changed(post.roomId)
    }
    for (const wait of this.#discarding.get(key) ?? []) wait.resolve(isGone)
    this.#discarding.delete(key)
  }

  #rejected({ key, code }) {
    const post = this.#posts.get(key)
    // The rejected post is not the one in the queue under this key.
    if (!post || this.#queue.posts.has(key)) return
    this.#drop(post)
    post.become('refused', { code, status: 409, isCertain: true })
    this.#changed(post.roomId)
    this.#context.onEnd(post)
  }

  /** False for a post that was refused because another one has its key. */
  #has(post) { return this.#posts.get(post.key) === post }

  #drop(post) {
    this.#stored.delete(post)
    if (this.#has(post)) this.#posts.delete(post.key)
  }

  #of(key) {
    let post = this.#posts.get(key)
    if (!post) {
      this.#posts.set(key, post = new Post(this, this.#queue.posts.get(key)))
      this.#changed(post.roomId)
    }
    return post
  }

  #changed(roomId) {
    this.#list = null
    this.#context.onChange(roomId)
  }

  #schedule() {
    clearTimeout(this.#timer)
    const at = this.#queue.nextDeadline
    if (at === undefined || !this.#isRunning) return
    const isDue = () => this.#run(this.#queue.timePassed(this.#clock.now()))
    this.#timer = setTimeout(isDue, Math.max(at - this.#clock.now(), 0))
  }
}
