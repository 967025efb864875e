// The open room on the screen.

import { byId, KeyedList } from './dom.js'
import { Composer } from './composer.js'
import { rowElement } from './message-view.js'
import { timeline } from './timeline.js'

/** This near to the end of the messages counts as being there; rounding and zoom take a few pixels. */
const END_PIXELS = 48
const EARLIER_PIXELS = 300

export class RoomView {
  #room = null
  #isDue = false
  #isAtEnd = true
  #firstKey = null

  /** `titleOf(room)` is what a room is called. */
  constructor({ people, outbox, titleOf, signal }) {
    Object.assign(this, { people, outbox, titleOf })
    this.scroller = byId('scroller')
    this.composer = new Composer({ onSend: () => this.#toEnd(), signal })
    this.list = new KeyedList(byId('log'), row => rowElement(row, {
      act: (tool, message) => this.#act(tool, message),
      again: post => this.outbox.retry(post.clientMessageId),
      discard: post => this.outbox.remove(post.clientMessageId),
    }))
    this.render = this.render.bind(this)
    const listeners = [
      [this.scroller, 'scroll', () => this.#scrolled()],
      [byId('earlier'), 'click', () => this.#room?.loadEarlier()],
      [byId('to-end'), 'click', () => this.#toEnd()],
      [window, 'focus', () => this.#see()],
      [window, 'resize', this.render],
      [people, 'change', this.render],
    ]
    for (const [target, type, listen] of listeners) target.addEventListener(type, listen, { signal })
  }

  /** Goes over to another room, or to none. */
  show(room) {
    this.#room?.removeEventListener('change', this.render)
    this.#room = room
    this.#isAtEnd = true
    this.#firstKey = null
    this.list.show([])
    this.composer.show(room)
    byId('open-room').hidden = room === null
    byId('no-room').hidden = room !== null
    byId('chat').classList.toggle('in-room', room !== null)
    if (!room) return
    room.addEventListener('change', this.render)
    this.render()
    if (matchMedia('(hover: hover)').matches) this.composer.focus()
  }

  /** Soon, once for all that changes until then. */
  render() {
    if (this.#isDue) return
    this.#isDue = true
    requestAnimationFrame(() => {
      this.#isDue = false
      if (this.#room) this.#renderNow(this.#room)
    })
  }

  #renderNow(room) {
    const nameOf = userId => this.people.name(userId)
    const { scroller } = this
    byId('room-name').textContent = this.titleOf(room.room)
    byId('room-state').textContent = stateText(room)
    byId('typing').textContent = typingText(room.typists.map(nameOf))
    byId('composer').hidden = room.isArchived
    byId('no-composer').hidden = !room.isArchived
    byId('history-trouble').textContent = room.trouble ?? ''
    byId('earlier').hidden = !room.log.hasEarlier || room.log.cursor === null
    byId('earlier').disabled = room.isLoading
    // What is only loaded, and not new, is not read out.
    byId('log').setAttribute('aria-busy', String(room.isLoading))

    const fromEnd = scroller.scrollHeight - scroller.scrollTop
    const rows = timeline({ ...room, posts: room.posts, isManaged: room.isManaged, isArchived: room.isArchived, nameOf })
    this.list.show(rows)
    const isPrepended = this.#firstKey !== null && rows[0]?.key !== this.#firstKey
    this.#firstKey = rows[0]?.key ?? null
    if (this.#isAtEnd) scroller.scrollTop = scroller.scrollHeight
    else if (isPrepended) scroller.scrollTop = scroller.scrollHeight - fromEnd
    byId('to-end').hidden = this.#isAtEnd
    this.#see()
  }

  #toEnd() {
    this.#isAtEnd = true
    this.render()
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller
    this.#isAtEnd = scrollHeight - scrollTop - clientHeight < END_PIXELS
    byId('to-end').hidden = this.#isAtEnd
    if (scrollTop < EARLIER_PIXELS) this.#room?.loadEarlier()
    this.#see()
  }

  /** Read is what stands at the end of a window that has the focus. */
  #see() { if (this.#isAtEnd && document.hasFocus()) this.#room?.see() }

  async #act(tool, message) {
    const room = this.#room
    if (tool === 'reply') this.composer.reply(message)
    if (tool === 'edit') this.composer.edit(message)
    if (tool !== 'delete' || !window.confirm('Delete this message for everybody?')) return
    try {
      await room.remove(message)
    } catch (error) {
      byId('composer-error').textContent = error.message
    }
  }
}

function stateText(room) {
  switch (room.state) {
    case 'live': {
      const count = Math.max(room.members.length, room.members.length === 0 ? room.room.memberCount : 0)
      return count === 1 ? '1 member' : `${count} members`
    }
    case 'catching_up': return 'Catching up …'
    case 'waiting': return 'No connection. Trying again …'
    default: return 'Connecting …'
  }
}

function typingText(names) {
  if (names.length === 0) return ''
  if (names.length > 2) return `${names.length} people are typing …`
  return `${names.join(' and ')} ${names.length === 1 ? 'is' : 'are'} typing …`
}
