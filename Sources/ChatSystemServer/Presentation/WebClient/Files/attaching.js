// Files to be sent: which of what is pasted or dropped are files, what kind they are, how large they are shown. Pure.

/** The most files that wait to be sent in one room. */
export const MOST_FILES = 20
/** The largest size of a picture in a message, in CSS pixels. */
const PICTURE = { width: 320, height: 280 }
const SMALLEST_PICTURE = 64
/** Where the size of a picture or video is not known. */
const UNKNOWN = { width: 320, height: 192 }
/** Types that servers deliver inline; all others are downloads. */
const SHOWN = /^(?:image\/(?:png|jpeg|gif|webp|avif)|video\/(?:mp4|webm|quicktime)|audio\/(?:mpeg|ogg|wav|x-wav|flac|x-flac|mp4|x-m4a))(?:;|$)/

/** 'image', 'video', 'audio' or 'file': the expected type of its message, by the browser's MIME type. */
export const messageTypeOf = mimeType => SHOWN.test(mimeType) ? mimeType.split('/')[0] : 'file'

/**
 * The files of a paste. A word processor or spreadsheet copies text together with a picture of it: then only the text
 * is meant.
 */
export function pastedFiles(data) {
  const types = [...data?.types ?? []]
  if (types.includes('text/plain') && types.includes('text/html')) return []
  return [...data?.files ?? []]
}

/** `{files, hasFolders}` of what was dropped. */
export function droppedFiles(data) {
  const items = [...data?.items ?? []].filter(item => item.kind === 'file')
  if (items.length === 0) return { files: [...data?.files ?? []], hasFolders: false }
  const isFolder = item => item.webkitGetAsEntry?.()?.isDirectory === true
  const files = items.filter(item => !isFolder(item)).map(item => item.getAsFile()).filter(file => file !== null)
  return { files, hasFolders: items.some(isFolder) }
}

/** The size of a picture on the screen: scaled down to fit, with its proportions unless they are extreme. */
export function pictureBox(width, height) {
  if (!(width > 0 && height > 0)) return UNKNOWN
  const scale = Math.min(1, PICTURE.width / width, PICTURE.height / height)
  const side = length => Math.max(SMALLEST_PICTURE, Math.round(length * scale))
  return { width: side(width), height: side(height) }
}

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte']

/** A size in words of a language: three digits at most. */
export function sizeText(bytes, language) {
  let size = bytes, unit = 0
  while (size >= 999.5 && unit < UNITS.length - 1) { size /= 1000; unit += 1 }
  const maximumFractionDigits = unit === 0 || size >= 99.95 ? 0 : 1
  return new Intl.NumberFormat(language, { style: 'unit', unit: UNITS[unit], unitDisplay: unit === 0 ? 'long' : 'short', maximumFractionDigits }).format(size)
}

/** The ending of a name in capitals, for the icon of a file. */
export const endingOf = name => /\.([\p{L}\p{N}]{1,5})$/u.exec(name)?.[1].toUpperCase() ?? ''
