// `room.events(…)`: carries out what a reader's state machine says.

import { Pauses } from './core/timers.js'
import { Reader } from './core/reader.js'
import { ChatError, deferred, quiet } from './error.js'

const PAGE = 100

export class RoomEvents {
  #room
  #chat
  #options
  #reader = null
  #waiting = null
  #isDone = false
  #failure
  #opened
  #given
  #page = 0
  #pauses = new Pauses(Math.random)
  #timer
  #release
  #stop = new AbortController()

  /** @param chat `{rest, store(): Promise, kept}` */
  constructor(room, chat, options) {
    this.#room = room
    this.#chat = chat
    this.#options = options
  }

  [Symbol.asyncIterator]() { return this }

  next() { return quiet(this.#next()) }

  async #next() {
    if (this.#waiting) throw new ChatError('in_use', 'One call of next() at a time')
    this.#opened ??= this.#open()
    try { await this.#opened } catch (error) {
      this.#finish()
      if (error.code !== 'closed') throw error
    }
    if (this.#given && this.#options.as !== undefined && !this.#isDone) {
      await (await this.#chat.store()).setReader(this.#room.id, this.#options.as, this.#given)
    }
    this.#given = undefined
    if (this.#failure) { const failure = this.#failure; this.#failure = undefined; this.#finish(); throw failure }
    if (this.#isDone) return { done: true, value: undefined }
    this.#waiting = deferred()
    const { promise } = this.#waiting
    this.#run(this.#reader.next())
    return await promise
  }

  async return() {
    if (!this.#isDone) {
      this.#finish()
      this.#waiting?.resolve({ done: true, value: undefined })
      this.#waiting = null
    }
    return { done: true, value: undefined }
  }

  // For the room alone

  event(event) { if (this.#reader) this.#run(this.#reader.event(event)) }
  head(head) { if (this.#reader) this.#run(this.#reader.head(head)) }
  missed() { if (this.#reader) this.#run(this.#reader.missed()) }
  reset() { if (this.#reader) { this.#page += 1; this.#run(this.#reader.reset()) } }
  removed() { if (this.#reader) this.#run(this.#reader.removed()) }
  close() { if (this.#waiting || this.#reader) this.return() }

  async #open() {
    const { as, after, mark } = this.#options
    let start = { after, mark }
    if (as !== undefined) {
      const store = await this.#chat.store()
      await this.#claim(store.lockName(`reader/${this.#room.id}/${as}`))
      const kept = await store.reader(this.#room.id, as)
      if (kept) start = { after: kept.seq, mark: kept.mark }
    }
    // In its turn among the frames: no event is missed in between.
    await this.#room.attach(this, head => {
      this.#reader = new Reader({ ...start, head })
      if (head && start.after === undefined) this.#begun(head)
    })
  }

  /** One reader a name, among all processes. */
  async #claim(name) {
    const claimed = deferred()
    this.#chat.kept.exclusively(name, async lost => {
      claimed.resolve(true)
      await new Promise(resolve => {
        this.#release = resolve
        lost.addEventListener('abort', resolve, { once: true })
        if (this.#isDone) resolve()
      })
      if (!this.#isDone) this.#fail(new ChatError('in_use', 'Another reader has taken the name over'))
    }, { ifAvailable: true, signal: this.#stop.signal }).then(() => claimed.resolve(false), error => claimed.reject(error))
    if (await claimed.promise) return
    throw new ChatError('in_use', `Another reader has the name ${this.#options.as}`)
  }

  #begun(position) {
    if (this.#options.as === undefined) return
    const { store, report } = this.#chat
    store().then(store => store.setReader(this.#room.id, this.#options.as, position)).catch(report)
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
        case 'retry': this.#timer = setTimeout(() => this.#run(this.#reader.again()), this.#pauses.next()); break
        case 'done': this.#finish(); this.#settle({ done: true, value: undefined }); break
        case 'failed': this.#fail(new ChatError(value.code, 'The server has another log'))
      }
    }
  }

  async #fetch({ after, mark }) {
    const page = ++this.#page
    let input
    try {
      const answer = await this.#chat.rest.call('messages', 'GET', `/rooms/${this.#room.id}/events`, { query: { after, mark, limit: PAGE } })
      const items = Array.isArray(answer?.items) ? answer.items.map(this.#room.frozen) : []
      if (items.length > 0) this.#pauses.succeeded()
      input = () => this.#reader.page({ items, hasMore: answer?.hasMore === true })
    } catch ({ status, code }) {
      input = () => this.#reader.pageFailed({ status, code })
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
    this.#room.detach(this)
    this.#stop.abort()
    this.#release?.()
  }
}
