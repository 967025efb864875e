// REST calls: one attempt each, and a second one if the token is refused. Rejects only with `ChatError`.

import { ChatError, closedError, quiet } from './error.js'

const DEADLINE_MS = 20_000
const LONGEST_RETRY_AFTER_MS = 300_000
const REPEATABLE = new Set([408, 425, 429])

export class Rest {
  #fetch
  #servers
  #tokens
  #userId
  #onAnswer
  #underWay = new Set()
  #isClosed = false

  /**
   * @param servers () => Promise of `{system, messages, sockets}`
   * @param tokens `{current(), fresh(refused)}`; undefined in trusted mode (`userId`)
   * @param onAnswer (status, method, url): every answer
   */
  constructor({ fetch, servers, tokens, userId, onAnswer }) {
    this.#fetch = fetch
    this.#servers = servers
    this.#tokens = tokens
    this.#userId = userId
    this.#onAnswer = onAnswer
  }

  /**
   * @param server 'system' or 'messages'
   * @param values `{body, query, once}`; `once(method, url, body, token)` sends the request if its body is not JSON
   */
  call(server, method, path, values = {}) { return quiet(this.#call(server, method, path, values)) }

  async #call(server, method, path, { body, query, once = this.#once.bind(this) }) {
    if (this.#isClosed) throw closedError()
    const origin = (await this.#servers().catch(unsent))[server]
    const fields = Object.entries(query ?? {}).filter(([, value]) => value !== undefined)
    const url = `${origin}/api/v1${path}${fields.length > 0 ? `?${new URLSearchParams(fields)}` : ''}`
    const text = body === undefined ? undefined : JSON.stringify(body)
    const token = this.#tokens && await this.#tokens.current().catch(unsent)
    try {
      return await once(method, url, text, token)
    } catch (error) {
      if (error.status !== 401 || !this.#tokens) throw error
      return await once(method, url, text, await this.#tokens.fresh(token).catch(unsent))
    }
  }

  /** JSON from any address, without a token. */
  async get(url) { return await this.#once('GET', url) }

  close() {
    this.#isClosed = true
    for (const stop of this.#underWay) stop.abort()
  }

  async #once(method, url, body, token) {
    if (this.#isClosed) throw closedError()
    const headers = { Accept: 'application/json' }
    if (body !== undefined) headers['Content-Type'] = 'application/json'
    if (token !== undefined) headers.Authorization = `Bearer ${token}`
    else if (this.#userId !== undefined) headers['X-User-Id'] = String(this.#userId)
    const stop = new AbortController()
    let isLate = false
    const timer = setTimeout(() => { isLate = true; stop.abort() }, DEADLINE_MS)
    this.#underWay.add(stop)
    // A `fetch` that ignores the signal must end, too.
    const aborted = new Promise((_, reject) => stop.signal.addEventListener('abort', () => reject(stop.signal.reason)))
    aborted.catch(() => {})
    let answer, text
    try {
      const work = async () => {
        answer = await this.#fetch(url, {
          method, headers, body, signal: stop.signal, credentials: 'omit', cache: 'no-store', redirect: 'error',
        })
        return await answer.text()
      }
      text = await Promise.race([work(), aborted])
    } catch (cause) {
      if (this.#isClosed) throw closedError()
      throw isLate ? new ChatError('timeout', 'No answer', { isTemporary: true, cause })
        : new ChatError('network', 'No connection', { isTemporary: true, cause })
    } finally {
      clearTimeout(timer)
      this.#underWay.delete(stop)
    }
    this.#onAnswer(answer.status, method, url)
    if (answer.ok) return parsed(text, answer.status)
    throw refusal(answer, text)
  }
}

/** The server did nothing: the request was not sent, or refused for its token. */
function unsent(error) {
  error.isUnsent = true
  throw error
}

function parsed(text, status) {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch (cause) {
    // A proxy answered instead of the server.
    throw new ChatError('protocol', 'No JSON', { status, isTemporary: true, cause })
  }
}

export function refusal(answer, text) {
  let problem = {}
  try { problem = JSON.parse(text) ?? {} } catch { /* a proxy may answer with anything */ }
  const { status } = answer
  const isProblem = typeof problem.code === 'string' && /problem\+json/.test(answer.headers.get('Content-Type') ?? '')
  const error = new ChatError(
    isProblem ? problem.code : status >= 500 ? 'server_error' : `http_${status}`,
    isProblem ? String(problem.detail ?? problem.title ?? problem.code) : `The server answered ${status}`,
    {
      status, traceId: typeof problem.traceId === 'string' ? problem.traceId : undefined,
      retryAfterMs: retryAfterMs(answer.headers), isTemporary: status >= 500 || REPEATABLE.has(status),
    })
  error.isProblem = isProblem
  return error
}

/** Seconds, or a date, which is compared with the response's own `Date`: the local clock may be wrong. */
export function retryAfterMs(headers) {
  const text = headers.get('Retry-After')
  if (!text) return undefined
  const ms = /^\d+$/.test(text.trim()) ? Number(text) * 1000 : Date.parse(text) - (Date.parse(headers.get('Date') ?? '') || Date.now())
  return ms > 0 ? Math.min(ms, LONGEST_RETRY_AFTER_MS) : undefined
}
