// A process that keeps and sends numbered posts until it is killed: FOLDER USER-ID ROOM FIRST LAST, the account in the environment.

import { Chat } from '../../src/chat.js'
import { FileStorage } from '../../src/node.js'

const [folder, userId, room, first, last] = process.argv.slice(2)
const { CHAT_SYSTEM_URL: system, CHAT_MESSAGE_URL: messages, CHAT_SOCKETS_URL: sockets, USERNAME: username, PASSWORD: password } = process.env

// The test runner starts every file.
if (last !== undefined) await run()

async function run() {
  const chat = new Chat({
    url: { system, messages, sockets }, userId: Number(userId), storage: new FileStorage(folder),
    async getToken() {
      const response = await fetch(`${system}/api/v1/auth/login`, {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ username, password }),
      })
      return (await response.json()).accessToken
    },
  })
  chat.on('error', error => console.log(JSON.stringify({ error: String(error), cause: String(error.cause?.stack), isLate: error.code === 'store_failed' && error.cause?.name === 'TimeoutError' })))
  chat.on('post', post => console.log(JSON.stringify({ end: post.key, state: post.state })))
  chat.room(room).on('event', event => console.log(JSON.stringify({ seq: event.seq })))
  chat.start()
  for (let number = Number(first); number <= Number(last); number += 1) {
    const post = chat.room(room).send({ text: `n${number}` }, { key: `${first}-${number}` })
    await post.kept
    // A disk that stood still for seconds: memory has it, which ends with the process.
    if (chat.storage === 'lasting') console.log(JSON.stringify({ kept: number }))
  }
}
