// The name under which a file is uploaded: the file's own, without what the servers refuse.

const MOST_SCALARS = 255
/** A longer extension is not preserved when a name is cut. */
const LONGEST_ENDING = 16
/** Control characters, line separators and bidirectional controls (Unicode UAX #9), which can disguise a name. */
const REFUSED = /[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu

/** @param {string | undefined} own the file's own name */
export function fileName(own) {
  const name = String(own ?? '').replace(REFUSED, '').replace(/[/\\]/g, '_')
  if (/^\.{0,2}$/.test(name)) return 'file'
  const scalars = [...name]
  if (scalars.length <= MOST_SCALARS) return name
  const dot = scalars.lastIndexOf('.')
  const ending = dot > 0 && scalars.length - dot <= LONGEST_ENDING ? scalars.slice(dot) : []
  return [...scalars.slice(0, MOST_SCALARS - ending.length), ...ending].join('')
}
