// Types of the package `chat-client`. What each thing promises is in README.md.

// The chat

export type ConnectionState = 'offline' | 'connecting' | 'syncing' | 'live' | 'signedOut' | 'closed'

/** The reason of the state. For `connecting`, `syncing` and `live`: why this connection attempt was needed. */
export type ConnectionReason =
  | 'start' | 'network' | 'dead' | 'restart' | 'busy' | 'token' | 'protocol' | 'unsupported' | 'sleep' | 'store'
  | 'stopped' | 'signedOut' | 'otherUser' | 'closed'

export interface Connection {
  readonly state: ConnectionState
  readonly reason: ConnectionReason
  /** In `offline` with a retry scheduled: its delay as of the change, and its time (ms since 1970). */
  readonly retryInMs?: number
  readonly retryAt?: number
  readonly cause?: unknown
}

export interface StateChange extends Connection {
  readonly previous: ConnectionState
}

/** `first`: no token yet. `expiring`: the current one expires soon. `refused`: the server rejected the current one. */
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
   * Resolves to an access token within 30 s. Rejects with an error named `SignedOut` if there will be no token; after
   * any other error it is called again.
   */
  getToken: (request: { reason: TokenReason }) => Promise<string>
  /** The user whose stored data is shown before the first token arrives, for example without a network. */
  userId?: number
}

/** For servers in trusted mode. */
export interface TrustedOptions extends CommonOptions {
  getToken?: undefined
  userId: number
}

export type ChatOptions = TokenOptions | TrustedOptions

/** Removes the listener. */
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
  /** Posts of all rooms that are not stored yet, including those from before a reload or restart. */
  readonly outbox: readonly Post[]

  start(): void
  stop(): void
  /** Resolves within 2 s. No timer, socket or listener remains. */
  close(): Promise<void>
  /** Retries now instead of after the current delay. Posts keep a delay that the server asked for. */
  retryNow(): void
  /** Deletes the stored data of this user. Rejects with `unsent` if posts would be lost, unless `evenUnsent`. */
  forget(options?: { evenUnsent?: boolean }): Promise<void>

  on(type: 'state', listener: (change: StateChange) => void): Off
  /** A post is stored, or refused. */
  on(type: 'post', listener: (post: Post) => void): Off
  on(type: 'error', listener: (error: ChatError) => void): Off

  /** The same object for the same id, always. */
  room(id: string): Room

  // One attempt each, never queued.
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
  /** Absent where none was given: a guest, a user of an issuer or of a backend. */
  readonly username?: string
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

/** `reset`: the server has another log; until its first event. `gone`: left, or removed from it. */
export type RoomState = 'idle' | 'syncing' | 'live' | 'reset' | 'gone'

export class Room {
  private constructor()
  readonly id: string
  /** As in the list of rooms; the same object until something changes. */
  readonly info: RoomInfo | undefined
  readonly state: RoomState

  /** Ascending, with edits and deletions applied; own unsent posts last. Frozen; replaced only when something changes. */
  readonly messages: readonly Message[]
  /** At most once a turn of the event loop, after `messages`, `state` or what belongs to them has changed. */
  subscribe(listener: () => void): Off
  /**
   * Loads up to `limit` older messages and resolves to whether there are more. Waits up to 20 s until the position of the
   * room is known, then rejects with `timeout`.
   */
  loadOlder(limit?: number): Promise<boolean>
  readonly hasMore: boolean
  /** Whether `messages` includes the newest message; otherwise `newerCount` messages follow it. */
  readonly isAtEnd: boolean
  readonly newerCount: number
  toEnd(): void

  /** Every event with a `seq`: once per process, in order, without gaps. For display; see `events` for processing. */
  on(type: 'event', listener: (event: RoomEvent) => void): Off
  on(type: 'message', listener: (event: MessageEvent) => void): Off
  on(type: 'typing', listener: (signal: TypingSignal) => void): Off
  on(type: 'read', listener: (signal: ReadSignal) => void): Off
  on(type: 'reset', listener: (reset: Reset) => void): Off
  on(type: 'skipped', listener: (skipped: Skipped) => void): Off
  on(type: 'gone', listener: () => void): Off

  /** Queues a message. Once `post.kept` resolves, it will be stored exactly once or refused. */
  send<Type extends SentType>(payload: Payloads[Type], options: SendOptions & { messageType: Type }): Post
  send(payload: Payloads['text'], options?: SendOptions & { messageType?: 'text' }): Post

  /**
   * Uploads a file and sends a message that refers to it. An interrupted upload restarts. Resolves when the file is stored and
   * the message is in the outbox; until then both exist only in this process. Rejects if the file is refused.
   */
  sendFile(file: BlobLike, options?: SendFileOptions): Promise<Post>
  /**
   * The metadata of a file that a message refers to, with URLs for `<img src>`; `undefined` if there is no such file for this
   * user. Requests made together share one call. Results are cached for half an hour; their URLs stay valid for at least
   * another half hour. `fresh` bypasses the cache, for a URL that the server has rejected.
   */
  file(fileId: string, options?: { fresh?: boolean }): Promise<FileInfo | undefined>

