// The user's rooms. A socket tells of one room; of the others the list is asked, as long as somebody looks at it.

const EVERY_MS = 15_000

/** Says 'change'. `trouble` is why the list may be old. */
export class RoomList extends EventTarget {
  rooms = []
  hasMore = false
  trouble = null
  #pages = 1
  #timer = null
  #isAsking = false
  #isClosed = false
  #directNames = new Map()

  constructor(api, people, userId) {
    super()
    Object.assign(this, { api, people, userId })
    this.look = () => { if (!document.hidden) this.refresh() }
    document.addEventListener('visibilitychange', this.look)
  }

  close() {
    this.#isClosed = true
    clearTimeout(this.#timer)
    document.removeEventListener('visibilitychange', this.look)
  }

  showMore() {
    this.#pages += 1
    return this.refresh()
  }

  async refresh() {
    if (this.#isAsking || this.#isClosed) return
    this.#isAsking = true
    clearTimeout(this.#timer)
    try {
      const rooms = new Map()
      let cursor
      for (let page = 0; page < this.#pages && (page === 0 || cursor); page += 1) {
        const answer = await this.api.rooms(cursor)
        // A room that moves up meanwhile comes twice.
        for (const room of answer.items) if (!rooms.has(room.roomId)) rooms.set(room.roomId, room)
        cursor = answer.nextCursor
      }
      this.rooms = [...rooms.values()]
      this.hasMore = cursor !== undefined
      this.trouble = null
    } catch (error) {
      this.trouble = error.message
    }
    this.#isAsking = false
    this.#schedule(EVERY_MS)
    this.#changed()
  }

  /** Something happened in the open room: every reader asking for the list then would be a crowd. */
  note(event) {
    const room = this.rooms.find(room => room.roomId === event.roomId)
    if (!room || event.seq <= room.lastSeq) return
    const changed = { ...room, lastSeq: event.seq }
    if (event.eventType === 'message') {
      changed.lastMessage = event
      changed.unreadCount = event.senderId === this.userId ? 0 : room.unreadCount + 1
    } else if (event.messageId !== undefined && event.messageId === room.lastMessage?.messageId) {
      changed.lastMessage = event
    } else if (event.eventType === 'room_updated') {
      changed.name = event.name
    }
    this.rooms = [changed, ...this.rooms.filter(other => other !== room)]
    this.#changed()
  }

  /** The open room was read. */
  markRead(roomId) {
    if (!this.rooms.some(room => room.roomId === roomId && room.unreadCount > 0)) return
    this.rooms = this.rooms.map(room => room.roomId === roomId ? { ...room, unreadCount: 0 } : room)
    this.#changed()
  }

  /** A direct room is called like the other one in it. */
  name(room) {
    if (room.type !== 'direct') return room.name
    const other = this.#directNames.get(room.roomId)
    if (typeof other === 'number') return this.people.name(other)
    if (other === undefined) this.#findOther(room.roomId)
    return 'Direct conversation'
  }

  async #findOther(roomId) {
    this.#directNames.set(roomId, null)
    try {
      const { items } = await this.api.members(roomId)
      const other = items.find(member => member.userId !== this.userId)
      if (other) this.#directNames.set(roomId, other.userId)
      this.#changed()
    } catch {
      this.#directNames.delete(roomId)
    }
  }

  #schedule(milliseconds) {
    clearTimeout(this.#timer)
    if (this.#isClosed) return
    this.#timer = setTimeout(() => document.hidden ? this.#schedule(EVERY_MS) : this.refresh(), milliseconds)
  }

  #changed() { this.dispatchEvent(new Event('change')) }
}
