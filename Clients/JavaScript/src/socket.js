// Frames from a WebSocket, passed on as text.

const NORMAL = 1000

/**
 * @param on `{text(text), closed(code)}`; `closed` comes once, and nothing after it or after `close()`
 * @returns `{send(frame), close(code), authenticate(token)}`
 */
export function openSocket({ WebSocket, url, token, userId, on }) {
  let isOver = false
  const end = code => { if (!isOver) { isOver = true; on.closed(code) } }
  let socket
  try {
    // As a subprotocol the token does not appear in logs of addresses.
    socket = token === undefined ? new WebSocket(`${url}?userId=${userId}`) : new WebSocket(url, ['chat.v1', `bearer.${token}`])
  } catch {
    queueMicrotask(() => end(1006))
    return { send() {}, close() { isOver = true }, authenticate() {} }
  }
  socket.onmessage = ({ data }) => { if (!isOver) on.text(data) }
  socket.onclose = event => end(event?.code ?? 1006)
  // `close` follows, except in broken implementations.
  socket.onerror = () => { if (socket.readyState === 3) queueMicrotask(() => end(1006)) }
  const send = frame => {
    if (isOver || socket.readyState !== 1) return
    try { socket.send(JSON.stringify(frame)) } catch { /* it is closing; `close` says so */ }
  }
  return {
    send,
    authenticate: token => send({ type: 'auth', token }),
    close(code = NORMAL) {
      isOver = true
      try { socket.close(code) } catch { /* it was never open */ }
    },
  }
}
