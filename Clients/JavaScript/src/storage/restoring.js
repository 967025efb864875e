// Writes what memory held while a storage failed to the storage that works again. Loaded on demand.

import { fingerprint } from './overlay.js'

/**
 * @param overlay the pending writes; those that are made or dropped are removed
 * @param isPrecious whether a key is written first and on its own; others are written with the keys beside them
 * @param read (keys) => Promise of a Map of what the storage has
 * @param write (changes) => Promise
 */
export async function restore({ overlay, isPrecious, read, write }) {
  const units = new Map()
  for (const key of overlay.entries.keys()) {
    const unit = isPrecious(key) ? key : key.slice(0, key.lastIndexOf('/') + 1)
    if (!units.has(unit)) units.set(unit, [])
    units.get(unit).push(key)
  }
  const all = [...units.values()], isFirst = keys => keys.some(isPrecious)
  // There may be space for the precious values although not for all.
  for (const part of [all.filter(isFirst), all.filter(keys => !isFirst(keys))]) {
    const stored = await read(part.flat())
    const changes = part.flatMap(keys => changesOf(keys.map(key => [key, overlay.entries.get(key)]), stored))
    overlay.attempt(changes)
    if (changes.length > 0) await write(changes)
    for (const key of part.flat()) overlay.entries.delete(key)
  }
}

/**
 * The changes of a unit; none if another process has changed one of its values since the failure. The stored values are
 * then just as good, and a mixture would be inconsistent.
 */
function changesOf(unit, stored) {
  const isChanged = unit.some(([key, { text, base, attempted }]) => {
    const present = stored.get(key)
    if (present === text || attempted.has(fingerprint(present))) return false
    return base.isKnown ? fingerprint(present) !== base.fingerprint : present !== undefined
  })
  return isChanged ? [] : unit.map(([key, { text }]) => [key, text])
}
