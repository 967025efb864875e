// A virtual list: only the rows on the screen, and some around them, are elements. One row is the anchor: it does not
// move when rows are inserted above it or turn out higher than estimated.

import { KeyedList } from './dom.js'
import { Heights } from './heights.js'

/** The list counts as scrolled to its end within this distance, since rounding and zoom take a few pixels. */
const END_PIXELS = 40
const HELD_PIXELS = 8
const MARGIN_PIXELS = 900
const OLDER_PIXELS = 1_500
const MOST_PASSES = 4

/**
 * Calls `on.scroll()` after each move, `on.nearStart()` where older rows will soon be seen, and `on.attend(node, row)` where one
 * is pointed at or gets the focus.
 */
export class MessageList {
  isAtEnd = true
  #anchor = null
  #range = { first: 0, end: 0 }
  #width = 0
  #active = null
  #scrollTop = 0
  #viewHeight = 0
  /** New elements, not measured yet. The observer reports changes of all others. */
  #fresh = new Set()

  constructor({ scroller, list, above, make, isSame, estimate, on, signal }) {
    Object.assign(this, { scroller, list, above, on })
    this.heights = new Heights(row => estimate(row, this.#width))
    this.elements = new KeyedList(list, (row, old) => this.#prepare(make(row, old), row), isSame, node => this.rowObserver.unobserve(node))
    scroller.tabIndex = -1
    scroller.addEventListener('scroll', () => this.#scrolled(), { signal, passive: true })
    const attend = ({ target }) => {
      const node = target.closest('#log > li'), shown = node && this.elements.shown.get(node.dataset.key)
      if (shown?.node === node) on.attend(node, shown.row)
    }
    list.addEventListener('pointerover', attend, { signal, passive: true })
    list.addEventListener('focusin', attend, { signal })
    const observer = new ResizeObserver(() => this.#resized())
    observer.observe(scroller)
    this.rowObserver = new ResizeObserver(entries => this.#rowsResized(entries))
    signal.addEventListener('abort', () => { observer.disconnect(); this.rowObserver.disconnect() })
  }

  get rows() { return this.heights.rows }
  /** The key of the row that the tab key reaches. */
  get active() { return this.#active }

  /** Another room. */
  reset() {
    this.elements.clear()
    this.heights.setRows([])
    this.#anchor = this.#active = null
    this.#range = { first: 0, end: 0 }
    this.isAtEnd = true
  }

  /** Makes all elements once more: their words are in another language. */
  rebuild() {
    this.elements.rebuild()
    this.#render()
  }

  show(rows) {
    this.heights.setRows(rows)
    this.#render()
  }

  toEnd() {
    this.isAtEnd = true
    this.#render()
  }

  /** Brings a row into view: its top at a third of the height. Returns whether it is there. */
  reveal(key) {
    const index = this.rows.findIndex(row => row.key === key)
    if (index < 0) return false
    this.isAtEnd = false
    this.#anchor = { key, index, offset: this.scroller.clientHeight / 3 }
    this.#render()
    return true
  }

  /** Stops following the end, so that new rows do not push this row out at the top. */
  hold(key) {
    const index = this.rows.findIndex(row => row.key === key)
    if (index < 0 || !this.isAtEnd || this.heights.top(index) + this.#listTop() >= this.scroller.scrollTop) return
    this.isAtEnd = false
    this.#anchor = { key, index, offset: HELD_PIXELS }
    this.#render()
  }

  /** Moves the focus: to the row that is `step` messages further, or the last one (`Infinity`). */
  focusRow(step) {
    const messages = this.rows.filter(row => row.kind === 'message')
    if (messages.length === 0) return
    const at = messages.findIndex(row => row.key === this.#active)
    const next = Math.min(messages.length - 1, Math.max(0, at + step))
    this.activate(messages[next].key)
    const index = this.rows.indexOf(messages[next])
    const top = this.heights.top(index) + this.#listTop(), bottom = top + this.heights.height(index)
    if (next === messages.length - 1) this.toEnd()
    else if (top < this.#scrollTop || bottom > this.#scrollTop + this.#viewHeight) this.reveal(this.#active)
    else this.#render()
    this.elements.node(this.#active)?.focus({ preventScroll: true })
  }

  activate(key) {
    if (this.#active === key) return
    this.#setTabIndex(this.#active, -1)
    this.#active = key
    this.#setTabIndex(key, 0)
  }

  /** The last row whose end is on the screen. */
  lastSeen() {
    const bottom = this.scroller.scrollTop + this.scroller.clientHeight - this.#listTop()
    let index = this.heights.indexAt(bottom)
    if (index >= 0 && this.heights.top(index + 1) > bottom + 8) index -= 1
    return this.rows[index]
  }

  #setTabIndex(key, value) {
    const node = key === null ? null : this.elements.node(key)
    if (node) node.tabIndex = value
  }

  #prepare(node, row) {
    if (row.kind === 'message') node.tabIndex = row.key === this.#active ? 0 : -1
    node.dataset.key = row.key
    this.rowObserver.observe(node)
    this.#fresh.add(node)
    return node
  }

  #listTop() { return this.above.offsetHeight }

  /** Places the elements of the window and measures them; repeats that if something has moved. */
  #render() {
    const { scroller, heights, rows } = this
    if (!scroller.isConnected || scroller.clientHeight === 0) return
    this.#width = this.list.clientWidth - 80
    this.#viewHeight = scroller.clientHeight
    const listTop = this.#listTop()
    for (let pass = 0; pass < MOST_PASSES; pass += 1) {
      const top = this.#wantedTop(listTop)
      const range = heights.range(top - listTop, this.#viewHeight, MARGIN_PIXELS)
      this.#place(range)
      const isMoved = heights.measure(this.#measured(range))
      this.#pad(range)
      const now = this.#wantedTop(listTop)
      if (Math.abs(scroller.scrollTop - now) > 0.5) scroller.scrollTop = now
      if (!isMoved && now === top) break
    }
    this.#remember(listTop)
    this.on.scroll()
    if (this.#scrollTop < OLDER_PIXELS) this.on.nearStart()
  }

  /** `[index, height]` of the elements that are new. */
  #measured({ first, end }) {
    const pairs = []
    for (let index = first; index < end && this.#fresh.size > 0; index += 1) {
      const node = this.elements.node(this.rows[index].key)
      if (this.#fresh.delete(node)) pairs.push([index, node.getBoundingClientRect().height])
    }
    this.#fresh.clear()
    return pairs
  }

  #wantedTop(listTop) {
    const end = Math.max(0, this.heights.total + listTop - this.#viewHeight)
    if (this.isAtEnd) return end
    if (this.#anchor) {
      const index = this.#anchorIndex()
      if (index >= 0) return Math.min(end, Math.max(0, listTop + this.heights.top(index) - this.#anchor.offset))
    }
    return Math.min(end, this.scroller.scrollTop)
  }

  #anchorIndex() {
    const { key, index } = this.#anchor
    if (this.rows[index]?.key !== key) this.#anchor.index = this.rows.findIndex(row => row.key === key)
    return this.#anchor.index
  }

  #place(range) {
    const { rows } = this
    const shown = rows.slice(range.first, range.end)
    // If the focused row is scrolled away, the list takes the focus, so that the keys still work.
    const focused = document.activeElement?.closest('#log > li')
    if (focused && !shown.some(row => row.key === focused.dataset.key)) this.scroller.focus({ preventScroll: true })
    this.elements.show(shown)
    // The tab key reaches a row that is there.
    if (this.#active === null || !this.elements.node(this.#active)) {
      const reached = shown.findLast(row => row.kind === 'message')
      if (reached) this.activate(reached.key)
    }
    const size = String(rows.length)
    for (const [index, row] of shown.entries()) {
      const node = this.elements.node(row.key), position = String(range.first + index + 1)
      if (node.ariaPosInSet !== position) node.ariaPosInSet = position
      if (node.ariaSetSize !== size) node.ariaSetSize = size
    }
    this.#range = range
  }

  #pad({ first, end }) {
    const { heights, list } = this
    list.style.paddingTop = `${heights.top(first)}px`
    list.style.paddingBottom = `${Math.max(0, heights.total - heights.top(end))}px`
  }

  /** The anchor: the first row that begins on the screen, except a day, which moves up with the next older message. */
  #remember(listTop) {
    const { scroller, heights, rows } = this
    this.#scrollTop = scroller.scrollTop
    this.isAtEnd = scroller.scrollHeight - this.#scrollTop - this.#viewHeight < END_PIXELS
    if (rows.length === 0) { this.#anchor = null; return }
    let index = heights.indexAt(this.#scrollTop - listTop)
    if (heights.top(index) + listTop < this.#scrollTop && index + 1 < rows.length) index += 1
    if (rows[index].kind === 'day' && index + 1 < rows.length) index += 1
    this.#anchor = { key: rows[index].key, index, offset: heights.top(index) + listTop - this.#scrollTop }
  }

  #scrolled() {
    if (this.scroller.scrollTop === this.#scrollTop) return
    this.#remember(this.#listTop())
    this.#render()
  }

  #resized() {
    const width = this.list.clientWidth - 80
    if (width !== this.#width && this.#width > 0) {
      this.#width = width
      this.heights.invalidate()
    }
    this.#render()
  }

  /** Rows have changed their height, as by a loaded picture or font: the others move, and the anchor does not. */
  #rowsResized(entries) {
    const sizes = new Map(entries.map(({ target, borderBoxSize }) => [target.dataset.key, borderBoxSize[0].blockSize]))
    const { first, end } = this.#range, pairs = []
    for (let index = first; index < end; index += 1) {
      const height = sizes.get(this.rows[index]?.key)
      if (height > 0) pairs.push([index, height])
    }
    if (this.heights.measure(pairs)) this.#render()
  }
}
