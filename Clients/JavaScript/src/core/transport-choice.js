// Which way to the server: a WebSocket, but streams for a while where handshakes are not answered and REST calls are.

const STREAM_MS = 600_000
const HANDSHAKES_BEFORE_STREAM = 3
const NETWORK = new Set(['network', 'dead', 'sleep'])

export class TransportChoice {
  /** Handshakes in a row that nobody answered. */
  #unanswered = 0
  #streamUntil = -1

  at(now) { return now < this.#streamUntil ? 'eventStream' : 'webSocket' }

  /** Sockets work here. */
  answered() {
    this.#unanswered = 0
    this.#streamUntil = -1
  }

  /** Where the network has lost a stream it may be another network by now: a socket is tried, and after it streams again. */
  lost(transport, reason) { if (transport === 'eventStream' && NETWORK.has(reason)) this.#streamUntil = -1 }

  /** A handshake was not answered. Returns whether to see if REST works. */
  failed() { return ++this.#unanswered >= HANDSHAKES_BEFORE_STREAM }

  /** Returns whether streams are tried from now on. */
  restWorks(now) {
    if (this.#unanswered < HANDSHAKES_BEFORE_STREAM || now < this.#streamUntil) return false
    this.#streamUntil = now + STREAM_MS
    // When the time is over, one failed handshake is enough to come back.
    this.#unanswered = HANDSHAKES_BEFORE_STREAM - 1
    return true
  }
}
