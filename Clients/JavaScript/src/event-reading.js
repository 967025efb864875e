// Runs the state machine of a `room.events(…)` reader. Loaded on demand: it is bundled with its imports as a file of
// its own, so it shares no classes with the rest.

import { Pauses } from './core/timers.js'
import { Reader } from './core/reader.js'
import { frozen } from './core/timeline.js'
import { pause } from './clock.js'
import { deferred } from './error.js'

const PAGE = 100
/** The longest wait for a storage to give a name back. */
const RELEASE_MS = 1_000

export class EventReading {
  #room
  #chat
  #options
  #reader = null
  #waiting = null
  #isDone = false
  #failure
  /** The last error of a call. */
  #refusal
  #opened
  #given
  #page = 0
  #pauses = new Pauses(Math.random)
  #timer
  #release
  /** Settles once the name is free again. */
  #claimed
  #stop = new AbortController()

  /**
   * @param chat `{rest, store(): Promise, kept, report(error), error(code, message)}`
   * @param options those of `room.events`, `now`: Promise of the room's position when it was called, if known; `ended()`
   */
  constructor(room, chat, options) {
    this.#room = room
    this.#chat = chat
    this.#options = options
  }

  async next() {
    this.#opened ??= this.#open()
    try { await this.#opened } catch (error) {
      this.#finish()
      if (error.code !== 'closed') throw error
    }
    if (this.#given && this.#options.as !== undefined && !this.#isDone) {
      await (await this.#chat.store()).set(this.#key, this.#given).catch(error => { if (!this.#isDone) throw error })
    }
    this.#given = undefined
    if (this.#failure) {
      const failure = this.#failure
      this.#failure = undefined
      await this.close()
      throw failure
    }
    if (this.#isDone) return { done: true, value: undefined }
    this.#waiting = deferred()
    const { promise } = this.#waiting
    this.#run(this.#reader.next())
    const result = await promise
    if (result.done) await this.close()
    return result
  }

  /** Resolves once the name is free for another reader. */
  async close() {
    if (!this.#isDone) {
      this.#finish()
      this.#settle({ done: true, value: undefined })
    }
    const isFree = new AbortController()
    if (!this.#claimed) return
    this.#claimed.then(() => isFree.abort())
    await pause(RELEASE_MS, isFree.signal)
  }

  // For the room alone

  event(event) { if (this.#reader) this.#run(this.#reader.event(event)) }
  head(head) { if (this.#reader) this.#run(this.#reader.head(head)) }
  missed() { if (this.#reader) this.#run(this.#reader.missed()) }
  reset() { if (this.#reader) { this.#page += 1; this.#run(this.#reader.reset()) } }
  removed() { if (this.#reader) this.#run(this.#reader.removed()) }

  /** Where the position of a named reader is kept. */
  get #key() { return `reader/${this.#room.id}/${encodeURIComponent(this.#options.as)}` }

  async #open() {
    const { as, after, mark } = this.#options
    const now = await this.#options.now
    let start = { after, mark }
    if (as !== undefined) {
      const store = await this.#chat.store()
      await this.#claim(store.lockName(`reader/${this.#room.id}/${as}`))
      const kept = await store.get(this.#key)
      // Beginning anywhere else would leave out what the reader has not dealt with.
      if (this.#chat.kept.mayHold) throw this.#chat.error('store_failed', `The position of ${as} cannot be read`)
      if (kept) start = { after: kept.seq, mark: kept.mark }
    }
    // Queued among the frames, so that no event is missed in between.
    await this.#room.begin(head => {
      const isNow = start.after === undefined
      // Events since the call are read from the log.
      const from = now?.seq < head?.seq ? now : head
      if (isNow && from !== head) start = { after: from.seq, mark: from.mark }
      this.#reader = new Reader({ ...start, head })
      if (isNow && from) this.#begun(from)
      if (this.#room.state === 'gone') this.removed()
    })
  }

  /** Allows one reader per name among all processes. */
  async #claim(name) {
    const claimed = deferred()
    this.#claimed = this.#chat.kept.exclusively(name, async lost => {
      claimed.resolve(true)
      await new Promise(resolve => {
        this.#release = resolve
        lost.addEventListener('abort', resolve, { once: true })
        if (this.#isDone) resolve()
      })
      if (!this.#isDone) this.#fail(this.#chat.error('in_use', 'Another reader took over the name'))
    }, { ifAvailable: true, signal: this.#stop.signal }).then(() => claimed.resolve(false), error => claimed.reject(error))
    if (await claimed.promise) return
    throw this.#chat.error('in_use', `Another reader has the name ${this.#options.as}`)
  }

  #begun(position) {
    if (this.#options.as === undefined) return
    const { store, report } = this.#chat
    store().then(store => store.set(this.#key, position)).catch(report)
  }

  #run(actions) {
    for (const action of actions) {
      const [[name, value]] = Object.entries(action)
      switch (name) {
        case 'begin': this.#begun(value); break
        case 'give':
          this.#given = this.#reader.position
          this.#settle({ done: false, value: value.event })
          break
        case 'getEvents': this.#fetch(value); break
        case 'retry': {
          const backoff = this.#pauses.next()
          this.#timer = setTimeout(() => this.#run(this.#reader.again()), this.#refusal?.retryAfterMs ?? backoff)
          break
        }
        case 'done': this.#finish(); this.#settle({ done: true, value: undefined }); break
        case 'failed':
          this.#fail(this.#refusal?.code === value.code ? this.#refusal : this.#chat.error(value.code, 'The server has another log'))
      }
    }
  }

  async #fetch({ after, mark }) {
    const page = ++this.#page
    let input
    try {
      const answer = await this.#chat.rest.call('messages', 'GET', `/rooms/${this.#room.id}/events`, { query: { after, mark, limit: PAGE } })
      const items = Array.isArray(answer?.items) ? answer.items.map(frozen) : []
      this.#refusal = undefined
      if (items.length > 0) this.#pauses.succeeded()
      input = () => this.#reader.page({ items, hasMore: answer?.hasMore === true })
    } catch (error) {
      this.#refusal = error
      input = () => this.#reader.pageFailed({ status: error.status, code: error.code })
    }
    if (page === this.#page && !this.#isDone) this.#run(input())
  }

  #fail(error) {
    if (this.#isDone) return
    if (!this.#waiting) { this.#failure = error; return }
    this.#finish()
    this.#waiting.reject(error)
    this.#waiting = null
  }

  #settle(result) {
    this.#waiting?.resolve(result)
    this.#waiting = null
  }

  #finish() {
    this.#isDone = true
    clearTimeout(this.#timer)
    this.#stop.abort()
    this.#release?.()
    this.#options.ended()
  }
}
