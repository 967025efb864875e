// Types of the package `chat-client`. What each thing promises is in README.md.

// The chat

export type ConnectionState = 'offline' | 'connecting' | 'syncing' | 'live' | 'signedOut' | 'closed'

/** Why the state is what it is; of `connecting`, `syncing` and `live` what made this try necessary. */
export type ConnectionReason =
  | 'start' | 'network' | 'dead' | 'restart' | 'busy' | 'token' | 'protocol' | 'unsupported' | 'sleep' | 'store'
  | 'stopped' | 'signedOut' | 'otherUser' | 'closed'

export interface Connection {
  readonly state: ConnectionState
  readonly reason: ConnectionReason
  /** While it is `offline` and waits: how long from the change on, and until when (ms since 1970). */
  readonly retryInMs?: number
  readonly retryAt?: number
  readonly cause?: unknown
}

export interface StateChange extends Connection {
  readonly previous: ConnectionState
}

/** `first`: there is none yet; `expiring`: a new one, in place; `refused`: the server does not take the last one. */
export type TokenReason = 'first' | 'expiring' | 'refused'

/** Origins, with or without a path. */
export interface ServerAddresses {
  system: string
  messages: string
  sockets: string
}

export interface CommonOptions {
  /** The system server, a proxy in front of all three, or each by itself. */
  url: string | ServerAddresses
  /** Default: IndexedDB in browsers, memory elsewhere. */
  storage?: ChatStorage
  WebSocket?: new (url: string, protocols?: string | string[]) => unknown
  fetch?: (input: string, init?: any) => Promise<any>
  /** More events than this are skipped after an absence (`skipped`). 1–10,000, default 10,000. */
  maxMissed?: number
  /** Messages a room that `room.messages` holds. Default 1,000. */
  keep?: number
}

export interface TokenOptions extends CommonOptions {
  /**
   * Answers an access token within 30 s. Fails with an error whose `name` is `SignedOut` where there will be none; any
   * other failure is tried again.
   */
  getToken: (request: { reason: TokenReason }) => Promise<string>
  /** Names the store before the first token, so that a page shows what it has without a network. */
  userId?: number
}

/** For servers in trusted mode. */
export interface TrustedOptions extends CommonOptions {
  getToken?: undefined
  userId: number
}

export type ChatOptions = TokenOptions | TrustedOptions

/** Takes a listener away. */
export type Off = () => void

export interface Page<Item> {
  readonly items: readonly Item[]
  readonly nextCursor?: string
}

export class Chat {
  /** Does nothing yet: no request, no timer. */
  constructor(options: ChatOptions)

  readonly state: ConnectionState
  readonly connection: Connection
  /** Once known. */
  readonly me: Me | undefined
  readonly storage: 'lasting' | 'memory'
  readonly rooms: RoomList
  /** The posts of all rooms that are not stored yet, also those of a former life of the page or process. */
  readonly outbox: readonly Post[]

  start(): void
  stop(): void
  /** At most 2 s; no timer, socket or listener is left. */
  close(): Promise<void>
  /** Ends a pause before the next try. */
  retryNow(): void
  /** Deletes what is kept of this user here. Throws `unsent` where posts would be lost, unless `evenUnsent`. */
  forget(options?: { evenUnsent?: boolean }): Promise<void>

  on(type: 'state', listener: (change: StateChange) => void): Off
  /** A post is stored, or refused. */
  on(type: 'post', listener: (post: Post) => void): Off
  on(type: 'error', listener: (error: ChatError) => void): Off

  /** The same object for the same id, always. */
  room(id: string): Room

  // One try each, never queued.
  createRoom(room: { name: string; type: RoomType; roomId?: string; memberIds?: readonly number[] }): Promise<RoomInfo>
  joinRoom(id: string): Promise<unknown>
  findRooms(query: string, cursor?: string): Promise<Page<RoomInfo>>
  findUsers(query: string, cursor?: string): Promise<Page<User>>
}

export interface RoomList {
  /** Newest activity first; frozen, and the same object until something changes. */
  readonly list: readonly RoomInfo[]
  /** At most once a turn of the event loop. */
  subscribe(listener: () => void): Off
}

// People and rooms

export interface User {
  readonly userId: number
  readonly username: string
  readonly displayName: string
}

