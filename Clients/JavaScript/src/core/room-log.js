// State machine of one room's log: the known position, the next event, what has to be stored. Pure: each input returns
// the actions to perform, in order. What has to be stored comes before what is delivered.

import { Timeline, frozen, positionOf } from './timeline.js'

export class RoomLog {
  /** idle, syncing, live, reset, gone */
  state = 'idle'
  /** The last event that is known: `{seq, mark?}`; `null` where the log has not begun. */
  position
  /** The messages; `null` until the room is opened. */
  timeline = null
  #userId
  #keep
  #isSyncing = false
  #isConnected = false
  #isReset = false
  #isGone = false

  constructor({ userId, keep, position = null, events } = {}) {
    this.#userId = userId
    this.#keep = keep
    this.position = position
    if (events) this.load(position.seq - events.length, events)
  }

  /** What is kept of the room: the events after `from` up to the position. */
  load(from, events) {
    this.timeline = new Timeline({ userId: this.#userId, keep: this.#keep, from, through: this.position.seq, events })
  }

  /** The room is opened. Without a stored log it begins at its head. */
  open(head) {
    if (this.position) {
      if (!this.timeline) this.load(this.position.seq, [])
      return []
    }
    return head ? this.#begin(head) : []
  }

  /** `isNamed`: the room's position was named to the server, so that what is missing is sent. */
  syncing({ isNamed = true } = {}) {
    this.#isConnected = true
    this.#isSyncing = isNamed && this.position !== null
    return this.#settle()
  }

  /** The server has sent everything that was missing. */
  synced() {
    this.#isSyncing = false
    return this.#settle()
  }

  disconnected() {
    this.#isConnected = this.#isSyncing = false
    return this.#settle()
  }

  /** An event of the log. */
  event(event) {
    if (this.#isGone || !this.position || event.seq <= this.position.seq) return []
    if (event.seq !== this.position.seq + 1) return [{ gap: { after: this.position.seq, seq: event.seq } }]
    this.position = positionOf(event)
    this.#isReset = false
    const shared = frozen(event)
    this.timeline?.take(shared)
    return [{ keep: { event: shared } }, ...this.#settle(), { event: { event: shared } }]
  }

  /** One without a `seq`. */
  signal(frame) { return this.#isGone ? [] : [{ signal: { frame: Object.freeze(frame) } }] }

  caughtUp() { return this.synced() }

  /** The server has another log, which continues after `seq`. */
  reset(head) {
    if (!this.position || this.#isGone) return []
    const lost = (this.timeline?.messages ?? []).filter(message => message.senderId === this.#userId && message.seq > head.seq)
    this.#isReset = true
    this.#isSyncing = false
    return [...this.#begin(head), { reset: { ...positionOf(head), ...lost.length && { lost } } }]
  }

  /** Too many events were missed: those in between are left out. */
  skipped(head) {
    if (!this.position || this.#isGone || head.seq <= this.position.seq) return []
    const after = this.position.seq
    this.#isSyncing = false
    return [...this.#begin(head), { skipped: { after, through: head.seq } }]
  }

  removed() {
    if (this.#isGone) return []
    this.#isGone = true
    this.#isReset = false
    this.position = null
    this.timeline?.begin(0)
    return [{ forget: {} }, ...this.#settle(), { gone: {} }]
  }

  /** A member from now on, or again: from the head. */
  added(head) {
    if (this.position) return []
    this.#isGone = false
    return this.#begin(head)
  }

  /** The log is known from here on. */
  #begin(head) {
    // A malformed frame, see `Intake`: a position that is none would make each `sync` a malformed one.
    if (!(head.seq >= 0)) throw new TypeError('seq')
    this.position = positionOf(head)
    if (this.timeline) this.timeline.begin(head.seq)
    else this.load(head.seq, [])
    return [{ begin: this.position }, ...this.#settle()]
  }

  #settle() {
    const state = this.#isGone ? 'gone' : this.#isReset ? 'reset' : !this.#isConnected || !this.position ? 'idle'
      : this.#isSyncing ? 'syncing' : 'live'
    if (state === this.state) return []
    this.state = state
    return [{ state }]
  }
}
