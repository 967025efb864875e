// What draws attention to the page: title, icon, a badge of the installed page, desktop notifications, and what a screen
// reader says about new messages.

import { summaryOf } from './content.js'
import { byId, element } from './dom.js'
import { roomName } from './sidebar.js'
import { t } from './strings.js'

const MOST_SAID = 20

/** The rooms with new messages of others since the previous list, for notifications. Pure. */
export function newlyUnread(before, rooms, userId) {
  return rooms.filter(room => {
    const last = room.lastMessage, old = before.get(room.roomId)
    if (!last || last.senderId === userId || !(room.unreadCount > 0)) return false
    return old !== undefined && (old.lastMessage?.seq ?? 0) < last.seq
  })
}

export class Attention {
  #before = new Map()
  #isFirst = true

  /** `isSeen(roomId)`: the user is looking at its end; `open(roomId)`. */
  constructor({ chat, people, preferences, userId, isSeen, open, signal }) {
    Object.assign(this, { chat, people, preferences, userId, isSeen, open })
    const off = chat.rooms.subscribe(() => this.render())
    signal.addEventListener('abort', () => { off(); this.#show(0, '') })
    this.title = ''
    this.render()
  }

  setTitle(title) {
    this.title = title
    this.render()
  }

  render() {
    const rooms = this.chat.rooms.list
    const unread = rooms.filter(room => room.unreadCount > 0 && !this.isSeen(room.roomId))
    this.#show(unread.reduce((sum, room) => sum + room.unreadCount, 0), this.title)
    // Rooms that were unread before the page was opened, or in the first list, cause no notification.
    if (!this.#isFirst) {
      for (const room of newlyUnread(this.#before, rooms, this.userId)) if (!this.isSeen(room.roomId)) this.#notify(room)
    }
    this.#isFirst = this.#isFirst && this.chat.state !== 'live'
    this.#before = new Map(rooms.map(room => [room.roomId, room]))
  }

  #show(count, title) {
    const name = title === '' ? 'Chat' : `${title} – Chat`
    document.title = count === 0 ? name : `(${count > 999 ? '999+' : count}) ${name}`
    const icon = count === 0 ? '/web/icon.svg' : '/web/icon-unread.svg'
    if (byId('icon').getAttribute('href') !== icon) byId('icon').setAttribute('href', icon)
    if (count === 0) navigator.clearAppBadge?.().catch(() => {})
    else navigator.setAppBadge?.(count).catch(() => {})
  }

  #notify(room) {
    if (!this.preferences.get('notifications') || globalThis.Notification?.permission !== 'granted') return
    // All open tabs notify with the same tag, so that the browser shows one notification.
    const { lastMessage } = room
    const sender = this.people.name(lastMessage.senderId), name = roomName(room)
    try {
      const shown = new Notification(room.type === 'direct' ? sender : `${sender} · ${name}`, {
        body: summaryOf(lastMessage), tag: `room:${room.roomId}`, icon: '/web/icon.svg', dir: 'auto',
      })
      shown.onclick = () => { window.focus(); this.open(room.roomId); shown.close() }
    } catch { /* On phones only service workers may notify. */ }
  }
}

/** Reads new messages of the open room out: sender and text, nothing else. */
export function announce(sender, message) {
  const place = byId('announcer')
  place.append(element('p', { dir: 'auto' }, t('messageFrom', sender, summaryOf(message, 400))))
  while (place.childElementCount > MOST_SAID) place.firstElementChild.remove()
}

let toastTimer

/** Shows a short confirmation for a moment. */
export function toast(words) {
  byId('toast').textContent = words
  clearTimeout(toastTimer)
  toastTimer = setTimeout(() => { byId('toast').textContent = '' }, 3_000)
}