export interface Me {
  readonly userId: number
  readonly username?: string
  readonly displayName?: string
}

export type RoomType = 'direct' | 'group' | 'public' | 'private'
export type Role = 'owner' | 'admin' | 'member'

export interface Member {
  readonly userId: number
  readonly role: Role
  readonly username?: string
  readonly displayName?: string
}

export interface RoomInfo {
  readonly roomId: string
  readonly name: string
  readonly type: RoomType
  readonly ownerId?: number
  readonly memberCount: number
  readonly createdAt: string
  readonly archivedAt?: string
  readonly lastSeq: number
  readonly mark?: string
  readonly lastMessage?: unknown
  readonly lastReadSeq?: number
  /** Exact up to 999; 1000 stands for more. */
  readonly unreadCount?: number
}

/** `reset`: the server has another log; until its first event. `gone`: left, removed, or never the user's. */
export type RoomState = 'idle' | 'syncing' | 'live' | 'reset' | 'gone'

export class Room {
  private constructor()
  readonly id: string
  /** As in the list of rooms; the same object until something changes. */
  readonly info: RoomInfo | undefined
  readonly state: RoomState

  /** Ascending, edits and deletions applied, own unsent posts last. Frozen, and the same object until something changes. */
  readonly messages: readonly Message[]
  /** At most once a turn of the event loop, after `messages`, `state` or what belongs to them has changed. */
  subscribe(listener: () => void): Off
  /**
   * Whether there are more. Waits until it is known where the log of the room is: 20 s at most, then it fails with `timeout`.
   */
  loadOlder(limit?: number): Promise<boolean>
  readonly hasMore: boolean
  /** Whether `messages` reaches up to the newest one; else `newerCount` says how many came since. */
  readonly isAtEnd: boolean
  readonly newerCount: number
  toEnd(): void

  /** Everything with a `seq`: each once in this process, in order, none missing. For showing; see `events`. */
  on(type: 'event', listener: (event: RoomEvent) => void): Off
  on(type: 'message', listener: (event: MessageEvent) => void): Off
  on(type: 'typing', listener: (signal: TypingSignal) => void): Off
  on(type: 'read', listener: (signal: ReadSignal) => void): Off
  on(type: 'reset', listener: (reset: Reset) => void): Off
  on(type: 'skipped', listener: (skipped: Skipped) => void): Off
  on(type: 'gone', listener: () => void): Off

  /** Stored once, or refused, whatever happens from `post.kept` on. */
  send<Type extends SentType>(payload: Payloads[Type], options: SendOptions & { messageType: Type }): Post
  send(payload: Payloads['text'], options?: SendOptions & { messageType?: 'text' }): Post

  /**
   * Uploads a file, and sends a message that names it. An upload that breaks is begun again. The promise settles when the file is
   * stored and the message is in the outbox; until then both are in this process alone. Fails where the file is refused.
   */
  sendFile(file: BlobLike, options?: SendFileOptions): Promise<Post>
  /**
   * What the server knows of a file that a message names, with addresses for `<img src>`; `undefined` where there is no such file
   * for this user. Those that are asked for together are one call. It is kept for half an hour, and the addresses are good for at
   * least as long again; `fresh` asks again, for an address that the server has refused.
   */
  file(fileId: string, options?: { fresh?: boolean }): Promise<FileInfo | undefined>

  /** Of an own post that is still waiting: by its key. */
  edit(id: number | string, payload: object): Promise<void>
  delete(id: number): Promise<void>
  /** Up to the end without a `seq`. Kept, and sent when that can be. */
  markRead(seq?: number): void
  typing(isTyping?: boolean): void
  leave(): Promise<void>
  members(cursor?: string): Promise<Page<Member>>

  /** For what has to be dealt with, at the reader's own pace. Ends by `break`, close and removal. */
  events(options?: EventsOptions): AsyncIterableIterator<RoomEvent>
}

/** A `Blob` or `File`. */
export interface BlobLike {
  readonly size: number
  readonly type: string
  readonly name?: string
  slice(start?: number, end?: number, contentType?: string): BlobLike
  arrayBuffer(): Promise<ArrayBuffer>
}

/** An `AbortSignal`. */
export interface AbortSignalLike {
  readonly aborted: boolean
  readonly reason?: any
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}

