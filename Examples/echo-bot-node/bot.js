// Answers every message of a room once, whatever is killed in between: `node bot.js URL USER ROOM` against servers of `trusted`
// mode. Its position and its answers are kept in the folder `echo-bot`.
import { Chat } from 'chat-client'
import { FileStorage } from 'chat-client/node'

const [url, user, roomId] = process.argv.slice(2)
const chat = new Chat({ url, userId: Number(user), storage: new FileStorage('echo-bot') })
chat.on('error', error => console.error(error.code, error.message))
chat.start()
await chat.joinRoom(roomId)
const room = chat.room(roomId)
for await (const event of room.events({ as: 'echo' })) {
  if (event.eventType !== 'message' || event.senderId === Number(user) || event.content.text === undefined) continue
  // The event may come again after a kill; the key makes the answer the same one.
  await room.send({ text: `You said: ${event.content.text}` }, { key: `echo-${event.messageId}` }).kept
}
