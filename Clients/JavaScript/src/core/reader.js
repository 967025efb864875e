// State machine of one `room.events(…)`: every event of a room's log after a position, in order, at the pace of the
// consumer. Live events are buffered up to a limit; the rest is read from the log on demand. Pure.

import { positionOf } from './timeline.js'

const MOST_HELD = 256
/** With these the same call may succeed later; with other refusals it cannot. */
const REPEATABLE = new Set([401, 408, 425, 429])

export class Reader {
  /** The last event that was given: `{seq, mark?}`; `null` while it is not known where to begin. */
  position
  #held = []
  /** The `seq` of the last event held or given. */
  #last
  /** The highest `seq` known to be there. */
  #head
  #isBehind
  #isAsked = false
  #isReading = false
  /** Between `retry` and `again`. */
  #isPausing = false
  #end

  /** @param after where to begin, with its mark; without it at the head, once that is known */
  constructor({ after, mark, head } = {}) {
    if (after !== undefined) this.#begin(positionOf({ seq: after, mark }), true)
    else if (head) this.#begin(head, false)
    else this.position = null
  }

  #begin(position, isBehind) {
    this.position = position
    this.#last = this.#head = position.seq
    this.#isBehind = isBehind
  }

  /** The room's head has become known. */
  head(head) {
    if (this.position) return []
    this.#begin(head, false)
    return [{ begin: head }, ...this.#advance()]
  }

  /** The application asks for the next event: the position moves over the one before. */
  next() {
    this.#isAsked = true
    return this.#advance()
  }

  /** A live event of the room. */
  event(event) {
    if (!this.position || this.#end) return []
    if (event.seq > this.#head) this.#head = event.seq
    if (event.seq === this.#last + 1 && this.#held.length < MOST_HELD && !this.#isReading) this.#hold(event)
    else if (event.seq > this.#last) this.#isBehind = true
    return this.#advance()
  }

  /** A page of the log after what was asked for. */
  page({ items, hasMore }) {
    if (!this.#isReading) return []
    this.#isReading = false
    for (const event of items) {
      if (event.seq <= this.#last) continue
      if (event.seq !== this.#last + 1) break
      this.#hold(event)
    }
    // An empty page although the log continues: another request without a pause would be a busy loop.
    if (this.#held.length === 0 && (hasMore || this.#last < this.#head)) return this.#end ? this.#finish() : this.#retry()
    this.#isBehind = hasMore || this.#last < this.#head
    return this.#advance()
  }

  /** A page failed. It is requested again after a pause (`again`), unless the failure is permanent. */
  pageFailed({ status, code }) {
    if (!this.#isReading) return []
    this.#isReading = false
    if (code === 'log_mismatch') return this.#fail('log_mismatch')
    // The user may no longer read the room.
    if (status === 403 || status === 404) return this.#finish()
    // A retry would fail in the same way.
    if (status >= 400 && status < 500 && !REPEATABLE.has(status)) return this.#fail(code ?? 'protocol')
    return this.#retry()
  }

  again() {
    this.#isPausing = false
    return this.#advance()
  }

  /** Live events are missing from here on: the log has them. */
  missed() {
    if (!this.position) return []
    this.#isBehind = true
    return this.#advance()
  }

  /** The server has another log. Its next answer tells whether that log has this position. */
  reset() {
    if (!this.position) return []
    this.#held = []
    this.#last = this.position.seq
    this.#head = this.#last
    this.#isReading = false
    this.#isBehind = true
    if (this.position.seq > 0 && this.position.mark === undefined) return this.#fail('log_mismatch')
    return this.#advance()
  }

  /** No live events follow: the reader ends with the last event that the user may read. */
  removed() {
    this.#end ??= { done: {} }
    return this.#advance()
  }

  /** Ends at once. */
  close() {
    this.#held = []
    this.#isBehind = false
    return this.#finish()
  }

  #fail(code) {
    this.#held = []
    this.#isBehind = false
    this.#end = { failed: { code } }
    return this.#advance()
  }

  #finish() {
    this.#end ??= { done: {} }
    this.#isBehind = false
    return this.#advance()
  }

  #retry() {
    this.#isPausing = true
    return [{ retry: {} }]
  }

  #hold(event) {
    this.#held.push(event)
    this.#last = event.seq
  }

  #advance() {
    if (!this.#isAsked || this.#isReading) return []
    if (this.#held.length > 0) {
      const event = this.#held.shift()
      this.#isAsked = false
      this.position = positionOf(event)
      return [{ give: { event } }]
    }
    if (this.#isBehind && this.position) {
      if (this.#isPausing) return []
      this.#isReading = true
      const { seq: after, ...mark } = this.position
      return [{ getEvents: { after, ...mark } }]
    }
    if (this.#end) {
      this.#isAsked = false
      return [this.#end]
    }
    return []
  }
}