export interface FileInfo {
  readonly fileId: string
  readonly roomId: string
  readonly name: string
  /** What the bytes are, whatever its name says. */
  readonly mimeType: string
  readonly fileSize: number
  readonly sha256: string
  readonly width?: number
  readonly height?: number
  /** An address that needs no token, for a while. */
  readonly url: string
  readonly thumbnailUrl?: string
  readonly createdAt: string
}

export interface SendFileOptions {
  /** Default: the file's own, without what the servers refuse in names. */
  name?: string
  /** As in `send`: the same key is the same file and the same message, also after a death of the process. */
  key?: string
  replyTo?: number
  caption?: string
  /** Default: what the server says the bytes are: `image`, `video`, `audio`, else `file`. */
  messageType?: 'image' | 'file' | 'video' | 'audio'
  /** Further keys of the payload. */
  payload?: { [key: string]: unknown }
  /** In bytes. Begins again where an upload breaks. */
  onProgress?: (progress: { sent: number; total: number }) => void
  /** Ends the upload; the promise fails with its reason. */
  signal?: AbortSignalLike
  /** Leaves EXIF, XMP and comments in JPEG, PNG and WebP, among them the place where a picture was taken. Default: no. */
  keepMetadata?: boolean
  /** Whether the browser makes a small picture of a picture. Default: yes. */
  thumbnail?: boolean
}

export type EventsOptions =
  /** From the position that the application keeps: exactly once. 0 is the beginning, nothing is now. */
  | { after?: number; mark?: string; as?: undefined }
  /** From the position that is kept under the name, else from `after`, else from now: at least once. */
  | { as: string; after?: number; mark?: string }

// Events

export type MessageType = SentType | 'system'
export type SentType = 'text' | 'image' | 'file' | 'video' | 'audio' | 'rich_content' | 'location' | 'sticker'

/** An uploaded file of the room, in place of its URL. The server fills in what it knows of it. */
type Uploaded = { fileId: string }

/** Other keys are kept. */
export interface Payloads {
  text: { text: string; [key: string]: unknown }
  image: ({ imageUrl: string } | Uploaded) & { thumbnailUrl?: string; width?: number; height?: number; mimeType?: string; fileSize?: number; caption?: string; [key: string]: unknown }
  file: ({ fileUrl: string; fileName: string } | Uploaded) & { fileSize?: number; mimeType?: string; [key: string]: unknown }
  video: ({ url: string } | Uploaded) & { durationSeconds?: number; mimeType?: string; fileSize?: number; thumbnailUrl?: string; [key: string]: unknown }
  audio: ({ url: string } | Uploaded) & { durationSeconds?: number; mimeType?: string; fileSize?: number; thumbnailUrl?: string; [key: string]: unknown }
  location: { latitude: number; longitude: number; label?: string; [key: string]: unknown }
  sticker: { stickerId: string | number; [key: string]: unknown }
  rich_content: { [key: string]: unknown }
}

interface MessageFields {
  readonly roomId: string
  readonly senderId: number
  readonly messageType: MessageType
  readonly contentJson: string
  /** `contentJson`, parsed when it is first looked at. */
  readonly content: any
  readonly sentAt: string
  readonly updatedAt?: string
  readonly replyToMessageId?: number
  readonly clientMessageId?: string
  readonly isEdited: boolean
  readonly isDeleted: boolean
}

/** Of the room's log: `seq` counts from 1 without a gap, and `mark` tells this event from all others. */
interface Logged {
  readonly roomId: string
  readonly seq: number
  readonly mark: string
}

export interface MessageEvent extends MessageFields, Logged {
  readonly eventType: 'message'
  readonly roomId: string
  readonly messageId: number
  readonly status: string
}

/** `seq` is that of the change, `messageId` that of the message. */
export interface MessageChange extends MessageFields, Logged {
  readonly eventType: 'message_edited' | 'message_deleted'
  readonly roomId: string
  readonly messageId: number
  readonly status: string
}

export interface MemberEvent extends Logged {
  readonly eventType: 'member_joined' | 'member_left' | 'member_role_changed'
  readonly userId: number
  readonly role?: Role
  readonly actorId: number
  readonly at: string
}

