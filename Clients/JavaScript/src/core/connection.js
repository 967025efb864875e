// State machine of a client's connection: when to open it, to ping, to renew the token, to change the transport. Pure:
// inputs record actions, which `take` returns in order; time passes only by `timePassed`.

import { LONGEST_ASKED_PAUSE_MS, Pauses, Timers, pauseMs } from './timers.js'
import { TokenLife } from './token.js'
import { TransportChoice } from './transport-choice.js'

const CONNECTING_MS = 10_000
const TOKEN_CALL_MS = 30_000
const PROBE_MS = 5_000
/** A deadline that is noticed later than this means that the process was stopped, not that the server is silent. */
const LATE_MS = 1_000
/** A connection that is live for this long counts as stable. */
const STABLE_MS = 60_000
/** Errors of the server about the client's own `sync`. */
const SYNC_ERRORS = new Set(['bad_message', 'not_synced', 'too_many_rooms'])
/** Close codes that are not from the server. */
const NO_ANSWER = new Set([1000, 1005, 1006, 1015])
const isOpenPhase = phase => phase === 'opening' || phase === 'syncing' || phase === 'live'

export class Connection {
  state = 'offline'
  reason = 'stopped'
  transport = 'webSocket'
  /** When the next try begins, in the machine's time, while it is `offline` and waits. */
  retryAt
  #timers
  #random
  #userId
  #needsToken
  #actions = []
  /** stopped, token (waits for a token, then connects), waiting, opening, syncing, live */
  #phase = 'stopped'
  #life = new TokenLife()
  /** The reason of the token call under way. */
  #asking
  #tokenFailures = 0
  #pauses
  #choice = new TransportChoice()
  #isMandatoryPause = false
  #reconnectAfterMs
  #heartbeatMs = 25_000
  #liveSince
  #isHidden = false
  /** The reason of the next attempt if the pending ping is not answered. */
  #deadReason = 'dead'
  /** Whether the wait for the server was extended once: a process that is always late ends it, too. */
  #isExtended = false

  constructor({ now = 0, random = Math.random, userId, needsToken = true } = {}) {
    this.#timers = new Timers(now)
    this.#random = random
    this.#pauses = new Pauses(random)
    this.#userId = userId
    this.#needsToken = needsToken
  }

