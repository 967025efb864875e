// Read positions that the server does not know yet. Stored, so that one set offline is sent after a restart.

/** Servers limit frames and calls: at most `MOST_AT_ONCE` marks every `PAUSE_MS`. */
const MOST_AT_ONCE = 10
const PAUSE_MS = 500

export class ReadMarks {
  #marks = new Map()
  #unsent = new Set()
  #timer
  #context

  /** @param context `{store(): Promise, isLive(), send(frame), put(roomId, seq), report}` */
  constructor(context) { this.#context = context }

  load(kept, list) {
    for (const [roomId, seq] of Object.entries(kept)) {
      if (!(this.#marks.get(roomId) >= seq)) this.#marks.set(roomId, seq)
    }
    this.apply(list)
  }

  /** The server's list may be older than what was read here. */
  apply(list, roomIds = this.#marks.keys()) {
    for (const roomId of roomIds) if (this.#marks.has(roomId)) list.read(roomId, this.#marks.get(roomId))
  }

  read(roomId, seq) {
    if (this.#marks.get(roomId) >= seq) return
    this.#marks.set(roomId, seq)
    this.#keep(marks => ({ ...marks, [roomId]: Math.max(seq, marks[roomId] ?? 0) }))
    this.#unsent.add(roomId)
    if (this.#timer === undefined) this.#send()
  }

  /** The server knows that the room is read so far. */
  known(roomId, seq) {
    if (!(this.#marks.get(roomId) <= seq)) return
    this.#marks.delete(roomId)
    this.#unsent.delete(roomId)
    this.#keep(marks => {
      if (marks[roomId] <= seq) delete marks[roomId]
      return marks
    })
  }

  /** The connection is live: sends what the server does not know yet. */
  sendAll() {
    for (const roomId of this.#marks.keys()) this.#unsent.add(roomId)
    this.#send()
  }

  clear() {
    this.#marks.clear()
    this.close()
  }

  close() {
    this.#unsent.clear()
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #send() {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#unsent.size === 0 || !this.#context.isLive()) return
    for (const roomId of [...this.#unsent].slice(0, MOST_AT_ONCE)) {
      this.#unsent.delete(roomId)
      const seq = this.#marks.get(roomId)
      if (!this.#context.send({ type: 'read', roomId, seq })) this.#put(roomId, seq)
    }
    this.#timer = setTimeout(() => this.#send(), PAUSE_MS)
  }

  /** Sends by REST if frames cannot be sent. A failed mark is sent with the next connection. */
  #put(roomId, seq) {
    this.#context.put(roomId, seq).then(() => this.known(roomId, seq), error => {
      // Not the user's room, or not a valid position: a retry would not help.
      if (error.status >= 400 && error.status < 500 && !error.isTemporary && error.status !== 401) this.known(roomId, seq)
    })
  }

  #keep(change) {
    this.#context.store().then(store => store.update('marks', marks => change(marks ?? {}))).catch(this.#context.report)
  }
}
