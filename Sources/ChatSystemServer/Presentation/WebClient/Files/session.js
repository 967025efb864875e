// Who is signed in, and the tokens.
//
// They are kept in sessionStorage: a reload keeps the session, closing the tab ends it, and no two tabs share a refresh
// token, of which a second use would end the whole family. Scripts of others, who could read it, are not let in: the
// page's policy allows this server's files alone, and nothing is ever put in as HTML.
//
// A refresh whose answer is lost keeps the old tokens, and the next try shows the same refresh token again: within half a
// minute of its first use the server gives the same next one.

import { call, CallError } from './http.js'

const STORED = 'chat.session'
/**
 * A token is renewed when a quarter of its life is left, but not more than this before its end: as servers have it, who
 * warn a socket of its token's end at that very time.
 */
const LONGEST_MARGIN_MS = 60_000

/** Says 'ended', with a notice as its `detail`, when the tokens are good no more or the user has signed out. */
export class Session extends EventTarget {
  #tokens
  #refreshing = null

  constructor(system, { storage = window.sessionStorage, now = Date.now } = {}) {
    super()
    this.system = system
    this.storage = storage
    this.now = now
    this.#tokens = this.#restored()
  }

  /** The user's id, `undefined` for nobody. */
  get userId() { return this.#tokens?.userId }

  async register(username, password, displayName) {
    const body = { username, password, ...(displayName ? { displayName } : {}) }
    await call(`${this.system}/auth/register`, { method: 'POST', body })
  }

  async logIn(username, password) {
    this.#keep(await call(`${this.system}/auth/login`, { method: 'POST', body: { username, password } }))
  }

  async logOut() {
    const refreshToken = this.#tokens?.refreshToken
    this.#end()
    // Signed out here whatever the server says; there it ends by itself some day.
    if (refreshToken) await this.#post('logout', refreshToken).catch(() => {})
  }

  /** A token that is good for a while yet. */
  async token() {
    if (this.#tokens && this.now() < this.#tokens.freshUntil) return this.#tokens.accessToken
    return await this.refresh()
  }

  /**
   * A new token, where `stale` is still the present one. One refresh at a time: a refresh token works once.
   * Fails with a temporary `CallError` where the server did not answer, and ends the session where it said no.
   */
  async refresh(stale) {
    if (!this.#tokens) throw signedOut()
    if (stale && stale !== this.#tokens.accessToken) return this.#tokens.accessToken
    this.#refreshing ??= this.#refresh().finally(() => { this.#refreshing = null })
    return await this.#refreshing
  }

  async #refresh() {
    const { refreshToken } = this.#tokens
    try {
      const answer = await this.#post('refresh', refreshToken)
      // Signed out, or in as somebody else, meanwhile.
      if (this.#tokens?.refreshToken !== refreshToken) throw signedOut()
      this.#keep(answer)
      return answer.accessToken
    } catch (error) {
      if (!error.isTemporary && this.#tokens?.refreshToken === refreshToken) this.#end('Please sign in again')
      throw error
    }
  }

  #post(path, refreshToken) {
    return call(`${this.system}/auth/${path}`, { method: 'POST', body: { refreshToken } })
  }

  #keep({ accessToken, refreshToken, expiresIn, userId }) {
    const lifetimeMs = expiresIn * 1000
    const freshUntil = this.now() + lifetimeMs - Math.min(LONGEST_MARGIN_MS, lifetimeMs / 4)
    this.#tokens = { accessToken, refreshToken, userId, freshUntil }
    this.#store(JSON.stringify(this.#tokens))
  }

  #end(notice = '') {
    if (!this.#tokens) return
    this.#tokens = null
    this.#store(null)
    this.dispatchEvent(new CustomEvent('ended', { detail: notice }))
  }

  /** Storage may be full or forbidden; then the session lives as long as the page. */
  #store(text) {
    try {
      if (text === null) this.storage.removeItem(STORED)
      else this.storage.setItem(STORED, text)
    } catch { /* see above */ }
  }

  #restored() {
    try {
      const tokens = JSON.parse(this.storage.getItem(STORED))
      return typeof tokens?.refreshToken === 'string' ? tokens : null
    } catch {
      return null
    }
  }
}

const signedOut = () => new CallError(401, 'signed_out', 'You are signed out')
