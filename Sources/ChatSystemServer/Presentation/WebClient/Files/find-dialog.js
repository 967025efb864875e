// Finding public rooms and joining them.

import { attempt, byId, element } from './dom.js'

const PAUSE_MS = 250

export class FindDialog {
  #timer = null
  #asked = 0
  #cursor

  /** `joined(room)` is called with the room that the user is in now. */
  constructor({ api, joined, signal }) {
    Object.assign(this, { api, joined })
    this.dialog = byId('find-dialog')
    this.query = byId('find-query')
    this.results = byId('find-results')
    this.error = byId('find-error')
    this.query.addEventListener('input', () => {
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => this.#find(), PAUSE_MS)
    }, { signal })
    byId('find-more').addEventListener('click', () => this.#find(this.#cursor), { signal })
  }

  open() {
    this.query.value = ''
    this.dialog.showModal()
    this.#find()
  }

  async #find(cursor) {
    const asked = (this.#asked += 1)
    await attempt(this.error, byId('find-more'), async () => {
      const { items, nextCursor } = await this.api.publicRooms(this.query.value.trim(), cursor)
      if (asked !== this.#asked) return
      const found = items.map(room => this.#result(room))
      if (cursor) this.results.append(...found)
      else this.results.replaceChildren(...found)
      this.#cursor = nextCursor
      byId('find-more').hidden = nextCursor === undefined
      if (this.results.children.length === 0) this.error.textContent = 'No public room has a name that begins so'
    })
  }

  #result(room) {
    const button = element('button', { type: 'button', aria: { label: `Join ${room.name}` } }, 'Join')
    button.onclick = () => attempt(this.error, button, async () => {
      const joined = await this.api.join(room.roomId)
      this.dialog.close()
      this.joined(joined)
    })
    const count = room.memberCount === 1 ? '1 member' : `${room.memberCount} members`
    return element(
      'li', {}, element('span', { className: 'who' }, room.name, ' ', element('small', {}, count)), button)
  }
}
