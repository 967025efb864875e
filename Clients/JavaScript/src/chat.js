// The client: one connection for all rooms of a user, an outbox, a store. Nothing happens before `start` or the first call.

import { RoomList } from './core/room-list.js'
import { Connector } from './connector.js'
import { ChatError, Listeners, Soon, closedError, deferred, quiet } from './error.js'
import { Intake } from './intake.js'
import { Outbox } from './outbox.js'
import { ReadMarks } from './read-marks.js'
import { Rest } from './rest.js'
import { Room } from './room.js'
import { Servers } from './servers.js'
import { Store } from './store.js'
import { syncFrames } from './sync-frames.js'
import { IndexedDBStorage } from './storage/indexed-db-storage.js'
import { KeptStorage } from './storage/kept-storage.js'
import { MemoryStorage } from './storage/memory-storage.js'

export { ChatError }

const FORMAT = 1
const MOST_OPEN_ROOMS = 50
const CLOSE_MS = 2_000

export class Chat {
  #options
  #listeners = new Listeners((error, type) => this.#listenerFailed(error, type))
  #kept
  #servers
  #rest
  #connector
  #outbox
  #marks
  #list = new RoomList()
  #intake
  #store = deferred()
  #userId
  #me
  #state = { state: 'offline', reason: 'stopped' }
  #rooms = new Map()
  #opened = new Set()
  #soon = new Soon()
  #isIdentified = false
  #isLoaded = false
  #isRunning = false
  #closing