export interface RoomChange extends Logged {
  readonly eventType: 'room_updated' | 'room_archived'
  readonly name: string
  readonly actorId: number
  readonly at: string
}

/** As the server sent it, frozen. Types that this version does not know are handed on, too: have a `default`. */
export type RoomEvent = MessageEvent | MessageChange | MemberEvent | RoomChange

export interface TypingSignal {
  readonly eventType: 'typing'
  readonly roomId: string
  readonly userId: number
  readonly typing: boolean
}

export interface ReadSignal {
  readonly eventType: 'read'
  readonly roomId: string
  readonly userId: number
  readonly lastReadSeq: number
  readonly at: string
}

/** The server has another log, which goes on after `seq`: what was made of the former one is no longer true. */
export interface Reset {
  readonly seq: number
  readonly mark?: string
  readonly lost?: unknown
}

/** More than `maxMissed` events were missing: those in between are not handed on. */
export interface Skipped {
  readonly after: number
  readonly through: number
}

// Messages and posts

export interface Message extends MessageFields {
  /** The same before and after an own message is stored. */
  readonly key: string
  readonly seq?: number
  readonly mark?: string
  readonly messageId?: number
  /** Of an own message that is not stored yet. */
  readonly post?: Post
}

export interface SendOptions {
  /** The same key, in any process, is the same send. 1–64 characters; default: a new one. */
  key?: string
  replyTo?: number
}

export type PostState = 'new' | 'queued' | 'sending' | 'stored' | 'refused'

export class Post {
  private constructor()
  readonly key: string
  readonly roomId: string
  readonly messageType: SentType
  readonly payload: any
  readonly replyToMessageId?: number
  readonly state: PostState
  /** Why it was refused. */
  readonly error: ChatError | undefined
  /** False where it was refused and an answer was lost before. */
  readonly isCertain: boolean | undefined
  readonly messageId: number | undefined
  readonly seq: number | undefined
  /** The store has it: from now on it is stored or refused. */
  readonly kept: Promise<void>
  /** Fails with a `ChatError` where it is refused. */
  readonly stored: Promise<{ messageId: number; seq: number }>
  /** A refused one once more. */
  retry(): void
  /** True: it is not stored and never will be. */
  discard(): Promise<boolean>
}

// Errors

/** The library's own codes. All others are the server's. */
export type OwnErrorCode =
  | 'network' | 'timeout' | 'closed' | 'signed_out' | 'store_failed' | 'protocol' | 'invalid' | 'listener' | 'log_mismatch' | 'too_large'
  | 'not_stored' | 'unsent' | 'server_error' | 'in_use' | 'client_message_id_reused'

export class ChatError extends Error {
  readonly name: 'ChatError'
  readonly code: OwnErrorCode | (string & {})
  readonly status?: number
  readonly traceId?: string
  readonly retryAfterMs?: number
  /** Whether the same may go well later. */
  readonly isTemporary: boolean
  readonly cause?: unknown
}

// Storage

type Awaitable<Value> = Value | Promise<Value>

/** An `AbortSignal`. */
export interface Signal {
  readonly aborted: boolean
  readonly reason: any
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** Where a chat keeps what it has: texts by key. */
export interface ChatStorage {
  get(key: string): Awaitable<string | null | undefined>
  set(key: string, value: string): Awaitable<unknown>
  delete(key: string): Awaitable<unknown>
  /** All that begin with the prefix, in any order. */
  keys(prefix: string): Awaitable<readonly string[]>
  /** All or nothing; without a value the key is deleted. `lost`: of the lock that has to be had for it. */
  write?(changes: readonly (readonly [key: string, value: string | undefined])[], options?: { lost?: Signal }): Awaitable<unknown>
  /** Runs `work` alone among all that share the storage. Where it is left out one process has it for itself. */
  exclusively?<Result>(name: string, work: (lost?: any) => Awaitable<Result>, options?: LockOptions): Promise<Result | undefined>
  /** False: what is written does not outlive the process. */
  readonly isLasting?: boolean
}

export interface LockOptions {
  /** Not at all where the lock is not free: then the result is `undefined`. */
  ifAvailable?: boolean
  /** At once: `lost` of whoever has the lock is aborted. */
  steal?: boolean
  /** Ends the waiting. */
  signal?: any
}
