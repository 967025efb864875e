// The positions of the rows of a long list, of which only the visible ones are elements. Pure.

/** Two ways of measuring differ by less than this. */
const ROUNDING = 0.05

/** Offsets of rows whose heights are measured as they come up, and estimated until then. */
export class Heights {
  #measured = new Map()
  #heights = new Float64Array(0)
  #offsets = new Float64Array(1)
  rows = []

  /** `estimate(row)` is the height of a row that was never measured. */
  constructor(estimate) { this.estimate = estimate }

  setRows(rows) {
    this.rows = rows
    // Bounded: heights of rows that are gone are dropped now and then.
    if (this.#measured.size > 2 * rows.length + 100) {
      const keys = new Set(rows.map(row => row.key))
      for (const key of this.#measured.keys()) if (!keys.has(key)) this.#measured.delete(key)
    }
    if (this.#heights.length < rows.length) {
      this.#heights = new Float64Array(rows.length * 2)
      this.#offsets = new Float64Array(rows.length * 2 + 1)
    }
    for (let index = 0; index < rows.length; index += 1) {
      this.#heights[index] = this.#measured.get(rows[index].key) ?? this.estimate(rows[index])
    }
    this.#place(0)
  }

  /** Takes the measured heights of rows, by their place. Returns whether something has moved. */
  measure(pairs) {
    let first = this.rows.length
    for (const [index, height] of pairs) {
      this.#measured.set(this.rows[index].key, height)
      if (Math.abs(this.#heights[index] - height) < ROUNDING) continue
      this.#heights[index] = height
      first = Math.min(first, index)
    }
    if (first === this.rows.length) return false
    this.#place(first)
    return true
  }

  /** The width has changed: what was measured is an estimate now. */
  invalidate() {
    this.#measured.clear()
    this.setRows(this.rows)
  }

  get total() { return this.#offsets[this.rows.length] }
  top(index) { return this.#offsets[index] }
  height(index) { return this.#heights[index] }

  /** The row at `y`: the last one whose top is not below it. */
  indexAt(y) {
    let low = 0, high = this.rows.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#offsets[middle] <= y) low = middle
      else high = middle - 1
    }
    return Math.max(0, low)
  }

  /** The rows to be made for a window, with `margin` above and below: `[first, end)`. */
  range(top, height, margin) {
    if (this.rows.length === 0) return { first: 0, end: 0 }
    return { first: this.indexAt(top - margin), end: this.indexAt(top + height + margin) + 1 }
  }

  #place(first) {
    let top = first === 0 ? 0 : this.#offsets[first]
    for (let index = first; index < this.rows.length; index += 1) {
      this.#offsets[index] = top
      top += this.#heights[index]
    }
    this.#offsets[this.rows.length] = top
  }
}
