// Frames from a stream of server-sent events, read with `fetch`, for networks that block WebSockets. Most pages never
// need it, so it is a file of its own that is loaded on demand. It has no imports.

const LONGEST_FIELD = 1 << 21

/**
 * @param cursor () => where a stream goes on
 * @param retryAfterMs (headers) => the pause that an answer asks for
 * @param on as for a socket, and `alive()` for comments, `refused({status, retryAfterMs})` for a refused request
 *   instead of `closed`
 */
export function openStream({ fetch, url, token, userId, cursor, retryAfterMs, on }) {
  let isOver = false
  /** The stream whose frames are used, and all open streams: two while a new one replaces it. */
  let reading
  const all = new Set()
  const stopAll = () => { isOver = true; for (const stop of all) stop.abort() }
  const end = code => { if (!isOver) { stopAll(); on.closed(code) } }

  async function read(token, isFirst) {
    const stop = new AbortController()
    const isPresent = () => !isOver && reading === stop
    all.add(stop)
    if (isFirst) reading = stop
    const id = cursor()
    const headers = { Accept: 'text/event-stream' }
    if (id !== undefined) headers['Last-Event-ID'] = id
    if (token !== undefined) headers.Authorization = `Bearer ${token}`
    let answer
    try {
      const address = token === undefined ? `${url}?userId=${userId}` : url
      answer = await fetch(address, { headers, signal: stop.signal, credentials: 'omit', cache: 'no-store', redirect: 'error' })
    } catch {
      all.delete(stop)
      if (isPresent()) end(1006)
      return
    }
    const isStream = answer.ok && /event-stream/.test(answer.headers.get('Content-Type') ?? '')
    if (isOver || !isStream || !answer.body) {
      stop.abort()
      all.delete(stop)
      // A second stream that is refused leaves the first one as it is.
      if (isOver || !isPresent()) return
      stopAll()
      // A proxy that answers 200 with a page of its own does not serve streams.
      on.refused({ status: answer.ok ? 404 : answer.status, retryAfterMs: retryAfterMs(answer.headers) })
      return
    }
    if (!isFirst) { reading?.abort(); reading = stop }
    try {
      await readFields(answer.body, stop.signal, isPresent)
      if (isPresent()) end(1006)
    } catch {
      if (isPresent()) end(1006)
    } finally {
      all.delete(stop)
    }
  }

  async function readFields(body, signal, isPresent) {
    const reader = body.getReader()
    // In Node 20 a call may lose its signal when garbage is collected, and its connection would stay open.
    signal.addEventListener('abort', () => { reader.cancel().catch(() => {}) })
    const decoder = new TextDecoder()
    let rest = '', data = [], type = '', retries = 0
    for (;;) {
      const { done, value } = await reader.read()
      if (done || !isPresent()) return
      const lines = (rest + decoder.decode(value, { stream: true })).split(/\r\n|\n|\r(?!$)/)
      rest = lines.pop()
      if (rest.length > LONGEST_FIELD) return
      for (const line of lines) {
        if (!isPresent()) return
        if (line === '') {
          if (data.length > 0) dispatch(type, data.join('\n'))
          data = []
          type = ''
        } else if (line.startsWith(':')) on.alive()
        else {
          const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line)
          if (field === 'data') data.push(value)
          else if (field === 'event') type = value
          // The first `retry` is for `EventSource`; a later one is the delay before a reconnect.
          else if (field === 'retry' && ++retries > 1) on.text(JSON.stringify({ eventType: 'reconnect', afterMs: Number(value) || 0 }))
        }
      }
    }
  }

  function dispatch(type, text) {
    if (type !== 'close') return on.text(text)
    let code = 1006
    try { code = JSON.parse(text).code ?? code } catch { /* then it is a close without a code */ }
    end(code)
  }

  read(token, true)
  return {
    send() {},
    /** The token of a stream cannot be renewed, so a new stream is opened before the token expires. */
    authenticate: token => { if (!isOver) read(token, false) },
    close: stopAll,
  }
}
