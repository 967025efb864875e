// Elements. What users wrote gets in as text alone: nothing here, or anywhere else, takes HTML.

export const byId = id => document.getElementById(id)

/**
 * `element('button', { className: 'quiet', onclick: act, aria: { label: 'Close' } }, 'text', child)`. Strings become
 * text nodes; `null` and `false` are left out.
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag)
  const { aria = {}, role, data = {}, ...others } = properties
  Object.assign(made, others)
  if (role) made.setAttribute('role', role)
  for (const [name, value] of Object.entries(aria)) made.setAttribute(`aria-${name}`, value)
  Object.assign(made.dataset, data)
  made.append(...children.filter(child => child !== null && child !== undefined && child !== false))
  return made
}

/** Makes a list's children those of `rows`, each with a `key`, and touches only what differs. */
export class KeyedList {
  #shown = new Map()

  /** `make(row)` gives a new element. A row whose fields are all as before keeps its element. */
  constructor(parent, make) { Object.assign(this, { parent, make }) }

  show(rows) {
    const keys = new Set(rows.map(row => row.key))
    for (const [key, { node }] of this.#shown) {
      if (keys.has(key)) continue
      node.remove()
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

  #node(row) {
    const shown = this.#shown.get(row.key)
    if (shown && isSame(shown.row, row)) return shown.node
    const node = this.make(row)
    if (shown) {
      const hadFocus = shown.node.contains(document.activeElement)
      shown.node.replaceWith(node)
      if (hadFocus) node.querySelector('button')?.focus()
    }
    this.#shown.set(row.key, { row, node })
    return node
  }
}

function isSame(one, other) {
  const names = Object.keys(one)
  return names.length === Object.keys(other).length && names.every(name => Object.is(one[name], other[name]))
}

/** Runs what a user asked for, with the button out of use meanwhile, and shows what went wrong in `place`. */
export async function attempt(place, button, act) {
  place.textContent = ''
  if (button) button.disabled = true
  try {
    await act()
    return true
  } catch (error) {
    place.textContent = error.message
    return false
  } finally {
    if (button) button.disabled = false
  }
}
