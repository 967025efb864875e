import type { ReactElement, ReactNode } from 'react'
import type { Chat, ConnectionReason, ConnectionState, Message, Room, RoomInfo, RoomState } from './chat.js'

/** Starts the chat when mounted, stops it shortly after the last provider is unmounted, and never closes it. */
export function ChatProvider(props: { chat: Chat; children?: ReactNode }): ReactElement

export function useChat(): Chat

export function useConnection(): {
  readonly state: ConnectionState
  readonly reason: ConnectionReason
  readonly retryInMs?: number
}

export function useRooms(): readonly RoomInfo[]

/** Rendered again when its `info` or `state` changes. */
export function useRoom(id: string): Room
export function useRoom(id: string | null | undefined): Room | undefined

export function useMessages(id: string | null | undefined): {
  readonly messages: readonly Message[]
  readonly hasMore: boolean
  /** Can be passed to `onClick`. Resolves to whether there are more. */
  readonly loadOlder: (limit?: unknown) => Promise<boolean>
  readonly state: RoomState
}
