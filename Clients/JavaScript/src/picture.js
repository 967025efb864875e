// Removes metadata from pictures: place, time, device and author. Nothing is decoded; unknown formats stay unchanged.

const UPRIGHT = 1
// In browsers latin1 is windows-1252: bytes from 0x80 on are compared as numbers.
const ASCII = new TextDecoder('latin1')
const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

/**
 * Removes EXIF, XMP, IPTC and comments from a JPEG, PNG or WebP, and what follows the end of a JPEG or PNG. The
 * orientation is kept.
 * @param {Uint8Array} bytes
 * @returns {Uint8Array} the same array where there is nothing to leave out
 */
export function withoutMetadata(bytes) {
  const parts = isJPEG(bytes) ? jpegParts(bytes) : isPNG(bytes) ? pngParts(bytes) : isWebP(bytes) ? webpParts(bytes) : [bytes]
  const size = parts.reduce((sum, part) => sum + part.length, 0)
  if (parts.length === 1 && size === bytes.length) return bytes
  const result = new Uint8Array(size)
  let end = 0
  for (const part of parts) {
    result.set(part, end)
    end += part.length
  }
  return result
}

/** Whether the first bytes, at least 12, are of a format that `withoutMetadata` supports. */
export const hasMetadata = head => isJPEG(head) || isPNG(head) || isWebP(head)

const text = (bytes, start, length) => ASCII.decode(bytes.subarray(start, start + length))
const isJPEG = bytes => bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff
const isPNG = bytes => PNG_SIGNATURE.every((byte, index) => bytes[index] === byte)
const isWebP = bytes => text(bytes, 0, 4) === 'RIFF' && text(bytes, 8, 4) === 'WEBP'
const viewOf = bytes => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

// Orientation

/** The orientation in a TIFF structure, 1 to 8; 1 where it does not say. */
function orientationOf(tiff) {
  const order = text(tiff, 0, 2)
  if (order !== 'II' && order !== 'MM') return UPRIGHT
  const view = viewOf(tiff)
  const isLittle = order === 'II'
  try {
    const directory = view.getUint32(4, isLittle)
    for (let entry = directory + 2, left = view.getUint16(directory, isLittle); left > 0; left -= 1, entry += 12) {
      if (view.getUint16(entry, isLittle) !== 0x0112) continue
      const value = view.getUint16(entry + 8, isLittle)
      return value >= 1 && value <= 8 ? value : UPRIGHT
    }
  } catch { /* beyond the end */ }
  return UPRIGHT
}

/** A TIFF structure that has the orientation alone. */
const tiffOf = orientation => Uint8Array.of(
  0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0)

// JPEG

/** APP1: EXIF, XMP; APP13: IPTC; comments; APP2 but the colour profile, since it refers to pictures after the end. */
const isLeftOut = (bytes, start, code) => code === 0xe1 || code === 0xed || code === 0xfe
  || (code === 0xe2 && text(bytes, start + 4, 11) !== 'ICC_PROFILE')

function jpegParts(bytes) {
  const parts = [bytes.subarray(0, 2)]
  let orientation = UPRIGHT, position = 2, start = 2
  const keep = end => { if (end > start) parts.push(bytes.subarray(start, end)) }
  for (;;) {
    // Between the segments of a scan's data, `FF` is followed by 0 or a restart marker.
    while (position < bytes.length && !isMarker(bytes, position)) position += 1
    const code = bytes[position + 1]
    if (code === undefined || code === 0xd9) {
      position = code === undefined ? bytes.length : position + 2
      break
    }
    const length = bytes[position + 2] << 8 | bytes[position + 3]
    const end = position + 2 + length
    if (!(length >= 2) || end > bytes.length) { position = bytes.length; break }
    if (isLeftOut(bytes, position, code)) {
      if (code === 0xe1 && orientation === UPRIGHT && text(bytes, position + 4, 6) === 'Exif\0\0') {
        orientation = orientationOf(bytes.subarray(position + 10, end))
      }
      keep(position)
      start = end
    }
    position = end
  }
  keep(position)
  if (orientation !== UPRIGHT) {
    const tiff = tiffOf(orientation)
    // Behind the JFIF header, which has to be the first.
    const isJFIF = parts[1]?.[1] === 0xe0
    const first = isJFIF ? 2 + (parts[1][2] << 8 | parts[1][3]) : 0
    const head = parts[1]?.subarray(0, first) ?? new Uint8Array()
    const rest = parts[1]?.subarray(first) ?? new Uint8Array()
    const segment = Uint8Array.of(0xff, 0xe1, 0, 8 + tiff.length, ...new TextEncoder().encode('Exif\0\0'), ...tiff)
    parts.splice(1, 1, head, segment, rest)
  }
  return parts.length === 2 && start === 2 && position === bytes.length ? [bytes] : parts
}

