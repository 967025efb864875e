// Each thing as it is meant to be used, and what must not be accepted. Compiled by types.test.js, never run.

import { Chat, ChatError } from 'chat-client'
import type { ChatStorage, Message, Post, Room, RoomEvent, RoomInfo, StateChange } from 'chat-client'
import { FileStorage } from 'chat-client/node'
import { ChatProvider, useChat, useConnection, useMessages, useRoom, useRooms } from 'chat-client/react'
import { createElement } from 'react'

class InMap implements ChatStorage {
  #values = new Map<string, string>()
  get(key: string) { return this.#values.get(key) }
  set(key: string, value: string) { this.#values.set(key, value) }
  async delete(key: string) { this.#values.delete(key) }
  keys(prefix: string) { return [...this.#values.keys()].filter(key => key.startsWith(prefix)) }
}

class WithLocks extends InMap {
  async exclusively<Result>(name: string, work: () => Result | Promise<Result>) { return await work() }
}

const chat = new Chat({ url: 'https://chat.example.org', getToken: async ({ reason }) => reason === 'first' ? 'a' : 'b' })
new Chat({ url: { system: 'http://s', messages: 'http://m', sockets: 'http://w' }, userId: 7, storage: new FileStorage('folder') })
new Chat({ url: 'http://s', userId: 7, storage: new InMap(), maxMissed: 100, keep: 10 })
new Chat({ url: 'http://s', getToken: async () => 't', userId: 7, storage: new WithLocks(), WebSocket, fetch })
// @ts-expect-error neither a token nor a user
new Chat({ url: 'http://s' })
// @ts-expect-error a token is promised
new Chat({ url: 'http://s', getToken: () => 't' })
// @ts-expect-error one of three addresses
new Chat({ url: { system: 'http://s' }, userId: 7 })
// @ts-expect-error a storage has keys
new Chat({ url: 'http://s', userId: 7, storage: { get() { return '' }, set() {}, delete() {} } })
// @ts-expect-error texts alone
const numbers: ChatStorage = { get: () => 1, set() {}, delete() {}, keys: () => [] }

async function files(room: Room) {
  const post: Post = await room.sendFile(new Blob(['x']), { name: 'x', caption: 'c', onProgress: ({ sent, total }) => sent / total, signal: new AbortController().signal })
  await room.sendFile(new File([], 'x'), { messageType: 'video', keepMetadata: true, thumbnail: false })
  room.send({ fileId: 'f', caption: 'c' }, { messageType: 'image' })
  room.send({ fileId: 'f' }, { messageType: 'file' })
  // @ts-expect-error neither a URL nor a file
  room.send({ caption: 'c' }, { messageType: 'image' })
  const known: string | undefined = (await room.file('f', { fresh: true }))?.thumbnailUrl
  // @ts-expect-error there may be no such file
  const url: string = (await room.file(known ?? 'f')).url
  // @ts-expect-error no path
  await room.sendFile('/tmp/x')
  // @ts-expect-error a file is no text
  await room.sendFile(new Blob(), { messageType: 'text' })
  return post
}

async function life() {
  chat.start()
  chat.stop()
  chat.retryNow()
  await chat.forget({ evenUnsent: true })
  await chat.close()
  const off: () => void = chat.on('state', ({ state, previous, reason, retryInMs, cause }: StateChange) => {
    if (state === 'offline' && reason === 'busy') console.log(previous, (retryInMs ?? 0) / 1000, cause)
    // @ts-expect-error no such state
    if (state === 'online') off()
  })
  chat.on('post', (post: Post) => post.key.length)
  chat.on('error', (error: ChatError) => error.isTemporary ? error.code : error.traceId)
  // @ts-expect-error no such event
  chat.on('message', () => {})
  const { userId, username = '', displayName = '' } = chat.me ?? { userId: 0 }
  const kind: 'lasting' | 'memory' = chat.storage
  chat.rooms.subscribe(() => chat.rooms.list.map(room => room.name))()
  // @ts-expect-error frozen
  chat.rooms.list.push({})
  // @ts-expect-error frozen
  chat.state = 'live'
  const made: RoomInfo = await chat.createRoom({ name: 'Lobby', type: 'public', memberIds: [1, 2] })
  // @ts-expect-error no such type of room
  await chat.createRoom({ name: 'Lobby', type: 'open' })
  await chat.joinRoom(made.roomId)
  const { items, nextCursor } = await chat.findUsers('al')
  const found = await chat.findRooms('lob', nextCursor)
  return [userId, username, displayName, kind, items[0].displayName, found.items[0].memberCount, chat.outbox[0].state]
}

async function inRoom(room: Room) {
  const state: 'idle' | 'syncing' | 'live' | 'reset' | 'gone' = room.state
  room.on('event', event => {
    switch (event.eventType) {
      case 'message': return event.content.text
      case 'message_edited': case 'message_deleted': return event.messageId
      case 'member_joined': case 'member_left': case 'member_role_changed': return event.actorId
      case 'room_updated': case 'room_archived': return event.name
    }
  })
  room.on('message', ({ senderId, content, seq, mark }) => `${senderId} ${content.text} ${seq} ${mark}`)
  room.on('typing', ({ userId, typing }) => typing && userId)
  room.on('read', ({ userId, lastReadSeq }) => userId + lastReadSeq)
  room.on('reset', ({ seq, mark, lost }) => [seq, mark, lost])
  room.on('skipped', ({ after, through }) => through - after)
  room.on('gone', () => {})
  // @ts-expect-error no such event
  room.on('left', () => {})

  const messages: readonly Message[] = room.messages
  const [first] = messages
  // @ts-expect-error frozen
  first.isEdited = true
  const hasMore: boolean = await room.loadOlder(50)
  if (!room.isAtEnd && room.newerCount > 0) room.toEnd()

  const post = room.send({ text: 'Hello' }, { key: 'k', replyTo: first.messageId })
  room.send({ imageUrl: 'https://i', width: 1, own: true }, { messageType: 'image' })
  room.send({ text: 'typed' }, { messageType: 'text' })
  // @ts-expect-error an image has an address
  room.send({ text: 'Hello' }, { messageType: 'image' })
  // @ts-expect-error a message is an object
  room.send('Hello')
  // @ts-expect-error nobody sends these
  room.send({ text: 'x' }, { messageType: 'system' })
  await post.kept
  const { messageId, seq } = await post.stored
  if (post.state === 'refused' && post.isCertain) post.retry()
  else if (await post.discard()) console.log(post.error?.code, post.key)
  // @ts-expect-error made by `send` alone
  new Post()

  await room.edit(messageId, { text: 'Hello!' })
  await room.edit('k', { text: 'Hello!' })
  await room.delete(messageId)
  room.markRead()
  room.markRead(seq)
  room.typing()
  const { items } = await room.members()
  await room.leave()
  return [state, hasMore, items[0].role, room.info?.unreadCount, room.id]
}

async function reading(room: Room) {
  for await (const event of room.events({ after: 17, mark: 'abcdef' })) if (event.seq > 20) break
  for await (const event of room.events({ as: 'invoicer' })) deal(event)
  for await (const event of room.events()) deal(event)
  // @ts-expect-error a name is a text
  room.events({ as: 1 })
  try {
    await room.leave()
  } catch (error) {
    if (error instanceof ChatError && error.code === 'direct_room') return error.status
  }
}

const deal = (event: RoomEvent) => event.eventType === 'message' && event.sentAt

function Shown({ id }: { id?: string }) {
  const { state, reason, retryInMs } = useConnection()
  const rooms = useRooms()
  const room = useRoom(id)
  const { messages, hasMore, loadOlder, state: roomState } = useMessages(id)
  const mustBe = useRoom('a')
  mustBe.markRead()
  // @ts-expect-error none without an id
  room.markRead()
  return createElement('button', { onClick: loadOlder, disabled: !hasMore },
    state, reason, retryInMs, rooms.length, messages.map(({ key, content }) => `${key} ${content.text}`), roomState, useChat().state)
}

createElement(ChatProvider, { chat }, createElement(Shown, { id: 'a' }))
// @ts-expect-error a provider has a chat
createElement(ChatProvider, {})

async function storing() {
  const storage = new FileStorage('folder')
  const text: string | undefined = await storage.get('key')
  await storage.write([['a', '1'], ['b', undefined]])
  const result: number | undefined = await storage.exclusively('step', async lost => lost.aborted ? 0 : 1, { ifAvailable: true })
  return [text, result, await storage.keys('a')]
}

export { life, inRoom, reading, storing, numbers }
