// The modules of the web client that need no page.
const files = '../../Sources/ChatSystemServer/Presentation/WebClient/Files'

export const { RoomLog } = await import(`${files}/room-log.js`)
export const { PostQueue } = await import(`${files}/post-queue.js`)
export const { Backoff } = await import(`${files}/backoff.js`)
export const { Reaction, reactionTo } = await import(`${files}/close-codes.js`)
export const { resolveServers } = await import(`${files}/configuration.js`)
export const { webAddress, withLinks, partsOf, summaryOf, editableText } = await import(`${files}/message-text.js`)
export const { Typists, TypingSignal } = await import(`${files}/typing.js`)
export const { timeline } = await import(`${files}/timeline.js`)
export const { Session } = await import(`${files}/session.js`)
export const { RoomSocket } = await import(`${files}/room-socket.js`)
