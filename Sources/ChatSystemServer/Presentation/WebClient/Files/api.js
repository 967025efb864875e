// The REST calls of a signed-in user, one method for each.

import { call } from './http.js'

const id = encodeURIComponent
/** So many members are asked for at a time, which is the most. */
const PAGE = 100

export class Api {
  constructor(servers, session) {
    this.servers = servers
    this.session = session
  }

  me() { return this.#system('GET', '/users/me') }
  user(userId) { return this.#system('GET', `/users/${id(userId)}`) }
  users(prefix) { return this.#system('GET', `/users?limit=10&query=${id(prefix)}`) }

  rooms(cursor) { return this.#system('GET', '/rooms' + query({ cursor })) }
  publicRooms(prefix, cursor) { return this.#system('GET', '/rooms/public' + query({ query: prefix, cursor })) }
  room(roomId) { return this.#system('GET', `/rooms/${id(roomId)}`) }
  makeRoom(room) { return this.#system('POST', '/rooms', room) }
  renameRoom(roomId, name) { return this.#system('PATCH', `/rooms/${id(roomId)}`, { name }) }
  archiveRoom(roomId) { return this.#system('DELETE', `/rooms/${id(roomId)}`) }
  join(roomId) { return this.#system('POST', `/rooms/${id(roomId)}/join`) }
  leave(roomId) { return this.#system('POST', `/rooms/${id(roomId)}/leave`) }

  members(roomId, cursor) { return this.#system('GET', `/rooms/${id(roomId)}/members` + query({ limit: PAGE, cursor })) }
  addMember(roomId, userId) { return this.#system('POST', `/rooms/${id(roomId)}/members`, { userId }) }
  removeMember(roomId, userId) { return this.#system('DELETE', `/rooms/${id(roomId)}/members/${id(userId)}`) }

  history(roomId, before) { return this.#message('GET', `/rooms/${id(roomId)}/messages` + query({ before })) }
  events(roomId, after) { return this.#message('GET', `/rooms/${id(roomId)}/events` + query({ after, limit: PAGE })) }

  /** Sends a post of `PostQueue`; as often as is needed, since it has its key. */
  post({ roomId, text, replyToMessageId, clientMessageId }) {
    return this.#message(
      'POST', '/messages', { roomId, messageType: 'text', payload: { text }, replyToMessageId, clientMessageId })
  }

  edit(messageId, text) { return this.#message('PATCH', `/messages/${id(messageId)}`, { payload: { text } }) }
  remove(messageId) { return this.#message('DELETE', `/messages/${id(messageId)}`) }

  #system(method, path, body) { return this.#call(this.servers.system + path, method, body) }
  #message(method, path, body) { return this.#call(this.servers.message + path, method, body) }

  async #call(url, method, body) {
    const token = await this.session.token()
    const { userId } = this.session
    try {
      return await call(url, { method, body, token, userId })
    } catch (error) {
      if (error.status !== 401) throw error
      // The server's clock, or its keys, have the last word. Once more with a fresh one.
      return await call(url, { method, body, token: await this.session.refresh(token), userId })
    }
  }
}

function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== '')
  return given.length === 0 ? '' : '?' + given.map(([name, value]) => `${name}=${id(value)}`).join('&')
}
