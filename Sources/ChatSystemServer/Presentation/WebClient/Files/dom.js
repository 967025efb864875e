// DOM helpers. User content is inserted as text only: neither this module nor any other parses HTML.

export const byId = id => document.getElementById(id)

/**
 * `element('button', { className: 'quiet', onclick: act, aria: { label: 'Close' } }, 'text', child)`. Strings become
 * text nodes; `null`, `undefined`, `false` and `''` are left out.
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag)
  const { aria, role, data, attributes, ...others } = properties
  Object.assign(made, others)
  if (role) made.setAttribute('role', role)
  for (const [name, value] of Object.entries(aria ?? {})) made.setAttribute(`aria-${name}`, value)
  for (const [name, value] of Object.entries(attributes ?? {})) made.setAttribute(name, value)
  if (data) Object.assign(made.dataset, data)
  made.append(...children.filter(child => child !== null && child !== undefined && child !== false && child !== ''))
  return made
}

/** A name, isolated from the text direction around it. */
export const isolate = (name, className = '') => element('bdi', { className, dir: 'auto' }, name)

/** An icon by name, from the symbols of `index.html`. */
export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('class', 'icon')
  svg.setAttribute('aria-hidden', 'true')
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use')
  use.setAttribute('href', `#icon-${name}`)
  svg.append(use)
  return svg
}

/** Renders `rows`, each with a `key`, as the children of a list, and touches only what differs. */
export class KeyedList {
  #shown = new Map()

  /**
   * `make(row, old)` gives a new element, in the place of the row's `old` one; `isSame(one, other)`: the row keeps its element;
   * `removed(node)`: one is gone.
   */
  constructor(parent, make, isSame = isEqual, removed = () => {}) { Object.assign(this, { parent, make, isSame, removed }) }

  show(rows) {
    const keys = new Set(rows.map(row => row.key))
    for (const [key, { node }] of this.#shown) {
      if (keys.has(key)) continue
      node.remove()
      this.removed(node)
      this.#shown.delete(key)
    }
    let previous = null
    for (const row of rows) {
      const node = this.#node(row)
      const place = previous === null ? this.parent.firstChild : previous.nextSibling
      if (node !== place) this.parent.insertBefore(node, place)
      previous = node
    }
  }

  node(key) { return this.#shown.get(key)?.node }
  get shown() { return this.#shown }
  clear() { this.#shown.clear(); this.parent.replaceChildren() }

  /** Makes all elements once more, each in its place. */
  rebuild() { for (const { row, node } of [...this.#shown.values()]) this.#make(row, node) }

  #node(row) {
    const shown = this.#shown.get(row.key)
    if (shown && this.isSame(shown.row, row)) { shown.row = row; return shown.node }
    return this.#make(row, shown?.node)
  }

  #make(row, old) {
    const node = this.make(row, old)
    if (old) {
      replaceKeepingFocus(old, node)
      this.removed(old)
    }
    this.#shown.set(row.key, { row, node })
    return node
  }
}

function replaceKeepingFocus(old, node) {
  const focused = old.contains(document.activeElement) ? document.activeElement : null
  if (focused === old) node.tabIndex = old.tabIndex
  old.replaceWith(node)
  if (focused === old) node.focus({ preventScroll: true })
  else if (focused) (node.querySelector('button, a, input') ?? node).focus({ preventScroll: true })
}

function isEqual(one, other) {
  const names = Object.keys(one)
  return names.length === Object.keys(other).length && names.every(name => Object.is(one[name], other[name]))
}

/** Runs an action of the user with the button disabled, and shows a failure in `place`. */
export async function attempt(place, button, act, words = error => error.message) {
  place.textContent = ''
  if (button) button.disabled = true
  try {
    await act()
    return true
  } catch (error) {
    place.textContent = words(error)
    return false
  } finally {
    if (button) button.disabled = false
  }
}

/** Coalesces calls of `act` into one in the next frame; in a hidden page, which has no frames, after 50 ms. */
export function oncePerFrame(act) {
  let isDue = false
  return () => {
    if (isDue) return
    isDue = true
    const run = () => { isDue = false; act() }
    if (document.hidden) setTimeout(run, 50)
    else requestAnimationFrame(run)
  }
}

/** Adds listeners that end together with `signal`: `[target, type, listen]`. */
export function listen(signal, listeners) {
  for (const [target, type, act] of listeners) target.addEventListener(type, act, { signal })
}
