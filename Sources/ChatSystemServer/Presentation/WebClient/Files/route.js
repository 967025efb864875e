// The address of what is open: `#/rooms/{id}` and `#/rooms/{id}/{seq}`, a message in it. Pure.

/** `{roomId, seq?}` or `null`. `#ROOM`, as links had it once, is understood, too. */
export function parseRoute(hash) {
  const match = hash.match(/^#\/rooms\/([^/?#]+)(?:\/(\d{1,16}))?$/u) ?? hash.match(/^#([^/]+)$/u)
  if (!match) return null
  let roomId
  try { roomId = decodeURIComponent(match[1]) } catch { return null }
  if (!/^[A-Za-z0-9._-]{1,64}$/u.test(roomId)) return null
  const seq = Number(match[2])
  return Number.isSafeInteger(seq) && seq > 0 ? { roomId, seq } : { roomId }
}

export const routeTo = (roomId, seq) => `#/rooms/${encodeURIComponent(roomId)}${seq === undefined ? '' : `/${seq}`}`
