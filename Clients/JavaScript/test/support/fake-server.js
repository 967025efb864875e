// A chat server in memory: rooms with logs, posts, one user's sockets and streams. What goes wrong is up to the test.

const encode = value => Buffer.from(JSON.stringify(value)).toString('base64url')
let tokens = 0

export const makeToken = ({ sub = 1, lifeSeconds = 900 } = {}) => {
  const iat = Math.floor(Date.now() / 1000)
  return `${encode({ alg: 'EdDSA' })}.${encode({ sub: String(sub), iat, exp: iat + lifeSeconds, jti: ++tokens })}.c2lnbmF0dXJl`
}

export class FakeServer {
  rooms = new Map()
  sockets = []
  calls = []
  frames = []
  nextMessageId = 100
  /** Set by tests: (method, path, body) => Response | Promise | undefined */
  intercept
  /** Set by tests: whether sockets are accepted. */
  accepts = true
  refusesWith
  logName = 'm'
  isQuiet = false

  constructor({ userId = 1 } = {}) { this.userId = userId }

  room(roomId, { seq = 0, ...fields } = {}) {
    const room = { roomId, name: roomId, type: 'group', memberCount: 2, createdAt: '2026-01-01T00:00:00.000Z', lastReadSeq: 0, unreadCount: 0, log: [], ...fields }
    this.rooms.set(roomId, room)
    for (let number = 1; number <= seq; number += 1) this.message(roomId, { text: `t${number}` })
    return room
  }

  described(room) {
    const { log, ...fields } = room
    const lastSeq = log.length
    const lastMessage = log.findLast(event => event.eventType === 'message')
    return { ...fields, lastSeq, ...lastSeq > 0 && { mark: log[lastSeq - 1].mark }, ...lastMessage && { lastMessage } }
  }

  event(roomId, fields) {
    const { log } = this.rooms.get(roomId)
    const seq = log.length + 1
    const event = { seq, mark: `${this.logName}-${roomId}-${seq}`, roomId, ...fields }
    log.push(event)
    for (const socket of this.sockets) if (socket.isSynced) socket.say(event)
    return event
  }

  message(roomId, content, fields = {}) {
    return this.event(roomId, {
      eventType: 'message', messageId: this.nextMessageId++, senderId: 2, messageType: 'text', contentJson: JSON.stringify(content),
      status: 'sent', sentAt: new Date().toISOString(), isEdited: false, isDeleted: false, ...fields,
    })
  }

  get WebSocket() {
    const server = this
    return class { constructor(url, protocols) { return new FakeSocket(server, url, protocols) } }
  }

  get fetch() { return (url, options) => this.#fetch(String(url), options) }

  say(frame) { for (const socket of this.sockets) socket.say(frame) }
  dropAll(code = 1006) { for (const socket of [...this.sockets]) socket.drop(code) }

  synced(socket, frame, isAll = true) {
    const known = frame.rooms ?? {}
    socket.say({ eventType: 'rooms', rooms: [...this.rooms.values()].map(room => this.described(room)), removed: [], isAll, isLast: true })
    for (const [roomId, { seq, mark }] of Object.entries(known)) {
      const room = this.rooms.get(roomId)
      if (!room) continue
      const at = room.log[seq - 1]
      const head = room.log.length
      if (seq > head || (mark && at?.mark !== mark)) {
        socket.say({ eventType: 'room_reset', roomId, seq: head, mark: room.log.at(-1)?.mark, room: this.described(room) })
      } else if (head - seq > (frame.maxMissed ?? Infinity)) {
        socket.say({ eventType: 'room_skipped', roomId, seq: head, mark: room.log.at(-1)?.mark })
      } else if (head > seq) {
        for (const event of room.log.slice(seq)) socket.say(event)
        socket.say({ eventType: 'caught_up', roomId, seq: head, mark: room.log.at(-1).mark })
      }
    }
    socket.isSynced = true
    socket.say({ eventType: 'synced', cursor: `cursor-${Date.now()}` })
  }

  async #fetch(url, { method = 'GET', body, signal, headers = {} } = {}) {
    const { pathname, searchParams } = new URL(url)
    const json = body === undefined ? undefined : JSON.parse(body)
    this.calls.push({ method, path: pathname, body: json, headers })
    await null
    signal?.throwIfAborted()
    const other = await this.intercept?.(method, pathname, json, { signal, headers, searchParams })
    signal?.throwIfAborted()
    if (other) return other
    if (pathname === '/sse/user') return this.stream(signal, headers)
    const path = pathname.replace('/api/v1', '')
    if (path === '/users/me') return answer(200, { userId: this.userId, username: 'ann', displayName: 'Ann' })
    if (path === '/messages' && method === 'POST') {
      const room = this.rooms.get(json.roomId)
      if (!room) return problem(404, 'room_not_found')
      const same = json.clientMessageId && room.log.find(event => event.clientMessageId === json.clientMessageId)
      if (same) return same.contentJson === JSON.stringify(json.payload) ? answer(200, same) : problem(409, 'client_message_id_reused')
      const stored = this.message(json.roomId, json.payload, { senderId: this.userId, clientMessageId: json.clientMessageId })
      return (await this.afterPost?.(stored)) ?? answer(201, stored)
    }
    const [, , roomId, kind] = path.split('/')
    const room = this.rooms.get(roomId)
    if (path.startsWith('/rooms/') && kind === 'messages' && room) {
      const before = Number(searchParams.get('before') ?? Infinity), limit = Number(searchParams.get('limit'))
      const all = room.log.filter(event => event.eventType === 'message' && event.seq < before).reverse()
      const changes = room.log.filter(event => event.eventType !== 'message')
      const items = all.slice(0, limit).map(({ eventType, ...message }) => {
        const change = changes.findLast(event => event.messageId === message.messageId)
        return change ? { ...message, contentJson: change.contentJson, isEdited: change.isEdited, isDeleted: change.isDeleted } : message
      })
      return answer(200, { items, hasMore: all.length > limit })
    }
    if (path.startsWith('/rooms/') && kind === 'events' && room) {
      const after = Number(searchParams.get('after') ?? 0), mark = searchParams.get('mark')
      if (mark && room.log[after - 1]?.mark !== mark) return problem(409, 'log_mismatch')
      const items = room.log.slice(after, after + Number(searchParams.get('limit')))
      return answer(200, { items, hasMore: room.log.length > after + items.length })
    }
    if (path.startsWith('/messages/') && method === 'PATCH') {
      for (const { log, roomId } of this.rooms.values()) {
        const message = log.find(event => event.messageId === Number(path.split('/')[2]))
        if (message) {
          const { seq, mark, eventType, ...fields } = message
          this.event(roomId, { ...fields, eventType: 'message_edited', contentJson: JSON.stringify(json.payload), isEdited: true })
          return answer(200, { ...message, contentJson: JSON.stringify(json.payload), isEdited: true })
        }
      }
    }
    if (kind === 'read' && method === 'PUT') return answer(200, { roomId, lastReadSeq: json.seq })
    return problem(404, 'not_found')
  }

