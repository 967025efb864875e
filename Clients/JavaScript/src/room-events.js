// `room.events(…)`. The reader is a file of its own, loaded with the first call of `next`: pages that only show
// messages never load it.

import { Pauses } from './core/timers.js'
import { pause } from './clock.js'
import { ChatError, quiet } from './error.js'

const END = Object.freeze({ done: true, value: undefined })

export class RoomEvents {
  /** An `EventReading`, once that is loaded. */
  reading
  #room
  #chat
  #options
  #loading
  #isAsked = false
  #stop = new AbortController()

  constructor(room, chat, options) {
    this.#room = room
    this.#chat = chat
    this.#options = options
  }

  [Symbol.asyncIterator]() { return this }

  next() { return quiet(this.#next()) }

  async #next() {
    if (this.#isAsked) throw new ChatError('in_use', 'One call of next() at a time')
    this.#isAsked = true
    try {
      if (!this.#isDone) await (this.#loading ??= this.#load())
      return this.#isDone ? END : await this.reading.next()
    } finally {
      this.#isAsked = false
    }
  }

  async return() {
    this.#stop.abort()
    this.#room.detach(this)
    await this.reading?.close()
    return END
  }

  get #isDone() { return this.#stop.signal.aborted }

  async #load() {
    this.#room.attach(this)
    // Without a position reading starts now, however long the module takes to load.
    const now = quiet(this.#room.position())
    const pauses = new Pauses(Math.random)
    while (!this.#isDone && !this.reading) {
      try {
        const { EventReading } = await import('./event-reading.js')
        this.reading = new EventReading(this.#room, this.#chat, { ...this.#options, now, ended: () => this.return() })
      } catch {
        // Without a network events could not be read either.
        await pause(pauses.next(), this.#stop.signal)
      }
    }
  }
}
