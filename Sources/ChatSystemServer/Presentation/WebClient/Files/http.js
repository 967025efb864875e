// One REST call: JSON there, JSON back, problem documents (RFC 9457) as errors.

const DEADLINE_MS = 20_000

/** What a call failed with. `status` is 0 where there was no answer. */
export class CallError extends Error {
  constructor(status, code, detail, retryAfterMs = 0) {
    super(detail)
    this.status = status
    this.code = code
    this.retryAfterMs = retryAfterMs
  }

  /** Whether the very same call may succeed later: the server is away, stopping or busy, or the answer was lost. */
  get isTemporary() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500
  }
}

/**
 * Calls fail with `CallError` alone. Answers without a body are `null`. Servers of `token` mode look at the token, those
 * of `trusted` mode, which may know no tokens, at the user's id.
 */
export async function call(url, { method = 'GET', body, token, userId } = {}) {
  const headers = {}
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  if (token) headers.Authorization = `Bearer ${token}`
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
    throw new CallError(0, 'no_answer', 'The server cannot be reached')
  } finally {
    clearTimeout(timer)
  }
}

function refusal(answer, text) {
  let problem = {}
  // A proxy in between may answer with anything.
  try { problem = JSON.parse(text) ?? {} } catch { /* no problem document */ }
  const seconds = Number(answer.headers.get('Retry-After'))
  return new CallError(
    answer.status, String(problem.code ?? 'unknown'), String(problem.detail ?? `The server answered ${answer.status}`),
    Number.isFinite(seconds) ? seconds * 1000 : 0)
}
