// REST calls that the chat library does not make: accounts, members, names, and rooms that the user is not in. Bodies
// are JSON; problem documents (RFC 9457) become errors.

const DEADLINE_MS = 20_000
const PAGE = 100
const id = encodeURIComponent

/** What a call failed with. `status` is 0 where there was no answer. */
export class CallError extends Error {
  constructor(status, code, detail, retryAfterMs = 0) {
    super(detail)
    Object.assign(this, { status, code, retryAfterMs })
  }

  /** Whether the very same call may succeed later: the server is away or busy, or the answer was lost. */
  get isTemporary() { return [0, 408, 425, 429].includes(this.status) || this.status >= 500 }
}

/** Fails with `CallError` alone. Answers without a body are `null`. */
export async function call(url, { method = 'GET', body, token, userId } = {}) {
  const headers = {}
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  if (token) headers.Authorization = `Bearer ${token}`
  // Servers of trusted mode, which may know no tokens, look at this one.
  if (userId !== undefined) headers['X-User-Id'] = String(userId)
  const stop = new AbortController()
  const timer = setTimeout(() => stop.abort(), DEADLINE_MS)
  try {
    const answer = await fetch(url, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal: stop.signal,
      credentials: 'omit', cache: 'no-store', redirect: 'error',
    })
    const text = await answer.text()
    if (answer.ok) return text === '' ? null : JSON.parse(text)
    throw refusal(answer, text)
  } catch (error) {
    if (error instanceof CallError) throw error
    throw new CallError(0, 'network', 'The server cannot be reached')
  } finally {
    clearTimeout(timer)
  }
}

function refusal(answer, text) {
  let problem = {}
  // A proxy in between may answer with anything.
  try { problem = JSON.parse(text) ?? {} } catch { /* no problem document */ }
  const seconds = Number(answer.headers.get('Retry-After'))
  const fields = Array.isArray(problem.errors) ? problem.errors.map(each => each?.message).filter(Boolean).join(' ') : ''
  const detail = fields || problem.detail || `The server answered ${answer.status}`
  const retryAfterMs = Number.isFinite(seconds) ? seconds * 1000 : 0
  return new CallError(answer.status, String(problem.code ?? 'unknown'), String(detail), retryAfterMs)
}

/** The calls of a signed-in user, one method for each. */
export class Api {
  /** `servers`: `{system, messages}`, addresses with `/api/v1`. */
  constructor(servers, session) { Object.assign(this, { servers, session }) }

  me() { return this.#system('GET', '/users/me') }
  changeMe(values) { return this.#system('PATCH', '/users/me', values) }
  changePassword(current, next) { return this.#system('PUT', '/users/me/password', { current, next }) }
  user(userId) { return this.#system('GET', `/users/${id(userId)}`) }

  room(roomId) { return this.#system('GET', `/rooms/${id(roomId)}`) }
  renameRoom(roomId, name) { return this.#system('PATCH', `/rooms/${id(roomId)}`, { name }) }
  archiveRoom(roomId) { return this.#system('DELETE', `/rooms/${id(roomId)}`) }
  addMember(roomId, userId) { return this.#system('POST', `/rooms/${id(roomId)}/members`, { userId }) }
  removeMember(roomId, userId) { return this.#system('DELETE', `/rooms/${id(roomId)}/members/${id(userId)}`) }
  setRole(roomId, userId, role) { return this.#system('PATCH', `/rooms/${id(roomId)}/members/${id(userId)}`, { role }) }

  message(messageId) { return this.#messages('GET', `/messages/${id(messageId)}`) }
  history(roomId, before) {
    const from = before === undefined ? '' : `&before=${before}`
    return this.#messages('GET', `/rooms/${id(roomId)}/messages?limit=${PAGE}${from}`)
  }

  #system(method, path, body) { return this.#call(this.servers.system + path, method, body) }
  #messages(method, path, body) { return this.#call(this.servers.messages + path, method, body) }

  async #call(url, method, body) {
    const { session } = this
    const token = await session.token()
    try {
      return await call(url, { method, body, token, userId: session.userId })
    } catch (error) {
      if (error.status !== 401 || error.code === 'invalid_credentials' || !token) throw error
      // The server decides, by its clock and its keys, that the token is invalid. One retry with a new token.
      return await call(url, { method, body, token: await session.refresh(token), userId: session.userId })
    }
  }
}
