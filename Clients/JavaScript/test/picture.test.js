import assert from 'node:assert/strict'
import test from 'node:test'
import { withoutMetadata } from '../src/picture.js'

const latin = text => Buffer.from(text, 'latin1')
const number = (value, size = 4) => { const bytes = Buffer.alloc(size); bytes.writeUIntBE(value, 0, size); return bytes }
const little = value => { const bytes = Buffer.alloc(4); bytes.writeUInt32LE(value); return bytes }
const clean = (...parts) => Buffer.from(withoutMetadata(new Uint8Array(Buffer.concat(parts))))

/** A TIFF structure with an orientation, and a place behind it. */
const tiff = (orientation, isLittle = false) => Buffer.concat(isLittle
  ? [latin('II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0'), Buffer.from([orientation, 0, 0, 0]), little(0), latin('secret')]
  : [latin('MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0'), Buffer.from([orientation, 0, 0]), number(0), latin('secret')])
const orientationAlone = orientation => tiff(orientation).subarray(0, -6)

// JPEG

const segment = (code, ...content) => { const bytes = Buffer.concat(content); return Buffer.concat([Buffer.from([0xff, code]), number(bytes.length + 2, 2), bytes]) }
const start = Buffer.from([0xff, 0xd8]), end = Buffer.from([0xff, 0xd9])
const jfif = segment(0xe0, latin('JFIF\0\x01\x01\0\0\x01\0\x01\0\0'))
const frame = segment(0xc0, Buffer.from([8, 0, 3, 0, 4, 1]))
// Stuffed bytes, a restart marker, a second scan.
const scans = Buffer.concat([segment(0xda, Buffer.from([1])), Buffer.from([1, 0xff, 0, 2, 0xff, 0xd0, 3]), segment(0xda, Buffer.from([2])), Buffer.from([4, 5])])
const exif = (...content) => segment(0xe1, latin('Exif\0\0'), ...content)

test('a JPEG keeps its pixels and its colours, and nothing of who, when and where', () => {
  const profile = segment(0xe2, latin('ICC_PROFILE\0\x01\x01 colours'))
  const kept = Buffer.concat([start, jfif, profile, frame, scans, end])
  const full = [
    start, jfif, exif(tiff(1)), segment(0xe1, latin('http://ns.adobe.com/xap/1.0/\0secret')), profile, segment(0xe2, latin('MPF\0secret')),
    segment(0xed, latin('Photoshop 3.0\0secret')), frame, segment(0xfe, latin('secret')), scans, end, start, exif(tiff(1)), end,
  ]
  assert.deepEqual(clean(...full), kept)
})

test('which side of a picture is up is kept', () => {
  for (const isLittle of [false, true]) {
    assert.deepEqual(clean(start, jfif, exif(tiff(6, isLittle)), frame, scans, end), Buffer.concat([start, jfif, exif(orientationAlone(6)), frame, scans, end]))
    assert.deepEqual(clean(start, exif(tiff(8, isLittle)), frame, scans, end), Buffer.concat([start, exif(orientationAlone(8)), frame, scans, end]))
  }
})

test('a picture without metadata is the same array', () => {
  for (const parts of [[start, jfif, frame, scans, end], [png, header, data, finish], [webp('VP8 ', 'pixels')], [latin('text that is no picture')]]) {
    const bytes = new Uint8Array(Buffer.concat(parts))
    assert.equal(withoutMetadata(bytes), bytes)
  }
})

// PNG

const png = latin('\x89PNG\r\n\x1a\n')
const chunk = (type, content = Buffer.alloc(0), sum = latin('CRC!')) => Buffer.concat([number(content.length), latin(type), content, sum])
const header = chunk('IHDR', Buffer.alloc(13)), data = chunk('IDAT', latin('pixels')), finish = chunk('IEND')

test('a PNG keeps its pixels', () => {
  const texts = ['tEXt', 'zTXt', 'iTXt', 'tIME'].map(type => chunk(type, latin('secret')))
  assert.deepEqual(clean(png, header, chunk('gAMA', number(1)), ...texts, chunk('eXIf', tiff(1)), data, finish, latin('secret')), Buffer.concat([png, header, chunk('gAMA', number(1)), data, finish]))
})

test('a PNG on its side keeps that, with a valid checksum', () => {
  const result = clean(png, header, chunk('eXIf', tiff(6)), data, finish)
  // The CRC-32 of `eXIf` and the structure.
  assert.deepEqual(result, Buffer.concat([png, header, chunk('eXIf', orientationAlone(6), number(0xd6674b69)), data, finish]))
})

// WebP

const riff = (...chunks) => { const bytes = Buffer.concat(chunks); return Buffer.concat([latin('RIFF'), little(bytes.length + 4), latin('WEBP'), bytes]) }
const piece = (type, content) => Buffer.concat([latin(type), little(content.length), content, Buffer.alloc(content.length % 2)])
const webp = (type, content) => riff(piece(type, latin(content)))
const canvas = flags => piece('VP8X', Buffer.from([flags, 0, 0, 0, 3, 0, 0, 2, 0, 0]))

test('a WebP keeps its pixels, and says that it has nothing else', () => {
  const pixels = piece('VP8 ', latin('odd'))
  assert.deepEqual(clean(riff(canvas(0x1c), pixels, piece('EXIF', tiff(1)), piece('XMP ', latin('secret')))), riff(canvas(0x10), pixels))
  assert.deepEqual(clean(riff(canvas(0x08), pixels, piece('EXIF', Buffer.concat([latin('Exif\0\0'), tiff(5)])))), riff(canvas(0x08), pixels, piece('EXIF', orientationAlone(5))))
})

test('what follows the end of a WebP is left out', () => {
  const pixels = piece('VP8 ', latin('odd'))
  for (const picture of [riff(canvas(0), pixels), riff(canvas(0x08), pixels, piece('EXIF', tiff(1)))]) {
    assert.deepEqual(clean(Buffer.concat([picture, latin('secret behind it')])), riff(canvas(0), pixels))
  }
})

// Hostile

test('whatever the bytes are, it ends, and what is no metadata stays', () => {
  const samples = [
    Buffer.concat([start, jfif, exif(tiff(6)), frame, scans, end]), Buffer.concat([png, header, chunk('eXIf', tiff(6)), data, finish]),
    riff(canvas(0x08), piece('VP8 ', latin('odd')), piece('EXIF', tiff(6))),
  ]
  let seed = 7
  const random = limit => (seed = (seed * 1103515245 + 12345) % 2147483648) % limit
  for (let turn = 0; turn < 5_000; turn += 1) {
    const bytes = Buffer.from(samples[turn % samples.length])
    for (let change = random(4); change >= 0; change -= 1) bytes[random(bytes.length)] = [0, 1, 0x7f, 0x80, 0xff, 0xd9][random(6)]
    const cut = bytes.subarray(0, random(bytes.length + 1))
    const result = withoutMetadata(new Uint8Array(cut))
    assert.ok(result.length <= cut.length + 8)
    // Twice is once.
    assert.deepEqual(withoutMetadata(result), result)
  }
})
