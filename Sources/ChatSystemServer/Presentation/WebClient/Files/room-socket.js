// One room's socket, made again whenever it ends, until the room is left.

import { Backoff } from './backoff.js'
import { Reaction, reactionTo } from './close-codes.js'

const SUBPROTOCOL = 'chat.v1'
const NORMAL = 1000
/** After so long a connection counts as a good one, and the next pause is a short one again. */
const STABLE_MS = 10_000
const PONG_MS = 10_000
const LONG_PAUSE_MS = 15_000
const HANDSHAKE_MS = 15_000

/**
 * `lastSeq()` is where to go on, `null` to begin; `events` is told of `ready`, `event` (with or without `seq`), `state`
 * ('connecting', 'catching_up', 'live', 'waiting'), `restart` and `left` (with a reason).
 */
export class RoomSocket {
  #socket = null
  #timers = new Map()
  #backoff = new Backoff()
  #isClosed = false
  /** When the server that goes away wants us back, counted from the close. */
  #afterMs = null
  #token = null

  constructor({ url, roomId, session, lastSeq, events, WebSocket = window.WebSocket }) {
    Object.assign(this, { url, roomId, session, lastSeq, events, WebSocket })
    this.hurry = () => { if (this.#timers.has('retry')) this.#connect() }
    window.addEventListener('online', this.hurry)
  }

  open() { this.#connect() }

  close() {
    this.#isClosed = true
    window.removeEventListener('online', this.hurry)
    this.#drop()
  }

  /** Returns whether it was given to the network: what cannot be sent now is old news later. */
  send(frame) {
    if (this.#socket?.readyState !== this.WebSocket.OPEN) return false
    this.#socket.send(JSON.stringify(frame))
    return true
  }

  async #connect() {
    this.#drop()
    this.events.state('connecting')
    let token
    try {
      token = await this.session.token()
    } catch (error) {
      // A session that has ended says so itself.
      if (!this.#isClosed && error.isTemporary) this.#retry(Math.max(error.retryAfterMs, this.#backoff.next()))
      return
    }
    if (this.#isClosed || this.#socket) return
    this.#token = token
    const lastSeq = this.lastSeq()
    // The id is for servers of `trusted` mode, which look at no token.
    const address = `${this.url}?roomId=${encodeURIComponent(this.roomId)}&userId=${this.session.userId}`
      + (lastSeq === null ? '' : `&lastSeq=${lastSeq}`)
    // The token goes where no log of addresses shows it.
    const socket = new this.WebSocket(address, [SUBPROTOCOL, `bearer.${token}`])
    this.#socket = socket
    socket.onmessage = message => { if (socket === this.#socket) this.#take(message.data, lastSeq) }
    socket.onclose = close => { if (socket === this.#socket) this.#closed(close.code, close.reason) }
    this.#after('handshake', HANDSHAKE_MS, () => this.#broken())
  }

  #take(text, lastSeq) {
    let event
    try { event = JSON.parse(text) } catch { return }
    this.#clear('pong')
    switch (event.eventType) {
      case 'ready':
        this.#clear('handshake')
        this.#after('stable', STABLE_MS, () => this.#backoff.reset())
        this.#heartbeat(event.heartbeatSeconds * 1000)
        this.events.ready(event, lastSeq !== null)
        this.events.state(lastSeq === null ? 'live' : 'catching_up')
        break
      case 'caught_up': this.events.state('live'); break
      case 'token_expiring': this.#renew(); break
      case 'reconnect': this.#afterMs = event.afterMs; break
      case 'pong': break
      case 'error': console.warn('The server did not take a frame:', event.code); break
      default: this.events.event(event)
    }
  }

  /** A fresh token in place of the one that ends. Where that fails, 4408 comes and then another try. */
  async #renew() {
    try {
      this.#token = await this.session.refresh(this.#token)
      this.send({ type: 'auth', token: this.#token })
    } catch { /* see above */ }
  }

  /** Pages never see the protocol's pings, so a link that died silently is found by one's own. */
  #heartbeat(milliseconds) {
    this.#after('ping', milliseconds, () => {
      this.send({ type: 'ping' })
      this.#after('pong', PONG_MS, () => this.#broken())
      this.#heartbeat(milliseconds)
    })
  }

  #broken() {
    this.#drop()
    this.#closed(1006, '')
  }

  #closed(code, reason) {
    const afterMs = this.#afterMs
    this.#drop()
    if (this.#isClosed) return
    switch (reactionTo(code)) {
      case Reaction.leave:
        this.close()
        this.events.left(code, reason)
        break
      case Reaction.restart:
        this.events.restart()
        this.#retry(this.#backoff.next())
        break
      case Reaction.refresh:
        this.#refreshed()
        break
      case Reaction.wait: this.#retry(LONG_PAUSE_MS + this.#backoff.next()); break
      default: this.#retry(afterMs ?? this.#backoff.next())
    }
  }

  async #refreshed() {
    this.events.state('connecting')
    try {
      await this.session.refresh(this.#token)
    } catch (error) {
      if (!error.isTemporary) return
    }
    // Also after a success: should the server not like the new one either, it is not asked in a loop.
    if (!this.#isClosed) this.#retry(this.#backoff.next())
  }

  #retry(milliseconds) {
    this.events.state('waiting', milliseconds)
    this.#after('retry', milliseconds, () => this.#connect())
  }

  /** Ends the socket of now, if any, and all that is due for it. */
  #drop() {
    const socket = this.#socket
    this.#socket = null
    this.#afterMs = null
    for (const name of [...this.#timers.keys()]) this.#clear(name)
    socket?.close(NORMAL)
  }

  #after(name, milliseconds, act) {
    this.#clear(name)
    this.#timers.set(name, setTimeout(() => { this.#timers.delete(name); act() }, milliseconds))
  }

  #clear(name) {
    clearTimeout(this.#timers.get(name))
    this.#timers.delete(name)
  }
}
