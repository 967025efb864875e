// The list of rooms on the screen.

import { byId, element, KeyedList } from './dom.js'
import { summaryOf } from './message-text.js'

/** The server counts no further. */
const COUNT_ENDS = 1000

export class RoomListView {
  #openId = null

  /** `open(roomId)` is called for the room that is chosen. */
  constructor({ list, people, open, signal }) {
    Object.assign(this, { list, people, open })
    this.rows = new KeyedList(byId('room-list'), row => this.#element(row))
    const render = () => this.render()
    list.addEventListener('change', render, { signal })
    people.addEventListener('change', render, { signal })
    byId('more-rooms').addEventListener('click', () => list.showMore(), { signal })
    render()
  }

  mark(roomId) {
    this.#openId = roomId
    this.render()
  }

  render() {
    this.rows.show(this.list.rooms.map(room => ({
      key: room.roomId, name: this.list.name(room), last: this.#last(room), unread: room.unreadCount,
      isOpen: room.roomId === this.#openId,
    })))
    byId('more-rooms').hidden = !this.list.hasMore
    byId('rooms-trouble').textContent = this.list.trouble ?? ''
    const unread = this.list.rooms.filter(room => room.unreadCount > 0).length
    document.title = unread > 0 ? `(${unread}) Chat` : 'Chat'
  }

  #last({ lastMessage }) {
    if (!lastMessage) return 'No messages yet'
    const isOwn = lastMessage.senderId === this.list.userId
    return `${isOwn ? 'You' : this.people.name(lastMessage.senderId)}: ${summaryOf(lastMessage)}`
  }

  #element({ key, name, last, unread, isOpen }) {
    const count = unread >= COUNT_ENDS ? `${COUNT_ENDS - 1}+` : String(unread)
    return element(
      'li', {},
      element(
        'button', { type: 'button', onclick: () => this.open(key), data: { roomId: key }, aria: { current: String(isOpen) } },
        element('span', { className: 'name' }, name),
        unread > 0
          ? element('span', { className: 'badge' }, count, element('span', { className: 'unseen' }, ' unread'))
          : element('span'),
        element('span', { className: 'last' }, last)))
  }
}