const isMarker = (bytes, position) => {
  const code = bytes[position + 1]
  return bytes[position] === 0xff && code !== undefined && code !== 0 && code !== 0xff && !(code >= 0xd0 && code <= 0xd7) && code !== 1
}

// PNG

const PNG_METADATA = new Set(['eXIf', 'tEXt', 'zTXt', 'iTXt', 'tIME'])

function pngParts(bytes) {
  const view = viewOf(bytes)
  const parts = [bytes.subarray(0, 8)]
  let isChanged = false
  for (let position = 8; position + 12 <= bytes.length;) {
    const end = position + 12 + view.getUint32(position)
    const type = text(bytes, position + 4, 4)
    if (end > bytes.length) return [...parts, bytes.subarray(position)]
    if (!PNG_METADATA.has(type)) parts.push(bytes.subarray(position, end))
    else {
      isChanged = true
      const orientation = type === 'eXIf' ? orientationOf(bytes.subarray(position + 8, end - 4)) : UPRIGHT
      if (orientation !== UPRIGHT) parts.push(pngChunk('eXIf', tiffOf(orientation)))
    }
    position = end
    if (type === 'IEND') { isChanged ||= end < bytes.length; break }
  }
  return isChanged ? parts : [bytes]
}

function pngChunk(type, content) {
  const chunk = new Uint8Array(12 + content.length)
  const view = viewOf(chunk)
  view.setUint32(0, content.length)
  chunk.set(new TextEncoder().encode(type), 4)
  chunk.set(content, 8)
  view.setUint32(8 + content.length, crc(chunk.subarray(4, 8 + content.length)))
  return chunk
}

/** CRC-32 of a few bytes (ISO 3309). */
function crc(bytes) {
  let value = -1
  for (const byte of bytes) {
    value ^= byte
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? value >>> 1 ^ 0xedb88320 : value >>> 1
  }
  return ~value >>> 0
}

// WebP

const EXIF_FLAG = 0x08, XMP_FLAG = 0x04

function webpParts(bytes) {
  const view = viewOf(bytes)
  const chunks = []
  let isChanged = false, orientation = UPRIGHT, position = 12
  // What follows the end of the picture is left out.
  const total = Math.min(bytes.length, 8 + view.getUint32(4, true))
  while (position + 8 <= total) {
    const length = view.getUint32(position + 4, true)
    const end = position + 8 + length + length % 2
    const type = text(bytes, position, 4)
    if (end > total) { chunks.push(bytes.subarray(position, total)); position = total; break }
    if (type === 'EXIF' || type === 'XMP ') {
      isChanged = true
      if (type === 'EXIF') {
        const content = bytes.subarray(position + 8, position + 8 + length)
        orientation = orientationOf(text(content, 0, 6) === 'Exif\0\0' ? content.subarray(6) : content)
      }
    } else chunks.push(bytes.subarray(position, end))
    position = end
  }
  if (!isChanged && total === bytes.length) return [bytes]
  const isTurned = orientation !== UPRIGHT
  if (isTurned) {
    const tiff = tiffOf(orientation)
    chunks.push(Uint8Array.of(0x45, 0x58, 0x49, 0x46, tiff.length, 0, 0, 0, ...tiff))
  }
  if (text(chunks[0] ?? bytes, 0, 4) === 'VP8X') {
    chunks[0] = chunks[0].slice()
    chunks[0][8] = chunks[0][8] & ~(EXIF_FLAG | XMP_FLAG) | (isTurned ? EXIF_FLAG : 0)
  }
  const head = bytes.slice(0, 12)
  viewOf(head).setUint32(4, 4 + chunks.reduce((sum, chunk) => sum + chunk.length, 0), true)
  return [head, ...chunks]
}