  /** `id`: of a message, or the key of an own post that is not stored yet. */
  edit(id: number | string, payload: object): Promise<void>
  delete(id: number): Promise<void>
  /** Marks as read up to `seq`, by default up to the end. Stored, and sent once that is possible. */
  markRead(seq?: number): void
  typing(isTyping?: boolean): void
  leave(): Promise<void>
  members(cursor?: string): Promise<Page<Member>>

  /** Events for processing, at the pace of the consumer. Ends by `break`, `close()` or removal from the room. */
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
  /** Detected from the content, not from the name. */
  readonly mimeType: string
  readonly fileSize: number
  readonly sha256: string
  readonly width?: number
  readonly height?: number
  /** A URL that needs no token and expires. */
  readonly url: string
  readonly thumbnailUrl?: string
  readonly createdAt: string
}

export interface SendFileOptions {
  /** Default: the file's own name, without characters that the servers refuse. */
  name?: string
  /** As in `send`: the same key means the same file and the same message, also after a restart of the process. */
  key?: string
  replyTo?: number
  caption?: string
  /** Default: by the type that the server detected: `image`, `video`, `audio`, otherwise `file`. */
  messageType?: 'image' | 'file' | 'video' | 'audio'
  /** Further keys of the payload. */
  payload?: { [key: string]: unknown }
  /** In bytes. Starts over when an interrupted upload restarts. */
  onProgress?: (progress: { sent: number; total: number }) => void
  /** Ends the upload; the promise fails with its reason. */
  signal?: AbortSignalLike
  /** Keeps EXIF, XMP and comments in JPEG, PNG and WebP, including the location. Default: false. */
  keepMetadata?: boolean
  /** Whether the browser makes a small picture of a picture. Default: yes. */
  thumbnail?: boolean
}

export type EventsOptions =
  /** From a position that the application stores: exactly once. `after: 0` starts at the beginning, no `after` now. */
  | { after?: number; mark?: string; as?: undefined }
  /** From the position stored under the name, else from `after`, else from now: at least once. */
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
  sticker: { stickerId: string; [key: string]: unknown }
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

/** An event of a room's log. `seq` counts from 1 without gaps; `mark` distinguishes this event from all others. */
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

/** `seq` is the position of the change, `messageId` the id of the changed message. */
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

/** As sent by the server, frozen. Unknown event types are delivered, too: have a `default`. */
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

/** The server has another log, which continues after `seq`. State derived from the previous log is no longer valid. */
export interface Reset {
  readonly seq: number
  readonly mark?: string
  readonly lost?: unknown
}

/** More than `maxMissed` events were missed: those after `after`, up to `through`, are not delivered. */
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
  /** `false` if it was refused after an earlier response was lost, so that it may have been stored. */
  readonly isCertain: boolean | undefined
  readonly messageId: number | undefined
  readonly seq: number | undefined
  /** Resolves when the post is in the local store: from then on it will be stored by the server or refused. */
  readonly kept: Promise<void>
  /** Rejects with a `ChatError` if the post is refused or discarded, or the chat is closed. */
  readonly stored: Promise<{ messageId: number; seq: number }>
  /** Sends a refused post again; tries a waiting one now. */
  retry(): void
  /** Gives the post up. `true`: it is not stored and never will be. */
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
  /** Whether a retry may succeed. */
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

/** The storage of a chat: strings by key. */
export interface ChatStorage {
  get(key: string): Awaitable<string | null | undefined>
  set(key: string, value: string): Awaitable<unknown>
  delete(key: string): Awaitable<unknown>
  /** All that begin with the prefix, in any order. */
  keys(prefix: string): Awaitable<readonly string[]>
  /** Atomic; a change without a value deletes the key. `lost`: the signal of the lock that the write requires. */
  write?(changes: readonly (readonly [key: string, value: string | undefined])[], options?: { lost?: Signal }): Awaitable<unknown>
  /** Runs `work` under an exclusive lock among all users of the storage. Without it, only one process may use the storage. */
  exclusively?<Result>(name: string, work: (lost?: any) => Awaitable<Result>, options?: LockOptions): Promise<Result | undefined>
  /** False: what is written does not outlive the process. */
  readonly isLasting?: boolean
}

export interface LockOptions {
  /** Does not wait: if the lock is held, `work` does not run and the result is `undefined`. */
  ifAvailable?: boolean
  /** Takes the lock at once; the `lost` signal of its holder is aborted. */
  steal?: boolean
  /** Aborts the wait for the lock. */
  signal?: any
}
