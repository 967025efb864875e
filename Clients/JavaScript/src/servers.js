// Server addresses: as given, or from the system server's configuration, which is stored for starts without a network.

import { ChatError } from './error.js'

const KEPT_MS = 30 * 86_400_000
/** Addresses that the server itself has not given are used for this long before it is asked again. */
const ASK_AGAIN_MS = 60_000
const KEY = 'configuration'

export class Servers {
  #url
  #kept
  #load
  #asked
  #askAgainAt = Infinity

  /** @param load (url) => Promise of JSON */
  constructor(url, kept, load) {
    const isAddress = value => typeof value === 'string' && /^(https?|wss?):\/\//.test(value)
    if (!isAddress(url) && !Object.values(each(name => url?.[name])).every(isAddress)) {
      throw new TypeError('url: an http(s) address, or { system, messages, sockets }')
    }
    this.#url = typeof url === 'string' ? trimmed(url) : each(name => trimmed(url[name]))
    this.#kept = kept
    this.#load = load
  }

  get name() { return this.#url.system ?? this.#url }

  /**
   * `{system, messages, sockets}`. A failed request is repeated by the next call; one in whose place something else serves, what
   * is stored or the address itself, after a minute.
   */
  async get() {
    if (typeof this.#url !== 'string') return this.#url
    const before = this.#asked
    if (!before || Date.now() > this.#askAgainAt) {
      this.#askAgainAt = Date.now() + ASK_AGAIN_MS
      this.#asked = this.#ask().catch(error => { this.#asked = before; if (before) return before; throw error })
    }
    return await this.#asked
  }

  async #ask() {
    try {
      const servers = resolved(await this.#load(`${this.#url}/client/v1/configuration.json`), this.#url)
      this.#askAgainAt = Infinity
      this.#kept.set(KEY, { servers, at: Date.now() }).catch(() => {})
      return servers
    } catch (error) {
      // A common proxy in front of all three need not have it.
      if (error.status === 404 || error.status === 405) return each(() => this.#url)
      const kept = await this.#kept.get(KEY)
      if (typeof kept?.servers?.sockets === 'string' && Math.abs(Date.now() - kept.at) < KEPT_MS) return kept.servers
      throw error
    }
  }
}

/** An address is a URL, or `:8081`: that port of the host that answered. */
function resolved(configuration, url) {
  if (configuration === null || typeof configuration !== 'object') throw new ChatError('protocol', 'No configuration', { isTemporary: true })
  const { protocol, hostname } = new URL(url)
  return each(name => {
    const address = configuration[name]
    if (typeof address !== 'string' || address === '') return url
    return trimmed(address.startsWith(':') ? `${protocol}//${hostname}${address}` : address)
  })
}

/** An object with one value per server. */
const each = make => ({ system: make('system'), messages: make('messages'), sockets: make('sockets') })
const trimmed = address => address.replace(/\/+$/, '')
