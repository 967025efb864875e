// The library for React 18 on. `react` comes from the page: from its package, or by an import map.

import { createContext, createElement, useCallback, useContext, useEffect, useMemo, useSyncExternalStore } from 'react'

/** Delay after the last unmount: strict mode unmounts a provider and mounts it again at once. */
const STOP_AFTER_MS = 1_000
const NO_ROOMS = Object.freeze([])
const NO_MESSAGES = Object.freeze([])
const NO_CONNECTION = Object.freeze({ state: 'offline', reason: 'stopped' })

const ChatContext = createContext(undefined)
const nothing = () => undefined
const noSubscription = () => nothing

/** Starts the chat when mounted. Several providers of one chat are counted. */
export function ChatProvider({ chat, children }) {
  useEffect(() => mounted(chat), [chat])
  return createElement(ChatContext.Provider, { value: chat }, children)
}

export function useChat() {
  const chat = useContext(ChatContext)
  if (!chat) throw new Error('useChat must be used inside a ChatProvider')
  return chat
}

export function useConnection() {
  const chat = useChat()
  const subscribe = useCallback(listener => chat.on('state', listener), [chat])
  return useSyncExternalStore(subscribe, () => chat.connection, () => NO_CONNECTION)
}

export function useRooms() {
  const chat = useChat()
  const subscribe = useCallback(listener => chat.rooms.subscribe(listener), [chat])
  return useSyncExternalStore(subscribe, () => chat.rooms.list, () => NO_ROOMS)
}

/** The room; renders again when its `info` or `state` changes. */
export function useRoom(id) {
  const chat = useChat()
  const room = id === undefined || id === null ? undefined : chat.room(id)
  const subscribe = useCallback(listener => {
    if (!room) return nothing
    const offs = [room.subscribe(listener), chat.rooms.subscribe(listener)]
    return () => { for (const off of offs) off() }
  }, [chat, room])
  useSyncExternalStore(subscribe, () => room?.info, nothing)
  useSyncExternalStore(subscribe, () => room?.state, nothing)
  return room
}

export function useMessages(id) {
  const chat = useChat()
  const room = id === undefined || id === null ? undefined : chat.room(id)
  const subscribe = useMemo(() => room ? listener => room.subscribe(listener) : noSubscription, [room])
  const messages = useSyncExternalStore(subscribe, () => room?.messages ?? NO_MESSAGES, () => NO_MESSAGES)
  const state = useSyncExternalStore(subscribe, () => room?.state ?? 'idle', () => 'idle')
  const hasMore = useSyncExternalStore(subscribe, () => room?.hasMore ?? false, () => false)
  const loadOlder = useCallback(limit => {
    if (!room) return Promise.resolve(false)
    // As an `onClick` handler it receives the event.
    const loading = room.loadOlder(typeof limit === 'number' ? limit : undefined)
    loading.catch(() => {})
    return loading
  }, [room])
  return useMemo(() => ({ messages, hasMore, loadOlder, state }), [messages, hasMore, loadOlder, state])
}

// How often each chat is mounted, and the timer that stops it

const mounts = new WeakMap()

function mounted(chat) {
  const mount = mounts.get(chat) ?? { count: 0, timer: undefined }
  mounts.set(chat, mount)
  mount.count += 1
  if (mount.count === 1 && mount.timer === undefined) chat.start()
  clearTimeout(mount.timer)
  mount.timer = undefined
  return () => {
    mount.count -= 1
    if (mount.count > 0) return
    mount.timer = setTimeout(() => {
      mount.timer = undefined
      chat.stop()
    }, STOP_AFTER_MS)
  }
}
