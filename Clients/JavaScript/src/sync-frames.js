/** A frame has at most 64 KiB. */
const MOST_BYTES = 60_000

/** The `sync` of a new connection: in several frames where the rooms do not fit into one. Ids and marks are ASCII. */
export function syncFrames({ cursor, rooms, maxMissed }) {
  const frames = [{ type: 'sync', ...cursor === undefined ? {} : { cursor }, rooms: {}, maxMissed }]
  let bytes = JSON.stringify(frames[0]).length
  for (const [roomId, position] of Object.entries(rooms).slice(0, 10_000)) {
    const size = roomId.length + JSON.stringify(position).length + 4
    if (bytes + size > MOST_BYTES) {
      frames.at(-1).more = true
      frames.push({ type: 'sync', rooms: {} })
      bytes = 100
    }
    frames.at(-1).rooms[roomId] = position
    bytes += size
  }
  return frames
}
