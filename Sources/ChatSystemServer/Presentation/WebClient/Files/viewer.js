// Pictures as large as the window, one after the other.

import { byId, listen } from './dom.js'
import { errorText, t } from './strings.js'

export class Viewer {
  #pictures = []
  #key = null
  #shown = 0

  /**
   * `pictures()`: all of the room, `{key, row, name, alt, address(fresh, {isWanted, failed}), href?}`, `row` being the key of
   * the message's; `save(picture)` downloads one; `closed(row)`: the row that was looked at has lost the focus.
   */
  constructor({ pictures, save, closed, signal }) {
    Object.assign(this, { pictures, save, closed })
    this.dialog = byId('media-dialog')
    this.picture = byId('media-picture')
    listen(signal, [
      [this.dialog, 'keydown', event => this.#pressed(event)],
      // A click beside the picture closes, as does one on it.
      [this.dialog, 'click', ({ target }) => { if (!target.closest('header, .step')) this.dialog.close() }],
      [this.dialog, 'close', () => this.#end()],
      [byId('media-close'), 'click', () => this.dialog.close()],
      [byId('media-previous'), 'click', () => this.#step(-1)],
      [byId('media-next'), 'click', () => this.#step(1)],
      [byId('media-download'), 'click', () => { const picture = this.#current; if (picture) this.save(picture) }],
      [this.picture, 'error', () => this.#failed()],
    ])
  }

  open(key) {
    this.#pictures = this.pictures()
    this.#key = key
    if (this.#current === undefined) return
    this.#show()
    this.dialog.showModal()
    byId('media-close').focus()
  }

  /** The messages of the room have changed: a deleted picture is no longer shown. */
  refresh() {
    if (this.#key === null) return
    const at = this.#at
    this.#pictures = this.pictures()
    if (this.#current) return this.#showPlace()
    if (this.#pictures.length === 0) return this.dialog.close()
    this.#key = this.#pictures[Math.min(Math.max(at, 0), this.#pictures.length - 1)].key
    this.#show()
  }

  get #at() { return this.#pictures.findIndex(({ key }) => key === this.#key) }
  get #current() { return this.#pictures[this.#at] }

  #end() {
    const row = this.#current?.row
    this.#key = null
    this.picture.removeAttribute('src')
    // The element that had the focus may have been replaced; then the focus stays here until the next frame.
    const focused = document.activeElement
    if (focused === document.body || this.dialog.contains(focused)) this.closed(row)
  }

  #pressed(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return
    event.preventDefault()
    this.#step(step)
  }

  #step(by) {
    const next = this.#pictures[this.#at + by]
    if (!next) return
    this.#key = next.key
    this.#show()
  }

  async #show(isFresh = false) {
    const { name, alt, href, address } = this.#current
    const shown = this.#shown += 1
    this.#isFresh = isFresh
    byId('media-name').textContent = name
    byId('media-trouble').hidden = true
    byId('media-download').hidden = href !== undefined
    const link = byId('media-link')
    link.hidden = href === undefined
    if (href !== undefined) link.href = link.textContent = href
    this.#showPlace()
    const { picture } = this
    if (!isFresh) picture.removeAttribute('src')
    picture.alt = alt
    picture.referrerPolicy = 'no-referrer'
    const isWanted = () => shown === this.#shown && this.#key !== null
    let source, words = t('fileGone')
    try {
      // Offline it waits, and says so.
      source = await address(isFresh, { isWanted, failed: error => { if (isWanted()) this.#tell(errorText(error)) } })
    } catch (error) {
      words = errorText(error)
    }
    if (!isWanted()) return
    if (!source) return this.#tell(words)
    byId('media-trouble').hidden = true
    picture.src = source
  }

  #tell(words) {
    byId('media-trouble').textContent = words
    byId('media-trouble').hidden = false
  }

  #isFresh = false

  /** An address that has aged is renewed, once. */
  #failed() {
    if (this.#current === undefined) return
    if (this.#isFresh || this.#current.href !== undefined) this.#tell(t('fileGone'))
    else this.#show(true)
  }

  #showPlace() {
    const at = this.#at, count = this.#pictures.length
    byId('media-place').textContent = count > 1 ? t('placeOf', at + 1, count) : ''
    for (const [id, isEnd] of [['media-previous', at === 0], ['media-next', at === count - 1]]) {
      const button = byId(id)
      // Disabling a focused button would pass the keys to the page behind.
      if (isEnd && document.activeElement === button) byId('media-close').focus()
      button.disabled = isEnd
    }
  }
}