  /** `/sse/user`, of which the test holds the end as `server.streams[n]`. */
  streams = []
  /** Whether no cursor of a stream is known any more. */
  hasForgotten = false
  stream(signal, headers) {
    let controller
    const body = new ReadableStream({ start: given => { controller = given } })
    const encoder = new TextEncoder()
    const stream = {
      headers, isSynced: false, isOpen: true,
      write: text => stream.writeBytes(encoder.encode(text)),
      writeBytes: bytes => { if (stream.isOpen) controller.enqueue(bytes) },
      say: frame => stream.write(`${frame.cursor ? `id: ${frame.cursor}\n` : ''}data: ${JSON.stringify(frame)}\n\n`),
      drop: () => {
        if (!stream.isOpen) return
        stream.isOpen = false
        this.sockets = this.sockets.filter(other => other !== stream)
        try { controller.close() } catch { /* aborted */ }
      },
    }
    signal?.addEventListener('abort', () => { try { controller.error(signal.reason) } catch { /* ended */ } stream.isOpen = false; this.sockets = this.sockets.filter(other => other !== stream) })
    this.streams.push(stream)
    this.sockets.push(stream)
    queueMicrotask(() => {
      stream.write('retry: 3000\n\n')
      stream.say({ eventType: 'ready', sessionId: 's', userId: this.userId, heartbeatSeconds: 15 })
      this.synced(stream, {}, headers['Last-Event-ID'] === undefined || this.hasForgotten)
    })
    return new Response(body, { status: 200, headers: { 'Content-Type': 'text/event-stream' } })
  }
}

class FakeSocket {
  readyState = 0
  isSynced = false

  constructor(server, url, protocols) {
    Object.assign(this, { server, url, protocols })
    setTimeout(() => this.#open(), 0)
  }

  #open() {
    if (this.readyState !== 0) return
    const { server } = this
    if (!server.accepts) return this.drop(1006)
    this.readyState = 1
    server.sockets.push(this)
    if (server.refusesWith) return this.drop(typeof server.refusesWith === 'function' ? server.refusesWith(this) : server.refusesWith)
    this.onopen?.({})
    if (!server.isQuiet) this.say({ eventType: 'ready', sessionId: 's', userId: server.userId, heartbeatSeconds: 25 })
  }

  get token() { return this.protocols?.[1]?.replace('bearer.', '') }

  send(text) {
    const frame = JSON.parse(text)
    this.server.frames.push(frame)
    if (frame.type === 'ping' && !this.ignoresPings) this.say({ eventType: 'pong' })
    if (frame.type === 'sync' && !frame.more) this.server.synced(this, frame)
  }

  say(frame) { this.sayText(JSON.stringify(frame)) }
  sayText(data) { queueMicrotask(() => { if (this.readyState === 1) this.onmessage?.({ data }) }) }

  drop(code) {
    if (this.readyState === 3) return
    this.readyState = 3
    this.server.sockets = this.server.sockets.filter(other => other !== this)
    queueMicrotask(() => this.onclose?.({ code }))
  }

  close(code) { this.closedWith = code; this.drop(code ?? 1005) }
}

export const answer = (status, value, headers = {}) =>
  new Response(JSON.stringify(value), { status, headers: { 'Content-Type': 'application/json', ...headers } })
export const problem = (status, code, headers = {}) => new Response(
  JSON.stringify({ type: `urn:chat:error:${code}`, title: code, status, code, traceId: 't1' }),
  { status, headers: { 'Content-Type': 'application/problem+json', ...headers } })

/** Resolves once `condition()` holds. */
export async function until(condition, what = String(condition), limitMs = 5_000) {
  // Turns, not the clock: a process that stood still for some seconds has done nothing meanwhile.
  for (let turn = 0; turn < limitMs / 2; turn += 1) {
    const value = await condition()
    if (value) return value
    await new Promise(resolve => setTimeout(resolve, 2))
  }
  throw new Error(`Not within ${limitMs} ms: ${what}`)
}
