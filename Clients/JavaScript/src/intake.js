// Processes frames in batches: first the state machines, then the store, then the listeners. Nothing is delivered
// before it is stored.

import { headOf } from './core/room-list.js'
import { RoomLog } from './core/room-log.js'
import { ChatError, closedError, quiet } from './error.js'
import { Changes } from './store.js'

const MOST_FRAMES = 10_000
const MOST_CHARACTERS = 16 << 20
const MOST_IN_BATCH = 1_000
/** Limit of pending requests about deleted messages. */
const MOST_RECOUNTS = 100

export class Intake {
  logs = new Map()
  #queue = []
  #characters = 0
  #isRunning = false
  /** Whether the state machines are ahead of the store. */
  isKeeping = false
  #dirty = new Set()
  /** The rooms whose positions the connection goes on from; `undefined` for all of them. */
  #named
  #context
  #isClosed = false
  /** Whether the positions for the current connection were returned by `begin`; `false` once it is lost. */
  #isBegun = false
  #recounts = 0
  #recounting = Promise.resolve()

  /**
   * @param context `{userId(), list(), store(): Promise, room(id) of those that exist, connection, marks,
   *   message(id): Promise}` and the hooks
   *   `onList()`, `onAdded(roomId)`, `onLogged(event)`, `onSynced(frame)`, `onServerError(frame)`, `onError(error)`
   */
  constructor(context) { this.#context = context }

  /** The positions of the rooms that are kept. Their events are read when they are opened. */
  load(positions, keep) {
    for (const [roomId, position] of positions) {
      if (!this.logs.has(roomId)) this.logs.set(roomId, new RoomLog({ userId: this.#context.userId(), keep, position }))
    }
  }

  /** A frame of the server. */
  add(frame, characters) {
    if (this.#isClosed) return
    if (this.#queue.length >= MOST_FRAMES || this.#characters + characters > MOST_CHARACTERS) {
      // The queued frames are still processed, so that each connection gets further than the previous one.
      this.#context.connection.input('storeOverrun')
      return
    }
    this.#characters += characters
    this.#queue.push({ frame, characters })
    this.#run()
  }

  /** Queues `work` among the frames. Resolves to its result. */
  job(work) {
    return quiet(new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(closedError())
      this.#queue.push({ work, resolve, reject })
      this.#run()
    }))
  }

  /** The connection is lost. Its frames are still processed, but its `synced` is ignored. */
  lost() {
    this.#isBegun = false
    for (const { frame } of this.#queue) if (frame?.eventType === 'synced') frame.eventType = 'cursor'
  }

  close() {
    this.#isClosed = true
    for (const { reject } of this.#queue.splice(0)) reject?.(closedError())
  }

  /**
   * The positions for the `sync` of a new connection; `undefined` if they were already returned for it, because a slow
   * store delayed the job of the previous connection.
   */
  begin({ isNamed = true } = {}) {
    if (this.#isBegun) return undefined
    const list = this.#context.list()
    list.begin()
    this.#isBegun = true
    this.#named = new Set()
    const rooms = {}
    for (const [roomId, log] of this.logs) {
      if (log.position) {
        rooms[roomId] = log.position
        if (isNamed) this.#named.add(roomId)
      }
      this.#handNow(roomId, log.syncing({ isNamed: isNamed && log.position !== null }))
    }
    return { rooms, cursor: list.cursor }
  }

  disconnected() { for (const [roomId, log] of this.logs) this.#handNow(roomId, log.disconnected()) }

  /** What changed in a room outside of a batch. */
  async commit(roomId, actions) {
    const changes = new Changes()
    const after = this.#apply(roomId, actions, changes)
    await this.#keep(changes)
    for (const act of after) act()
  }

  /** Shows the changes of a room, after the write in progress if there is one. */
  show(room) {
    if (this.isKeeping) this.#dirty.add(room)
    else room.show()
  }

  async #run() {
    if (this.#isRunning) return
    this.#isRunning = true
    // Frames that come in one turn of the loop make one batch.
    await null
    while (this.#queue.length > 0 && !this.#isClosed) {
      const first = this.#queue[0]
      if (first.work) {
        this.#queue.shift()
        try { first.resolve(await first.work()) } catch (error) { first.reject(error) }
      } else {
        await this.#batch()
      }
    }
    this.#isRunning = false
  }

  async #batch() {
    const changes = new Changes()
    const after = []
    let isBroken = false
    for (let count = 0; count < MOST_IN_BATCH && this.#queue.length > 0 && !this.#queue[0].work; count += 1) {
      const { frame, characters } = this.#queue.shift()
      this.#characters -= characters
      let taken
      try { taken = this.#take(frame, changes) } catch (cause) {
        this.#context.onError(new ChatError('protocol', 'Malformed frame', { cause }))
      }
      if (!taken) { isBroken = true; break }
      after.push(...taken)
    }
    await this.#keep(changes)
    if (this.#isClosed) return
    for (const act of after) act()
    if (isBroken) {
      // Frames after a gap are dropped; the server sends them again.
      this.#queue = this.#queue.filter(entry => entry.work)
      this.#characters = 0
      this.#context.connection.input('protocolError')
    }
  }

  async #keep(changes) {
    if (changes.isEmpty) return
    this.isKeeping = true
    try {
      await (await this.#context.store()).keep(changes)
    } catch (error) {
      this.#context.onError(error)
    } finally {
      this.isKeeping = false
      for (const room of this.#dirty) room.show()
      this.#dirty.clear()
    }
  }

  /** Returns what to do after storing; `undefined` for a frame that violates the protocol. */
  #take(frame, changes) {
    const { marks } = this.#context
    const list = this.#context.list()
    const { eventType, roomId } = frame
    const logs = (id, input) => {
      const log = this.logs.get(id)
      return log ? this.#apply(id, input(log), changes) : []
    }
    const listed = this.#listed
    switch (eventType) {
      case 'rooms': return this.#rooms(frame, changes)
      case 'room_added':
        list.added(frame)
        return [...logs(frame.room.roomId, log => log.added(headOf(frame.room))), listed, () => this.#context.onAdded(frame.room.roomId)]
      case 'room_removed':
        list.removed(frame)
        marks.known(roomId, Infinity)
        return [...logs(roomId, log => log.removed()), listed]
      case 'room_reset':
        list.reset(frame)
        marks.known(roomId, Infinity)
        return [...logs(roomId, log => log.reset(frame)), listed]
      case 'room_skipped':
        list.skipped(frame)
        return [...logs(roomId, log => log.skipped(frame)), listed]
      case 'room_changed':
        list.changed(frame)
        marks.known(roomId, frame.lastReadSeq)
        return [listed]
      case 'caught_up': return logs(roomId, log => log.caughtUp())
      case 'cursor':
      case 'synced': {
        if (frame.cursor !== undefined) {
          list.cursor = frame.cursor
          changes.list = () => ({ cursor: list.cursor, rooms: list.kept })
        }
        if (eventType === 'cursor') return []
        this.#named = undefined
        const after = []
        for (const [id, log] of this.logs) {
          after.push(...this.#apply(id, log.synced(), changes))
          // In the list from a previous connection and unchanged since.
          if (log.timeline && !log.position && log.state !== 'gone') after.push(...this.#apply(id, log.open(list.head(id)), changes))
        }
        return [...after, () => { if (this.#isBegun) this.#context.onSynced(frame) }]
      }
      case 'ready': case 'pong': case 'token_expiring': case 'reconnect': return []
      case 'error': return [() => this.#context.onServerError(frame)]
      default: return typeof roomId !== 'string' ? [] : frame.seq === undefined ? logs(roomId, log => log.signal(frame))
        : this.#event(frame, changes)
    }
  }

  #listed = () => this.#context.onList()

  #rooms(frame, changes) {
    const { marks } = this.#context
    const list = this.#context.list()
    const after = []
    // A stream whose cursor the server has forgotten goes on in no room: as if none had been named.
    if (frame.isAll && this.#context.connection.machine.transport === 'eventStream') this.#named = new Set()
    const gone = new Set([...list.rooms(frame), ...frame.removed ?? []])
    // A log whose room is missing from a complete list is lost, too, even if the list never had the room.
    if (frame.isAll && frame.isLast) for (const [roomId, log] of this.logs) if (log.position && !list.room(roomId)) gone.add(roomId)
    for (const roomId of gone) {
      marks.known(roomId, Infinity)
      const log = this.logs.get(roomId)
      if (log) after.push(...this.#apply(roomId, log.removed(), changes))
    }
    for (const room of frame.rooms ?? []) {
      const log = this.logs.get(room.roomId)
      const head = headOf(room)
      marks.known(room.roomId, room.lastReadSeq)
      if (!log) continue
      if (log.state === 'gone') after.push(...this.#apply(room.roomId, log.added(head), changes))
      else if (!log.position) after.push(...this.#apply(room.roomId, log.open(head), changes))
      // Its position was not in `sync`, so the server does not send the events in between. A stream that replaces another
      // one goes on in all rooms.
      else if (this.#named?.has(room.roomId) === false) after.push(...this.#apply(room.roomId, log.skipped(head), changes))
    }
    marks.apply(list, (frame.rooms ?? []).map(room => room.roomId))
    return [...after, this.#listed]
  }

  #event(event, changes) {
    const list = this.#context.list()
    if (!Number.isSafeInteger(event.seq) || event.seq < 1) return undefined
    const log = this.logs.get(event.roomId)
    const before = log?.position
    const actions = log?.event(event) ?? []
    if (actions.some(action => action.gap)) return undefined
    let became = list.event(event)
    if (became === 'gap' && before) {
      list.skipped({ roomId: event.roomId, seq: event.seq - 1, mark: before.mark })
      became = list.event(event)
    }
    if (became === 'gap') return undefined
    const after = []
    if (event.eventType === 'message' && event.senderId === this.#context.userId() && event.clientMessageId !== undefined) {
      after.push(() => this.#context.onLogged(event))
      this.#context.marks.known(event.roomId, event.seq)
    }
    after.push(...this.#apply(event.roomId, actions, changes, before))
    if (became === 'taken' || became === 'unsure') after.push(this.#listed)
    if (became === 'unsure') after.push(() => this.#recount(event))
    return after
  }

  /** Requests the `seq` of a deleted message, to correct the unread count. One request at a time. */
  #recount({ roomId, messageId, seq: deletedAt }) {
    if (this.#recounts >= MOST_RECOUNTS) return
    this.#recounts += 1
    this.#recounting = this.#recounting.then(async () => {
      try {
        const { seq } = await this.#context.message(messageId)
        await this.job(() => this.#context.list().deleted({ roomId, seq, deletedAt }))
        this.#listed()
      } catch { /* the next list of the server has it */ }
      this.#recounts -= 1
    })
  }

  /** Adds what has to be stored to `changes`; returns what to do afterwards. */
  #apply(roomId, actions, changes, before) {
    const after = []
    if (actions.some(action => !action.signal)) after.push(() => { const room = this.#context.room(roomId); if (room) this.show(room) })
    for (const action of actions) {
      const [[name, value]] = Object.entries(action)
      if (name === 'keep') changes.event(roomId, value.event, before)
      else if (name === 'forget') changes.forget(roomId)
      else {
        if (name === 'begin') changes.begin(roomId, value)
        after.push(() => this.#context.room(roomId)?.hand(action))
      }
    }
    return after
  }

  #handNow(roomId, actions) { for (const action of actions) this.#context.room(roomId)?.hand(action) }
}