  constructor(options) {
    const { url, getToken, userId, storage, maxMissed = 10_000, keep = 1_000 } = options ?? {}
    if (getToken === undefined ? !(Number.isSafeInteger(userId) && userId > 0) : typeof getToken !== 'function') {
      throw new TypeError('getToken: a function, or userId: a number')
    }
    this.#options = {
      getToken, maxMissed: Math.min(Math.max(maxMissed, 1), 10_000), keep: Math.max(keep, 1),
      WebSocket: options.WebSocket ?? globalThis.WebSocket, fetch: options.fetch ?? ((...values) => globalThis.fetch(...values)),
    }
    this.#userId = userId
    this.#kept = new KeptStorage(storage ?? (hasDatabase() ? new IndexedDBStorage() : new MemoryStorage()), {
      isOwn: storage === undefined,
      prefix: `chat/${FORMAT}/${encodeURIComponent(typeof url === 'string' ? url.replace(/\/+$/, '') : url?.system)}/`,
      isPrecious: key => /^\d+\/outbox\//.test(key),
      onFailure: (cause, { operation }) => this.#report(new ChatError('store_failed', `The store failed: ${operation}`, { isTemporary: true, cause })),
      onBroken: key => this.#report(new ChatError('store_failed', `Unreadable, put aside: ${key}`)),
      onRestored: () => { this.#outbox?.restored().catch(() => {}) },
    })
    this.#servers = new Servers(url, this.#kept, address => this.#rest.get(address))
    const list = () => this.#list.list
    this.rooms = Object.freeze({ get list() { return list() }, subscribe: listener => this.#listeners.on('rooms', () => listener()) })
    this.#make()
    if (userId !== undefined) this.#identified(userId, false)
  }

  // What is there

  get state() { return this.#state.state }
  /** The last change of state, with `retryAt` while it waits. */
  get connection() { return this.#state }
  get me() { return this.#me }
  get storage() { return this.#kept.isLasting ? 'lasting' : 'memory' }
  get outbox() { return this.#outbox.list }

  /** The same object for the same id, always. */
  room(id) {
    if (typeof id !== 'string' || !/^[A-Za-z0-9._-]{1,64}$/.test(id)) throw new TypeError(`Not a room id: ${id}`)
    if (!this.#rooms.has(id)) this.#rooms.set(id, new Room(this.#forRooms, id))
    return this.#rooms.get(id)
  }

  /** Adds a listener for 'state', 'post' or 'error'. Returns a function that removes it. */
  on(type, listener) { return this.#listeners.on(type, listener) }

  // Its life

  start() {
    if (this.#closing) throw closedError()
    this.#isRunning = true
    this.#load()
    this.#outbox.start()
    for (const room of this.#rooms.values()) room.start()
    this.#connector.start()
  }

  stop() {
    if (this.#closing) return
    this.#isRunning = false
    this.#connector.stop()
    this.#outbox.stop()
  }

  retryNow() {
    this.#connector.input('retryNow')
    this.#outbox.wake()
  }

  close() { return this.#closing ??= quiet(this.#close()) }

  async #close() {
    this.#connector.close()
    this.#marks.close()
    this.#rest.close()
    this.#intake.close()
    for (const room of this.#rooms.values()) room.close()
    this.#store.reject(closedError())
    let timer
    const limit = new Promise(resolve => { timer = setTimeout(resolve, CLOSE_MS - 1_100) })
    await Promise.race([this.#outbox.close(), limit])
    clearTimeout(timer)
    await this.#kept.close()
    this.#listeners.clear()
    this.#soon.close()
  }

  /** Deletes the stored data of this user. */
  forget({ evenUnsent = false } = {}) { return quiet(this.#forget(evenUnsent)) }

  async #forget(evenUnsent) {
    if (!this.#isIdentified) await this.#connector.current()
    if (this.#closing) throw closedError()
    const store = await this.#store.promise
    await this.#outbox.load()
    if (!evenUnsent && this.#outbox.list.length > 0) throw new ChatError('unsent', 'Unsent messages')
    const isRunning = this.#isRunning
    this.stop()
    await this.#intake.job(async () => {
      this.#outbox.clear()
      await store.clear()
      this.#list = new RoomList({ userId: this.#userId })
      this.#marks.clear()
      this.#intake.logs.clear()
      this.#me = undefined
    })
    for (const room of this.#rooms.values()) room.forget()
    this.#listChanged()
    if (isRunning && !this.#closing) this.start()
  }

  // Calls: one try, never queued

  createRoom({ name, type, roomId, memberIds }) {
    return this.#rest.call('system', 'POST', '/rooms', { body: { name, type, roomId, memberIds } })
  }
  joinRoom(id) { return this.#rest.call('system', 'POST', `/rooms/${this.room(id).id}/join`) }
  findRooms(query, cursor) { return this.#rest.call('system', 'GET', '/rooms/public', { query: { query, cursor } }) }
  findUsers(query, cursor) { return this.#rest.call('system', 'GET', '/users', { query: { query, cursor } }) }

  // Inside

  #make() {
    const { getToken, WebSocket, fetch } = this.#options
    const store = () => this.#store.promise, report = error => this.#report(error)
    this.#connector = new Connector({
      userId: this.#userId, getToken, WebSocket, fetch,
      sockets: async () => (await this.#servers.get()).sockets,
      exclusively: (name, work, options) => this.#kept.exclusively(name, work, options),
      cursor: () => this.#list.cursor,
      onState: change => this.#stateChanged(change),
      onUser: userId => this.#identified(userId, true),
      onSync: () => this.#sync(),
      onFrame: (frame, size) => this.#intake.add(frame, size),
      onLost: () => this.#intake.lost(),
      checkRest: () => this.#checkRest(),
    })
    this.#rest = new Rest({
      fetch, servers: () => this.#servers.get(), userId: this.#userId,
      tokens: getToken && { current: () => this.#connector.current(), fresh: refused => this.#connector.fresh(refused) },
      onAnswer: (status, method, address) => {
        if (status < 500 && !(method === 'POST' && address.endsWith('/messages'))) this.#outbox.otherAnswered()
      },
    })
    this.#outbox = new Outbox({
      rest: this.#rest, kept: this.#kept, store,
      channelName: () => `chat-client/${this.#servers.name}/${this.#userId}`,
      isShown: roomId => this.#rooms.has(roomId) && Boolean(this.#intake.logs.get(roomId)?.timeline),
      onChange: roomId => { const room = this.#rooms.get(roomId); if (room) this.#intake.show(room) },
      onEnd: post => this.#listeners.emit('post', post),
      onError: report,
    })
    this.#marks = new ReadMarks({
      store, report,
      isLive: () => this.#state.state === 'live', send: frame => this.#connector.send(frame),
      put: (roomId, seq) => this.#rest.call('system', 'PUT', `/rooms/${roomId}/read`, { body: { seq } }),
    })
    this.#intake = new Intake({
      connection: this.#connector, room: id => this.#rooms.get(id), marks: this.#marks, outbox: this.#outbox,
      list: () => this.#list, userId: () => this.#userId, store,
      onList: () => this.#listChanged(),
      onAdded: roomId => { if (this.#opened.has(roomId)) this.#say('open', roomId) },
      message: id => this.#rest.call('messages', 'GET', `/messages/${id}`),
      onLogged: event => this.#outbox.logged(event),
      onSynced: frame => this.#synced(frame),
      onServerError: ({ code, message }) => this.#report(new ChatError(code, message)),
      onError: report,
    })
  }

  /** What a room needs of its chat. */
  get #forRooms() {
    return {
      rest: this.#rest, kept: this.#kept, keep: this.#options.keep, fetch: this.#options.fetch,
      intake: () => this.#intake, list: () => this.#list, outbox: () => this.#outbox, store: () => this.#store.promise,
      userId: () => this.#userId,
      job: async work => { await this.#store.promise; this.#load(); return await this.#intake.job(work) },
      isConnected: () => this.#state.state === 'live' || this.#state.state === 'syncing',
      send: frame => this.#connector.send(frame),
      report: error => this.#report(error), error: (code, message) => new ChatError(code, message),
      reportListener: (error, type) => this.#listenerFailed(error, type),
      openSignals: room => this.#openSignals(room),
      read: (roomId, seq) => {
        this.#list.read(roomId, seq)
        this.#marks.read(roomId, seq)
        this.#listChanged()
      },
      soon: (key, work) => this.#soon.call(key, work),
    }
  }

  /** The user id is known: from the options, or from the first token. */
  #identified(userId, isLoading) {
    if (this.#isIdentified) return
    this.#isIdentified = true
    this.#userId = userId
    this.#list.setUser(userId)
    this.#store.resolve(new Store(this.#kept, userId))
    if (isLoading) this.#load()
  }

  /** Loads the stored state, before any frame is processed. */
  #load() {
    if (this.#isLoaded || !this.#isIdentified) return
    this.#isLoaded = true
    this.#intake.job(async () => {
      const store = await this.#store.promise
      const { list, me, marks, positions } = await store.load()
      this.#list = new RoomList({ userId: this.#userId, ...list })
      this.#me = me ?? { userId: this.#userId }
      this.#marks.load(marks, this.#list)
      this.#intake.load(positions, this.#options.keep)
      this.#listChanged()
    }).catch(error => this.#report(error))
    this.#outbox.load().catch(error => this.#report(error))
  }

  #stateChanged({ cause, ...change }) {
    const { state, retryInMs } = change
    const wasConnected = this.#state.state === 'live' || this.#state.state === 'syncing'
    this.#state = Object.freeze({ ...change, ...retryInMs !== undefined && { retryAt: Date.now() + retryInMs }, ...cause && { cause } })
    if (wasConnected && state !== 'live' && state !== 'syncing') this.#intake.disconnected()
    // Another process may send meanwhile.
    if (state === 'signedOut') this.#outbox.stop()
    if (state === 'syncing' && this.#connector.machine.transport === 'eventStream') this.#intake.job(() => { if (this.#isSyncing) this.#intake.begin({ isNamed: this.#list.cursor !== undefined }) })
    this.#listeners.emit('state', this.#state)
  }

  get #isSyncing() { return this.#connector.machine.state === 'syncing' }

  /** Runs after the queued frames: only then the positions are those from which the server has to continue. */
  #sync() {
    this.#intake.job(() => {
      if (!this.#isSyncing) return
      const named = this.#intake.begin()
      if (named) for (const frame of syncFrames({ ...named, maxMissed: this.#options.maxMissed })) this.#connector.sendSync(frame)
    })
  }

  #synced(frame) {
    this.#connector.input('frame', frame)
    if (this.#state.state !== 'live') return
    this.#outbox.wake()
    for (const roomId of this.#opened) this.#say('open', roomId)
    this.#marks.sendAll()
    if (this.#me?.displayName === undefined) this.#loadMe()
  }

  async #loadMe() {
    try {
      const { userId, username, displayName } = await this.#rest.call('system', 'GET', '/users/me')
      if (userId !== this.#userId) return
      this.#me = Object.freeze({ userId, ...username !== undefined && { username }, displayName })
      await (await this.#store.promise).set('me', this.#me)
      this.#listChanged()
    } catch { /* with the next connection */ }
  }

  async #checkRest() {
    try {
      await this.#rest.call('system', 'GET', '/users/me')
    } catch (error) {
      // Any answer below 500 shows that REST works.
      if (error.status === undefined || error.status >= 500) return
    }
    this.#connector.input('restWorks')
  }

  /** A room with listeners for `typing` or `read` is opened at the server, which allows 50 open rooms. */
  #openSignals(room) {
    const isOpen = this.#opened.delete(room.id)
    if (room.wantsSignals) {
      if (this.#opened.size === MOST_OPEN_ROOMS) {
        const [oldest] = this.#opened
        this.#opened.delete(oldest)
        this.#say('close', oldest)
      }
      this.#opened.add(room.id)
      if (!isOpen) this.#say('open', room.id)
    } else if (isOpen) this.#say('close', room.id)
  }

  /** Sends `open` or `close`. A room that is not in the list would cause an error; it is opened once it is added. */
  #say(type, roomId) { if (this.#list.room(roomId)) this.#connector.send({ type, roomId }) }

  #listChanged() { this.#soon.call('rooms', () => this.#listeners.emit('rooms', undefined)) }

  #listenerFailed(cause, type) {
    // A listener for 'error' that throws would only receive its own failure.
    if (type === 'error') return
    this.#report(new ChatError('listener', `A listener of '${type}' failed`, { cause }))
  }

  #report(error) {
    if (this.#closing) return
    const reported = error instanceof ChatError ? error : new ChatError('store_failed', 'Internal failure', { cause: error })
    this.#listeners.emit('error', reported)
  }
}

/** If the browser blocks site data, even access to `indexedDB` may throw. */
function hasDatabase() {
  try { return typeof indexedDB !== 'undefined' } catch { return false }
}
