// The outbox: keeps posts, and sends them where no other process does.

import { OutboxQueue, keptPost } from './core/outbox.js'
import { frozen, ownKey } from './core/timeline.js'
import { Clock } from './clock.js'
import { ChatError, closedError, deferred, quiet } from './error.js'
import { Post } from './post.js'

const POLL_MS = 1_000
const LOCK = 'outbox'

const pause = (ms, signal) => new Promise(resolve => {
  const end = () => { clearTimeout(timer); signal.removeEventListener('abort', end); resolve() }
  const timer = setTimeout(end, ms)
  signal.addEventListener('abort', end)
})

export class Outbox {
  /** Frozen; the same object until something changes. */
  list = Object.freeze([])
  #clock = new Clock()
  #queue = new OutboxQueue({ now: this.#clock.now(), isSender: false })
  #posts = new Map()
  #context
  #timer
  #poll
  #discarding = new Map()
  #editing = new Map()
  #isRunning = false
  #isLooking = false
  #change
  #stop
  #channel
  /** What the store held of a room, as it was followed last. */
  #lines = new Map()
  /** Posts of which a change is about to be kept, with how many. */
  #unkept = new Map()
  #last = Promise.resolve()
  #isClosed = false

  /**
   * @param context `{rest, kept, channelName(), store(): Promise, isShown(roomId)}` and the hooks `onChange(roomId)`, `onEnd(post)`,
   *   `onError(error)`
   */
  constructor(context) { this.#context = context }

  post(fields) {
    const known = this.#posts.get(fields.key)
    if (this.#run(this.#queue.add(fields)).some(action => action.rejected)) return this.#reused(fields)
    return known ?? this.#of(fields.key)
  }

  /** A key that the log has: the same content is the message there, another one none; unsure ones the server judges. */
  storedBefore(fields, { messageId, seq }, isSame) {
    if (isSame === undefined) return this.post(fields)
    if (!isSame) return this.#reused(fields)
    const post = new Post(this, fields)
    post.become('stored', { messageId, seq })
    return post
  }

  /** Refused without a try, and not part of the outbox. */
  #reused(fields) {
    const post = new Post(this, fields)
    post.become('refused', { code: 'client_message_id_reused', status: 409, isCertain: true })
    queueMicrotask(() => this.#context.onEnd(post))
    return post
  }

  get(key) { return this.#posts.get(key) }
  of(roomId) { return this.list.filter(post => post.roomId === roomId) }

  /** As messages at the end of a room's list. */
  shown(roomId, userId) {
    return [...this.#posts.values()].filter(post => post.roomId === roomId).map(post => frozen({
      key: ownKey(post.key), ...post.messageId !== undefined && { messageId: post.messageId, seq: post.seq }, roomId,
      senderId: userId, messageType: post.messageType, contentJson: JSON.stringify(post.payload),
      ...post.replyToMessageId !== undefined && { replyToMessageId: post.replyToMessageId },
      sentAt: post.createdAt, clientMessageId: post.key, isEdited: false, isDeleted: false, post,
    }))
  }

  retry(key) { this.#run(this.#queue.retry({ key })) }

  discard(key) { return quiet(this.#discard(key)) }

  async #discard(key) {
    const post = this.#posts.get(key)
    if (!post || post.state === 'stored') return false
    const wait = deferred()
    const others = this.#discarding.get(key) ?? []
    this.#discarding.set(key, [...others, wait])
    if (others.length === 0) this.#run(this.#queue.discard({ key }))
    return await wait.promise
  }

  /** Whether the post could be changed before it was tried. */
  async edit(key, payload) {
    const { edited } = this.#run(this.#queue.edit({ key, payload })).find(action => action.edited)
    const post = this.#posts.get(key)
    if (edited.isChanged) { post.payload = payload; this.#changed(post.roomId) }
    await this.#last
    return edited.isChanged
  }

  // The log, the network, the life of the process

  logged({ clientMessageId, messageId, seq, mark }) { this.#run(this.#queue.logged({ key: clientMessageId, messageId, seq, mark })) }
  /** The log of a room has come to this `seq`: posts up to it are shown by it. */
  passed(roomId, seq) {
    for (const post of [...this.#posts.values()]) {
      if (post.roomId === roomId && post.state === 'stored' && post.seq <= seq) this.#posts.delete(post.key)
    }
  }

  otherAnswered() { this.#run(this.#queue.otherAnswered()) }
  wake() { this.#run(this.#queue.wake()) }
  hold() { this.#run(this.#queue.hold()) }
  resume() { this.#run(this.#queue.resume()) }

  async load() {
    const store = await this.#context.store()
    for (const roomId of await store.outboxRooms()) await this.#read(roomId)
  }

  /** Takes part in sending, from now on until `stop`. */
  start() {
    if (this.#isRunning || this.#isClosed) return
    this.#isRunning = true
    this.#stop = new AbortController()
    this.#lead(this.#stop.signal)
    if (!this.#context.kept.isLasting) return
    this.#poll = setInterval(() => this.#look(), POLL_MS)
    if (typeof BroadcastChannel === 'function') {
      this.#channel = new BroadcastChannel(this.#context.channelName())
      this.#channel.onmessage = ({ data }) => { if (typeof data === 'string') this.#read(data).catch(this.#context.onError) }
      this.#channel.unref?.()
    }
  }

  stop() {
    this.#isRunning = false
    clearInterval(this.#poll)
    clearTimeout(this.#timer)
    this.#stop?.abort()
    this.#channel?.close()
    this.#channel = undefined
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
    for (const post of this.#posts.values()) post.end(new ChatError('not_stored', 'The message was given up'))
    const rooms = new Set([...this.#posts.values()].map(post => post.roomId))
    this.#posts.clear()
    this.#queue = new OutboxQueue({ now: this.#clock.now(), isSender: false })
    for (const roomId of rooms) this.#changed(roomId)
  }

  /** Holds the place of the one that sends, or waits for it, until `stop`. Who stands still loses it. */
  async #lead(stop) {
    const { kept } = this.#context
    while (!stop.aborted) {
      try {
        const store = await this.#context.store()
        await kept.exclusively(store.lockName(LOCK), lost => this.#hold(lost, stop), { signal: stop })
      } catch (error) {
        if (stop.aborted) return
        if (error?.name !== 'LockLost') this.#context.onError(error)
        await pause(POLL_MS, stop)
      }
    }
  }

  async #hold(lost, stop) {
    if (stop.aborted) return
    await this.load()
    this.#run(this.#queue.sender({ isSender: !lost.aborted && !stop.aborted }))
    await new Promise(resolve => {
      for (const signal of [lost, stop]) signal.addEventListener('abort', resolve, { once: true })
      if (lost.aborted || stop.aborted) resolve()
    })
    this.#run(this.#queue.sender({ isSender: false }))
  }

  /** Looks at what other processes did. */
  async #look() {
    if (this.#isLooking) return
    this.#isLooking = true
    try {
      const store = await this.#context.store()
      const change = await store.outboxChange()
      if (change === this.#change) return
      this.#change = change
      const rooms = new Set([...await store.outboxRooms(), ...[...this.#posts.values()].map(post => post.roomId)])
      for (const roomId of rooms) if (this.#isRunning) await this.#read(roomId)
    } catch (error) {
      this.#context.onError(error)
    } finally {
      this.#isLooking = false
    }
  }

  async #read(roomId) {
    const store = await this.#context.store()
    await this.#inTurn(async () => this.#take(roomId, await store.line(roomId)))
  }

  /** Follows what others have written, and oneself. */
  #take(roomId, line) {
    const text = JSON.stringify(line)
    if (this.#lines.get(roomId) === text) return
    this.#lines.set(roomId, text)
    const except = [...this.#unkept.keys()]
    for (const kept of line.posts) {
      const post = this.#posts.get(kept.key)
      if (!post) { if (!except.includes(kept.key)) this.#posts.set(kept.key, new Post(this, kept)) }
      else if (post.state === 'queued' && !except.includes(kept.key)) post.payload = kept.payload
    }
    this.#run(this.#queue.loaded({ roomId, ...line, except }))
    this.#changed(roomId)
  }

  // Actions

  /** Carries out what has to wait for nothing at once, and the rest in order. Returns the actions. */
  #run(actions) {
    for (const { keep } of actions) {
      if (!keep) continue
      this.#unkept.set(keep.key, (this.#unkept.get(keep.key) ?? 0) + 1)
      if (!this.#posts.has(keep.key)) this.#of(keep.key)
    }
    if (actions.some(action => action.keep)) {
      this.#inTurn(async () => { for (const action of actions) await this.#perform(action) }).catch(this.#context.onError)
    } else {
      for (const action of actions) this.#perform(action)
    }
    this.#schedule()
    return actions
  }

  #inTurn(work) {
    const turn = this.#last.then(work)
    this.#last = turn.catch(() => {})
    return turn
  }

  #perform(action) {
    const [[name, value]] = Object.entries(action)
    switch (name) {
      case 'keep': return this.#keep(value)
      case 'send': this.#send(value.key); break
      case 'probe': this.#probe(); break
      case 'post': this.#became(value); break
      case 'discarded': this.#discarded(value)
    }
  }

  async #keep({ key, done }) {
    const post = this.#queue.posts.get(key)
    const isNew = post?.state === 'new'
    const roomId = (post ?? this.#posts.get(key))?.roomId
    try {
      if (roomId === undefined) return
      const store = await this.#context.store()
      const line = await store.changeLine(roomId, line => changeLine(line, { key, done, isNew, kept: post && keptPost(post) }))
      this.#channel?.postMessage(roomId)
      this.#kept(key)
      if (isNew) this.#run(this.#queue.kept({ key }))
      // Another process may have settled it: then there is nothing to send.
      this.#take(roomId, line)
    } catch (error) {
      this.#kept(key)
      throw error
    }
  }

  #kept(key) {
    const count = (this.#unkept.get(key) ?? 0) - 1
    if (count > 0) this.#unkept.set(key, count)
    else this.#unkept.delete(key)
  }

  async #send(key) {
    const post = this.#queue.posts.get(key)
    if (!post) return
    const { roomId, messageType, payload, replyToMessageId } = post
    const body = { roomId, messageType, payload, clientMessageId: key, ...replyToMessageId !== undefined && { replyToMessageId } }
    try {
      const message = await this.#context.rest.call('messages', 'POST', '/messages', { body })
      const isMessage = Number.isSafeInteger(message?.messageId) && Number.isSafeInteger(message?.seq)
      if (isMessage) this.#run(this.#queue.answer({ key, status: 200, message }))
      else this.#run(this.#queue.noAnswer({ key }))
    } catch (error) {
      if (this.#isClosed) return
      const { status, code, isProblem, retryAfterMs } = error
      const isAnswer = status !== undefined && !(status >= 200 && status < 300)
      this.#run(isAnswer ? this.#queue.answer({ key, status, code, isProblem, retryAfterMs }) : this.#queue.noAnswer({ key, retryAfterMs }))
    }
  }

  /** Something else of the same server, to know whether the post is at fault. */
  async #probe() {
    const roomId = this.#queue.posts.values().next().value?.roomId
    try { await this.#context.rest.call('messages', 'GET', `/rooms/${roomId}/messages`, { query: { limit: 1 } }) } catch { /* `otherAnswered` knows */ }
  }

  #became({ key, state, ...fields }) {
    const post = this.#posts.get(key)
    if (!post) return
    if (post.state === state && state !== 'refused') return
    post.become(state, fields)
    if (state === 'stored' && !this.#context.isShown(post.roomId)) this.#posts.delete(key)
    this.#changed(post.roomId)
    if (state === 'stored' || state === 'refused') this.#context.onEnd(post)
  }

  #discarded({ key, isGone }) {
    const post = this.#posts.get(key)
    if (post && !this.#queue.posts.has(key) && post.state !== 'stored') {
      this.#posts.delete(key)
      post.end(new ChatError('not_stored', 'The message was given up'))
      this.#changed(post.roomId)
    }
    for (const wait of this.#discarding.get(key) ?? []) wait.resolve(isGone)
    this.#discarding.delete(key)
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
    const order = [...this.#queue.posts.keys()].map(key => this.#posts.get(key)).filter(Boolean)
    this.list = Object.freeze(order)
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

/** What the store holds of a room after a post has changed; other processes may have changed it, too. */
function changeLine(line, { key, done, isNew, kept }) {
  const at = line.posts.findIndex(other => other.key === key)
  if (done !== undefined) {
    if (at >= 0) line.posts.splice(at, 1)
    if (done && !line.done.some(other => other.key === key)) line.done.push({ key, ...done })
  } else if (kept && at >= 0) {
    const isRetried = line.posts[at].state === 'refused' && kept.state === 'queued'
    line.posts.splice(at, 1, ...isRetried ? [] : [kept])
    // At the end of the line.
    if (isRetried) line.posts.push(kept)
  } else if (kept && isNew) line.posts.push(kept)
  return line
}
