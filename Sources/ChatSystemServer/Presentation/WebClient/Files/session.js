// Who is signed in, and the tokens. All tabs of a browser share one sign-in: the tokens are in localStorage, and a lock
// lets one tab at a time exchange the refresh token, which works once; the others find the new pair.
//
// A refresh whose answer is lost keeps the old tokens, and the next try shows the same refresh token again: within half a
// minute of its first use the server gives the same next one. Scripts of others, who could read localStorage, are not
// let in: the page's policy allows this server's files alone, and nothing is ever put in as HTML.

import { call, CallError } from './rest.js'

const STORED = 'chat.session'
const LOCK = 'chat.session'
/** A token is renewed when this share of its lifetime is left, at most `LONGEST_MARGIN_MS` before its end. */
const MARGIN = 0.2
const LONGEST_MARGIN_MS = 60_000
/** How long a refresh waits for that of another tab: a tab that is frozen during its own must not block all others. */
const LOCK_WAIT_MS = 8_000

/** Dispatches 'ended' when the session has expired or the user has signed out, in any tab; 'changed': another user. */
export class Session extends EventTarget {
  #tokens
  #refreshing = null
  /** The token that the chat library has. */
  #given

  constructor(system, { storage, locks = globalThis.navigator?.locks, now = Date.now, post = call } = {}) {
    super()
    Object.assign(this, { system, storage, locks, now, post })
    this.#tokens = this.#stored()
  }

  /** The user's id, `undefined` for nobody. */
  get userId() { return this.#tokens?.userId }

  async register(username, password, displayName) {
    const body = { username, password, ...(displayName ? { displayName } : {}) }
    await this.post(`${this.system}/auth/register`, { method: 'POST', body })
  }

  async logIn(username, password) {
    this.#keep(await this.post(`${this.system}/auth/login`, { method: 'POST', body: { username, password } }))
  }

  /** Signs out here even if the server does not answer: there the session expires by itself. */
  async logOut() {
    const refreshToken = this.#tokens?.refreshToken
    this.#end('signedOut')
    if (refreshToken) await this.#ask('logout', refreshToken).catch(() => {})
  }

  /** Another tab has signed in or out, or has new tokens. */
  storageChanged(key) {
    if (key !== STORED && key !== null) return
    const tokens = this.#stored()
    if (tokens?.userId === this.userId) { if (tokens) this.#tokens = tokens }
    else if (tokens) { this.#tokens = tokens; this.dispatchEvent(new Event('changed')) }
    else this.#end('signedOut')
  }

  /** A token that is good for a while yet. */
  async token() {
    const tokens = this.#tokens
    if (tokens && this.now() < tokens.freshUntil) return tokens.accessToken
    return await this.refresh(tokens?.accessToken)
  }

  /** The token callback of the chat library: `SignedOut` where there is none any more. */
  async tokenFor({ reason }) {
    try {
      return this.#given = reason === 'first' ? await this.token() : await this.refresh(this.#given)
    } catch (error) {
      if (error.code !== 'signed_out') throw error
      throw Object.assign(new Error('Signed out'), { name: 'SignedOut' })
    }
  }

  /**
   * A new token, where `stale` is still the present one. Fails with a temporary `CallError` where the server did not
   * answer, and with `signed_out` where it said no.
   */
  async refresh(stale) {
    if (!this.#tokens) throw signedOut()
    this.#refreshing ??= this.#alone(() => this.#exchange(stale)).finally(() => { this.#refreshing = null })
    return await this.#refreshing
  }

  async #alone(work) {
    // Pages without TLS have no locks: then only the half minute of the server protects two tabs from each other.
    if (!this.locks) return await work()
    const stop = new AbortController()
    const timer = setTimeout(() => stop.abort(), LOCK_WAIT_MS)
    let isHeld = false
    try {
      return await this.locks.request(LOCK, { signal: stop.signal }, () => {
        isHeld = true
        clearTimeout(timer)
        return work()
      })
    } catch (error) {
      if (isHeld || error?.name !== 'AbortError') throw error
      return await work()
    } finally {
      clearTimeout(timer)
    }
  }

  async #exchange(stale) {
    // Another tab may have done it while this one waited for the lock.
    const stored = this.#stored()
    if (stored?.userId === this.userId) this.#tokens = stored
    if (!this.#tokens) throw signedOut()
    const { accessToken, refreshToken, freshUntil } = this.#tokens
    if (stale !== undefined && stale !== accessToken && this.now() < freshUntil) return accessToken
    try {
      const answer = await this.#ask('refresh', refreshToken)
      // Signed out, or in as somebody else, meanwhile.
      if (this.#tokens?.refreshToken !== refreshToken) throw signedOut()
      this.#keep(answer)
      return answer.accessToken
    } catch (error) {
      if (error.isTemporary || error.code === 'signed_out') throw error
      if (this.#tokens?.refreshToken === refreshToken) this.#end('expired')
      throw signedOut()
    }
  }

  #ask(path, refreshToken) {
    return this.post(`${this.system}/auth/${path}`, { method: 'POST', body: { refreshToken } })
  }

  #keep({ accessToken, refreshToken, expiresIn, userId }) {
    const lifetimeMs = expiresIn * 1000
    const freshUntil = this.now() + lifetimeMs - Math.min(LONGEST_MARGIN_MS, lifetimeMs * MARGIN)
    this.#tokens = { accessToken, refreshToken, userId, freshUntil }
    this.storage.set(STORED, JSON.stringify(this.#tokens))
  }

  #end(reason) {
    if (!this.#tokens) return
    this.#tokens = null
    this.storage.set(STORED, null)
    this.dispatchEvent(new CustomEvent('ended', { detail: reason }))
  }

  #stored() {
    const tokens = this.storage.json(STORED)
    return typeof tokens?.refreshToken === 'string' && typeof tokens.accessToken === 'string' ? tokens : null
  }
}

const signedOut = () => new CallError(401, 'signed_out', 'You are signed out')
