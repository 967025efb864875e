// The name under which a file is uploaded: what the servers take, as near to the file's own as can be.

const MOST_SCALARS = 255
/** An ending as long as this is none that a cut name has to keep. */
const LONGEST_ENDING = 16
/** Control characters, ends of lines, and what turns text around (Unicode UAX #9): what is read is to be what is meant. */
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
