// Against real servers in trusted mode: CHAT_TRUSTED_URLS, `{system, messages, sockets}` as JSON.
// Node 20 needs --experimental-websocket.

import assert from 'node:assert/strict'
import test from 'node:test'
import { Chat } from '../src/chat.js'
import { MemoryStorage } from '../src/storage/memory-storage.js'
import { until } from './support/accounts.js'

const urls = process.env.CHAT_TRUSTED_URLS
const skip = !urls ? 'CHAT_TRUSTED_URLS is not set' : typeof WebSocket === 'undefined' ? 'no WebSocket' : false

let userId = Math.floor(Math.random() * 1e9)

async function liveChat(t, options = {}) {
  const chat = new Chat({ url: JSON.parse(urls), userId: ++userId, storage: new MemoryStorage(), ...options })
  const errors = []
  chat.on('error', error => errors.push(error))
  t.after(async () => { await chat.close(); assert.deepEqual(errors, []) })
  chat.start()
  await until(() => chat.state === 'live', 'live')
  return chat
}

const Blocked = class {
  readyState = 0
  constructor() { setTimeout(() => this.onclose?.({ code: 1006 }), 1) }
  send() {}
  close() {}
}

for (const withoutSocket of [false, true]) {
  test(`users who are only numbers talk, ${withoutSocket ? 'over a stream' : 'over sockets'}`, { skip }, async t => {
    const options = withoutSocket ? { WebSocket: Blocked } : {}
    const [a, b] = await Promise.all([liveChat(t, options), liveChat(t, options)])
    assert.equal(a.me.userId, userId - 1)
    const { roomId } = await a.createRoom({ type: 'group', name: 'Trusted', memberIds: [b.me.userId] })
    await until(() => b.rooms.list.some(room => room.roomId === roomId), 'room added')
    const seen = []
    b.room(roomId).on('event', event => seen.push([event.seq, event.senderId]))
    const posts = Array.from({ length: 20 }, (_, index) => a.room(roomId).send({ text: `m${index}` }))
    await Promise.all(posts.map(post => post.stored))
    const sent = await a.room(roomId).sendFile(new File(['a file'], 'a.txt'))
    await sent.stored
    await until(() => seen.length === 21, 'all seen')
    assert.deepEqual(seen, Array.from({ length: 21 }, (_, index) => [index + 1, a.me.userId]))
    b.room(roomId).markRead()
    await until(() => b.rooms.list[0].unreadCount === 0)
  })
}
