// Runs the connection's state machine: performs its actions (timers, tokens, the transport) and passes on events of the
// page.

import { Connection } from './core/connection.js'
import { readToken } from './core/token.js'
import { Clock } from './clock.js'
import { ChatError, closedError, deferred } from './error.js'
import { retryAfterMs } from './rest.js'
import { openSocket } from './socket.js'

const TOKEN_CALL_MS = 30_000
const TICK_MS = 5_000

export class Connector {
  machine
  #options
  #token
  #refused
  #call = 0
  #isCalling = false
  #waiting = null
  #transport = null
  #generation = 0
  #inputs = []
  #isRunning = false
  #timer
  #tick
  #clock = new Clock()
  #offs = []
  #stop = new AbortController()
  /** The error that causes the next change of state. */
  #cause

  /**
   * @param options `{userId?, getToken?, WebSocket, fetch, sockets: () => Promise of an origin, exclusively(name, work, options), cursor()}`
   *   and the hooks `onState(change)`, `onUser(userId)`, `onSync()`, `onFrame(frame, size)`, `onLost()`, `checkRest()`
   */
  constructor(options) {
    this.#options = options
    this.machine = new Connection({ now: this.#clock.now(), userId: options.userId, needsToken: Boolean(options.getToken) })
  }

  start() {
    this.#watch()
    this.input('start')
    // It may have been stopped while the page was hidden.
    this.input(globalThis.document?.hidden ? 'hidden' : 'visible')
  }
  stop() { this.#unwatch(); this.input('stop') }

  close() {
    this.input('close')
    this.#unwatch()
    clearTimeout(this.#timer)
    this.#stop.abort(closedError())
    this.#failWaiting(this.#stop.signal.reason)
  }

  /** Passes an input to the state machine. An input that arrives while another is processed is queued. */
  input(name, argument) {
    this.#inputs.push([name, argument])
    if (this.#isRunning) return
    this.#isRunning = true
    try {
      for (let next; (next = this.#inputs.shift());) {
        const jump = this.#clock.jump()
        this.machine.timePassed(this.#clock.now())
        if (jump) this.machine.clockJumped({ byMs: jump })
        if (next[0]) this.machine[next[0]](next[1] ?? {})
        this.#perform(this.machine.take())
      }
    } finally {
      this.#isRunning = false
    }
    this.#schedule()
  }

  send(frame) {
    if (this.machine.state !== 'live' || this.machine.transport !== 'webSocket') return false
    this.#transport?.send(frame)
    return true
  }

  sendSync(frame) { if (this.machine.state === 'syncing') this.#transport?.send(frame) }

  // Tokens for REST calls

  current() { return this.#token === undefined ? this.fresh() : Promise.resolve(this.#token) }

  /** Another token than the one that was refused. */
  fresh(refused) {
    if (this.#token !== undefined && this.#token !== refused) return Promise.resolve(this.#token)
    const { state } = this.machine
    if (state === 'closed') return Promise.reject(closedError())
    if (state === 'signedOut' && !this.machine.isAsking) return Promise.reject(new ChatError('signed_out', 'Nobody is signed in'))
    this.#refuse()
    this.#waiting ??= deferred()
    const { promise } = this.#waiting
    this.input('unauthorized')
    // It has refused so many tokens that the next one is asked for after a pause.
    if (!this.machine.isAsking) this.#failWaiting(new ChatError('signed_out', 'The server refuses each token', { isTemporary: true }))
    return promise
  }

  #refuse() {
    if (this.#token === undefined) return
    this.#refused = this.#token
    this.#token = undefined
  }

  #failWaiting(error) {
    this.#waiting?.reject(error)
    this.#waiting = null
  }

  // Actions

  #perform(actions) {
    for (const action of actions) {
      const [[name, value]] = Object.entries(action)
      switch (name) {
        case 'token': this.#askForToken(value.reason); break
        case 'open': this.#open(value.transport); break
        case 'send': this.#transport?.send(value); break
        case 'sync': this.#options.onSync(); break
        case 'authenticate': this.#transport?.authenticate(this.#token); break
        case 'close': this.#end(value.code); break
        case 'checkRest': this.#options.checkRest(); break
        case 'state': this.#stateChanged(value)
      }
    }
  }

  #stateChanged(change) {
    const cause = this.#cause
    this.#cause = undefined
    if (change.state === 'offline' || change.state === 'signedOut' || change.state === 'closed') this.#end()
    if (change.state === 'signedOut') {
      this.#token = undefined
      this.#failWaiting(new ChatError('signed_out', 'Nobody is signed in', { cause }))
    }
    this.#options.onState({ ...change, ...cause && { cause } })
  }

  #end(code) {
    const transport = this.#transport
    this.#transport = null
    this.#generation += 1
    transport?.close(code)
    this.#options.onLost()
  }

  async #open(kind) {
    const generation = ++this.#generation
    const isPresent = () => generation === this.#generation
    let origin, openStream
    try {
      origin = await this.#options.sockets()
      if (kind === 'eventStream') ({ openStream } = await import('./event-stream.js'))
    } catch (error) {
      if (!isPresent()) return
      this.#cause = error
      // Not a stream's answer: 404 and 405 say nothing of streams here.
      return this.input('httpError', { status: error.status >= 429 ? error.status : 0, retryAfterMs: error.retryAfterMs })
    }
    if (!isPresent()) return
    const { userId } = this.machine
    const on = {
      text: text => { if (isPresent()) this.#received(text) },
      alive: () => { if (isPresent()) this.input('frame', {}) },
      closed: code => { if (isPresent()) { this.#transport = null; if (code === 4401 || code === 4408) this.#refuse(); this.input('closed', { code }) } },
      refused: answer => { if (isPresent()) { this.#transport = null; if (answer.status === 401) this.#refuse(); this.input('httpError', answer) } },
    }
    const token = this.#options.getToken && this.#token
    const { WebSocket, fetch, cursor } = this.#options
    this.#transport = openStream
      ? openStream({ fetch, url: `${origin.replace(/^ws/, 'http')}/sse/user`, token, userId, cursor, retryAfterMs, on })
      : openSocket({ WebSocket, url: `${origin.replace(/^http/, 'ws')}/ws/user`, token, userId, on })
  }

  #received(text) {
    let frame
    try { frame = JSON.parse(text) } catch { /* see below */ }
    if (frame === null || typeof frame !== 'object' || Array.isArray(frame)) return this.input('protocolError')
    if (frame.eventType === 'error' && frame.code === 'invalid_token') this.#refuse()
    // `synced` takes effect after all frames before it are processed; see `Intake`.
    this.input('frame', frame.eventType === 'synced' ? {} : frame)
    this.#options.onFrame(frame, text.length)
  }

  async #askForToken(reason) {
    const call = ++this.#call
    const isPresent = () => call === this.#call && this.machine.isAsking
    let timer, onStop
    try {
      const token = await this.#options.exclusively('token', async () => {
        const late = new ChatError('timeout', 'getToken timed out', { isTemporary: true })
        if (!isPresent()) throw late
        const limit = new Promise((_, reject) => {
          timer = setTimeout(() => reject(late), TOKEN_CALL_MS)
          onStop = () => reject(this.#stop.signal.reason)
          this.#stop.signal.addEventListener('abort', onStop, { once: true })
        })
        return await Promise.race([Promise.resolve().then(() => this.#options.getToken({ reason })), limit])
      }, { signal: this.#stop.signal })
      if (!isPresent()) return
      const info = readToken(token, Date.now())
      const isRefused = token === this.#refused
      if (!info || isRefused) {
        throw new ChatError('signed_out', `getToken returned ${isRefused ? 'the refused' : 'no access'} token`, { isTemporary: true })
      }
      this.#token = token
      this.#cause = undefined
      const known = this.machine.userId
      // Before the connection opens: the user's stored data is loaded first.
      if (known === undefined) this.#options.onUser(info.sub)
      this.input('token', info)
      if (this.#token !== undefined) { this.#waiting?.resolve(token); this.#waiting = null }
    } catch (error) {
      // Calls that wait for this token end, even if the machine no longer does.
      if (call === this.#call && error?.name !== 'SignedOut') {
        const failure = error instanceof ChatError ? error : new ChatError('network', 'No token came', { isTemporary: true, cause: error })
        this.#failWaiting(failure)
      }
      if (!isPresent()) return
      this.#cause = error
      this.input('tokenFailed', { gaveUp: error?.name === 'SignedOut' })
    } finally {
      clearTimeout(timer)
      this.#stop.signal.removeEventListener('abort', onStop)
    }
  }

  // Time and surroundings

  #schedule() {
    clearTimeout(this.#timer)
    const at = this.machine.nextDeadline
    if (at === undefined || this.machine.state === 'closed') return
    this.#timer = setTimeout(() => this.input(), Math.min(Math.max(at - this.#clock.now(), 0), 2 ** 31 - 1))
  }

  #watch() {
    if (this.#tick !== undefined || this.machine.state === 'closed') return
    this.#clock.jump()
    this.#tick = setInterval(() => this.input(), TICK_MS)
    const { document, addEventListener } = globalThis
    const listen = (target, type, listener) => {
      target.addEventListener(type, listener)
      this.#offs.push(() => target.removeEventListener(type, listener))
    }
    if (typeof document?.addEventListener === 'function') {
      const visibility = () => { this.#clock.isThrottled = document.hidden; this.input(document.hidden ? 'hidden' : 'visible') }
      this.#clock.isThrottled = Boolean(document.hidden)
      listen(document, 'visibilitychange', visibility)
    }
    if (typeof addEventListener === 'function') {
      listen(globalThis, 'online', () => this.input('online'))
      listen(globalThis, 'pageshow', () => this.input('visible'))
    }
  }

  #unwatch() {
    clearInterval(this.#tick)
    this.#tick = undefined
    for (const off of this.#offs.splice(0)) off()
  }
}
