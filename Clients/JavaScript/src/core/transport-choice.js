// Chooses the transport: a WebSocket, or streams for a while if handshakes are not answered but REST calls are.

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

  /**
   * After the network lost a stream it may be another network: a socket is tried once before streams are used again.
   */
  lost(transport, reason) { if (transport === 'eventStream' && NETWORK.has(reason)) this.#streamUntil = -1 }

  /** A handshake was not answered. Returns whether to see if REST works. */
  failed() { return ++this.#unanswered >= HANDSHAKES_BEFORE_STREAM }

  /** Returns whether streams are tried from now on. */
  restWorks(now) {
    if (this.#unanswered < HANDSHAKES_BEFORE_STREAM || now < this.#streamUntil) return false
    this.#streamUntil = now + STREAM_MS
    // Afterwards one failed handshake is enough to return to streams.
    this.#unanswered = HANDSHAKES_BEFORE_STREAM - 1
    return true
  }
}