  get nextDeadline() { return this.#timers.next }
  get userId() { return this.#userId }
  get isAsking() { return this.#asking !== undefined }

  timePassed(now) {
    const isLate = name => this.#timers.at(name) < now - LATE_MS
    if (isLate('ping')) this.#timers.setAt('ping', now)
    for (const name of ['pong', 'connecting']) {
      // The process was stopped, and what arrived meanwhile is not read yet.
      if (!isLate(name) || this.#isExtended) continue
      this.#isExtended = true
      this.#timers.setAt(name, now + PROBE_MS)
    }
    this.#timers.advance(now, name => this.#due(name))
  }

  // What the application wants

  start() {
    if (this.#phase !== 'stopped' || this.state === 'closed') return
    this.#pauses = new Pauses(this.#random)
    this.#choice = new TransportChoice()
    this.#life.refusals = 0
    this.reason = 'start'
    this.#connect('start')
  }

  stop() { return this.#end('offline', 'stopped') }
  close() { return this.#end('closed', 'closed') }

  retryNow() {
    if (this.#phase === 'waiting') this.#connect(this.reason)
  }

  // Tokens

  /** A token has arrived: its user, and its lifetime from now. */
  token({ sub, ...times }) {
    if (!this.isAsking) return
    this.#asked()
    if (this.#userId !== undefined && sub !== this.#userId) return this.#end('signedOut', 'otherUser')
    this.#userId = sub
    this.#tokenFailures = 0
    this.#life.begin(this.#timers.now, times)
    if (this.#phase !== 'stopped') this.#timers.setAt('renew', this.#life.renewAt)
    if (this.#phase === 'token') this.#connect(this.reason)
    else if (isOpenPhase(this.#phase)) this.#do('authenticate')
  }

  tokenFailed({ gaveUp = false } = {}) {
    if (!this.isAsking) return
    if (gaveUp) { this.#asked(); return this.#end('signedOut', 'signedOut') }
    this.#tokenCallFailed()
  }

  #tokenCallFailed() {
    this.#asked()
    const pause = pauseMs(this.#tokenFailures++, this.#random)
    if (this.#phase === 'token') this.#wait('token', pause)
    else if (this.#phase !== 'stopped') this.#timers.set('renew', pause)
  }

  /** The present token was refused by a REST call, or in place. */
  unauthorized() {
    if (!this.#needsToken || this.state === 'closed' || this.state === 'signedOut') return
    const wasThere = this.#life.isThere
    this.#life.refused(this.#timers.now)
    const { refusals } = this.#life
    if (refusals < 2 || this.#phase === 'stopped') this.#ask(this.#life.reason())
    // One token after the other is refused: the next one is asked for after a pause.
    else if (wasThere && !this.isAsking) this.#timers.set('renew', pauseMs(refusals - 2, this.#random))
  }

  // The transport

  frame(frame) {
    if (!isOpenPhase(this.#phase)) return
    this.#signOfLife()
    switch (frame.eventType) {
      case 'ready':
        if (this.#phase !== 'opening') break
        this.#phase = 'syncing'
        if (this.transport === 'webSocket') this.#choice.answered()
        this.#heartbeatMs = Math.min(Math.max(frame.heartbeatSeconds * 1000 || 25_000, 1_000), 120_000)
        this.#timers.clear('connecting')
        this.#signOfLife()
        this.#set('syncing', this.reason)
        if (this.transport === 'webSocket') this.#do('sync')
        break
      case 'synced':
        if (this.#phase !== 'syncing') break
        this.#phase = 'live'
        this.#pauses.succeeded()
        this.#liveSince = this.#timers.now
        this.#timers.set('stable', STABLE_MS)
        this.#set('live', this.reason)
        break
      case 'reconnect': this.#reconnectAfterMs = frame.afterMs; break
      case 'token_expiring': if (this.#life.age(this.#timers.now) > 1_000) this.#ask('expiring'); break
      case 'error':
        if (frame.code === 'invalid_token') this.unauthorized()
        else if (this.#phase === 'syncing' && SYNC_ERRORS.has(frame.code)) return this.protocolError()
    }
  }

  /** The transport has ended; `code` is 1006 where there was none. */
  closed({ code = 1006 } = {}) {
    if (!isOpenPhase(this.#phase)) return
    const afterMs = this.#reconnectAfterMs
    const wasOpening = this.#phase === 'opening'
    this.#settle()
    if (wasOpening && NO_ANSWER.has(code)) return this.#unanswered()
    if (this.transport === 'webSocket') this.#choice.answered()
    if (code === 4401 || code === 4408) this.#tokenRefused()
    else if (afterMs !== undefined) this.#retry('restart', afterMs)
    else if (code === 4429) { this.#pauses.atLeast(4); this.#retry('busy') }
    else this.#retry(reasons.get(code) ?? 'network')
  }

  /** An HTTP answer in place of a stream. */
  httpError({ status, retryAfterMs }) {
    if (!isOpenPhase(this.#phase)) return
    this.#settle()
    if (status === 401) this.#tokenRefused()
    else if (status === 404 || status === 405) {
      this.#choice = new TransportChoice()
      this.#connect('unsupported')
    } else this.#retry(status === 429 || status === 503 ? 'busy' : 'network', retryAfterMs)
  }

  /** A gap, or something that is no frame. */
  protocolError() { return this.#drop('protocol') }
  /** Frames came faster than they could be kept. */
  storeOverrun() { return this.#drop('store', false) }

  /** REST calls are answered while handshakes are not. */
  restWorks() {
    if (this.#choice.restWorks(this.#timers.now)) this.retryNow()
  }

  // What the surroundings report

  online() { return this.#check('network') }
  visible() { this.#isHidden = false; this.#check('dead') }

  hidden() {
    this.#isHidden = true
    this.#timers.clear('ping', 'pong')
  }

  /** The wall clock jumped. The machine's clock may have stopped meanwhile, but tokens have aged. */
  clockJumped({ byMs = 0 } = {}) {
    this.#life.pull(byMs)
    this.#timers.pull('renew', byMs)
    return this.#check('sleep')
  }

  #check(reason) {
    if (this.#phase === 'waiting' && !this.#isMandatoryPause) this.#connect(reason === 'sleep' ? 'sleep' : this.reason)
    else if (this.#phase === 'syncing' || this.#phase === 'live') {
      const limit = this.transport === 'webSocket' ? PROBE_MS : 2 * this.#heartbeatMs
      // A ping under way is waited for: it is not begun anew with each event.
      if (this.#timers.at('pong') <= this.#timers.now + limit) return
      if (this.transport === 'webSocket') this.#do('send', { type: 'ping' })
      this.#timers.clear('ping')
      this.#deadReason = reason
      this.#timers.set('pong', limit)
    }
  }

  #signOfLife() {
    this.#timers.clear('ping', 'pong')
    this.#deadReason = 'dead'
    this.#isExtended = false
    if (!this.#isHidden && this.#phase !== 'opening') this.#timers.set('ping', this.#heartbeatMs)
  }

  #due(name) {
    switch (name) {
      case 'retry': this.#connect(this.reason); break
      // Timed out: the call is no longer pending, and a late result is ignored.
      case 'token': this.#tokenCallFailed(); break
      case 'renew': this.#ask(this.#life.isThere ? 'expiring' : 'refused'); break
      case 'stable': this.#pauses.stable(); break
      case 'connecting': this.#giveUp(); this.#unanswered(); break
      case 'ping':
        // A stream cannot be asked, but its server sends a comment in every heartbeat.
        if (this.transport === 'webSocket') this.#do('send', { type: 'ping' })
        this.#timers.set('pong', this.transport === 'webSocket' ? Math.min(this.#heartbeatMs, 10_000) : this.#heartbeatMs)
        break
      case 'pong': {
        const reason = this.#deadReason
        this.#giveUp()
        this.#retry(reason)
      }
    }
  }

  #connect(reason) {
    this.#timers.clear('retry')
    this.retryAt = undefined
    this.#isMandatoryPause = false
    this.reason = reason
    if (this.#needsToken && !this.#life.isGood(this.#timers.now)) {
      this.#phase = 'token'
      this.#ask(this.#life.reason())
      return
    }
    if (this.#life.isThere && !this.isAsking && !this.#timers.has('renew')) this.#timers.setAt('renew', this.#life.renewAt)
    this.#phase = 'opening'
    const transport = this.#choice.at(this.#timers.now)
    // REST may have answered while a handshake was under way. That is the reason then, not how the handshake failed.
    if (transport === 'eventStream' && this.transport === 'webSocket') reason = 'unsupported'
    this.transport = transport
    this.#timers.set('connecting', CONNECTING_MS)
    this.#set('connecting', reason)
    this.#do('open', { transport: this.transport })
  }

  #tokenRefused() {
    this.#life.refused(this.#timers.now)
    // Without a delay the first time: usually the token has just expired.
    const attempt = Math.max(this.#pauses.attempts++ - 1, this.#life.refusals - 2)
    if (attempt >= 0) return this.#wait('token', pauseMs(attempt, this.#random))
    this.#set('offline', 'token')
    this.#connect('token')
  }

  /** A handshake without an answer. */
  #unanswered() {
    this.#retry('network')
    if (this.transport === 'webSocket' && this.#choice.failed()) this.#do('checkRest')
  }

  #drop(reason, isStrike = true) {
    if (!isOpenPhase(this.#phase)) return
    this.#giveUp()
    if (isStrike) this.#pauses.strike()
    this.#retry(reason)
  }

  #giveUp() {
    this.#do('close', { code: 1000 })
    this.#settle()
  }

  /** Resets the state of the current transport. */
  #settle() {
    if (this.#phase === 'live') this.#pauses.lived(this.#timers.now - this.#liveSince)
    this.#reconnectAfterMs = undefined
    this.#deadReason = 'dead'
    this.#isExtended = false
    this.#timers.clear('connecting', 'ping', 'pong', 'stable')
    this.#phase = 'waiting'
  }

  #retry(reason, askedMs) {
    this.#choice.lost(this.transport, reason)
    const pause = this.#pauses.next()
    if (askedMs === undefined) this.#wait(reason, pause)
    else this.#wait(reason, Math.min(Math.max(askedMs, 0), LONGEST_ASKED_PAUSE_MS), true)
  }

  #wait(reason, ms, isMandatory = false) {
    this.#phase = 'waiting'
    this.#isMandatoryPause = isMandatory
    this.retryAt = this.#timers.now + ms
    this.#timers.set('retry', ms)
    this.#set('offline', reason, ms)
  }

  #end(state, reason) {
    if (this.state === 'closed') return
    if (isOpenPhase(this.#phase)) this.#giveUp()
    if (state === 'signedOut') this.#life = new TokenLife()
    this.#settle()
    this.#phase = 'stopped'
    this.retryAt = undefined
    // REST calls need a pending token call, too.
    if (!this.isAsking || state !== 'offline') { this.#asking = undefined; this.#timers.clearAll() }
    this.#timers.clear('retry', 'renew')
    if (this.state !== state || this.reason !== reason) this.#set(state, reason)
  }

  #ask(reason) {
    if (this.isAsking) return
    this.#asking = reason
    this.#timers.clear('renew')
    this.#timers.set('token', TOKEN_CALL_MS)
    this.#do('token', { reason })
  }

  #asked() {
    this.#asking = undefined
    this.#timers.clear('token')
  }

  #set(state, reason, retryInMs) {
    const previous = this.state
    this.state = state
    this.reason = reason
    this.#do('state', { state, previous, reason, ...(retryInMs !== undefined && { retryInMs }) })
  }

  #do(name, value = {}) { this.#actions.push({ [name]: value }) }

  /** The actions since the last call. */
  take() {
    const actions = this.#actions
    this.#actions = []
    return actions
  }
}

/** The reason of a reconnect by close code. Any other code: the network. */
const reasons = new Map([[1001, 'restart'], [1012, 'restart'], [1013, 'busy'],
  ...[1002, 1003, 1007, 1008, 1009, 4403, 4404].map(code => [code, 'protocol'])])
