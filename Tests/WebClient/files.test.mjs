import assert from 'node:assert/strict'
import test from 'node:test'
import { SafeStorage, UnsentFiles, Uploads, attaching, content, message as messageParts, rows, strings } from './client.mjs'

const { droppedFiles, endingOf, messageTypeOf, pastedFiles, pictureBox, sizeText } = attaching
const settle = () => new Promise(resolve => setImmediate(resolve))
const file = (name, type = 'text/plain', size = 10) => ({ name, type, size })
const message = (messageType, values, more = {}) => ({ messageType, contentJson: JSON.stringify(values), clientMessageId: 'k', ...more })

// What is chosen

test('a type that servers show in place is a message of that type, all else is a file', () => {
  const types = { 'image/png': 'image', 'image/avif': 'image', 'image/svg+xml': 'file', 'image/heic': 'file', 'video/mp4': 'video', 'video/x-matroska': 'file',
    'audio/mpeg': 'audio', 'audio/ogg; codecs=opus': 'audio', 'text/html': 'file', 'application/pdf': 'file', '': 'file' }
  for (const [type, messageType] of Object.entries(types)) assert.equal(messageTypeOf(type), messageType, type)
})

test('a paste is its files, but text where a word processor adds a picture of it', () => {
  const files = [file('a.png')]
  assert.deepEqual(pastedFiles({ types: ['Files'], files }), files)
  // A picture of a page; a file of a folder.
  assert.deepEqual(pastedFiles({ types: ['text/html', 'Files'], files }), files)
  assert.deepEqual(pastedFiles({ types: ['text/plain', 'Files'], files }), files)
  assert.deepEqual(pastedFiles({ types: ['text/plain', 'text/html', 'text/rtf', 'Files'], files }), [])
  assert.deepEqual(pastedFiles({ types: ['text/plain'], files: [] }), [])
  assert.deepEqual(pastedFiles(null), [])
})

test('of what is dropped folders are left out, and reported', () => {
  const item = (name, isDirectory) => ({ kind: 'file', getAsFile: () => file(name), webkitGetAsEntry: () => ({ isDirectory }) })
  const dropped = droppedFiles({ items: [item('a', false), item('b', true), { kind: 'string' }, { kind: 'file', getAsFile: () => null }], files: [] })
  assert.deepEqual([dropped.files.map(each => each.name), dropped.hasFolders], [['a'], true])
  assert.deepEqual(droppedFiles({ items: [], files: [file('c')] }), { files: [file('c')], hasFolders: false })
})

test('a picture has its place by its proportions, within bounds', () => {
  assert.deepEqual(pictureBox(1600, 1200), { width: 320, height: 240 })
  assert.deepEqual(pictureBox(1200, 1600), { width: 210, height: 280 })
  assert.deepEqual(pictureBox(100, 80), { width: 100, height: 80 })
  assert.deepEqual(pictureBox(1, 1), { width: 64, height: 64 })
  assert.deepEqual(pictureBox(65_535, 1), { width: 320, height: 64 })
  assert.deepEqual(pictureBox(undefined, 3), { width: 320, height: 192 })
})

test('sizes have three digits at most, in words of the language', () => {
  const sizes = { 0: '0 bytes', 1: '1 byte', 999: '999 bytes', 1_000: '1 kB', 1_234: '1.2 kB', 99_960: '100 kB', 999_600: '1 MB', 52_428_800: '52.4 MB', 3e9: '3 GB', 5e12: '5,000 GB' }
  for (const [bytes, text] of Object.entries(sizes)) assert.equal(sizeText(Number(bytes), 'en'), text)
  assert.match(sizeText(1_234, 'ko'), /^1.2\s?kB$/i)
  assert.deepEqual(['a.tar.gz', 'Makefile', 'x.PDF', 'a.verylong', '.b', 'a.b c', '보고서.한글'].map(endingOf), ['GZ', '', 'PDF', '', 'B', '', '한글'])
})

// What is shown

test('an uploaded file is shown in place where its bytes are what the message says', () => {
  const of = (type, values) => content.attachmentsOf(message(type, values))[0]
  const picture = of('image', { fileId: 'f', fileName: 'a.png', mimeType: 'image/png', fileSize: 5, width: 3, height: 2 })
  assert.deepEqual(picture, { kind: 'picture', fileId: 'f', name: 'a.png', mimeType: 'image/png', size: 5, width: 3, height: 2 })
  assert.equal(of('image', { fileId: 'f', fileName: 'a.png', mimeType: 'application/octet-stream' }).kind, 'file')
  assert.equal(of('image', { fileId: 'f' }).kind, 'picture')
  assert.equal(of('video', { fileId: 'f', mimeType: 'video/mp4' }).kind, 'video')
  assert.equal(of('audio', { fileId: 'f', mimeType: 'audio/mpeg' }).kind, 'audio')
  assert.equal(of('file', { fileId: 'f', mimeType: 'image/png' }).kind, 'file')
  assert.equal(of('file', { fileId: 'f', fileName: 'exe.\u202egnp' }).name, 'exe.gnp')
  assert.equal(of('file', { fileId: 'f', fileName: '\u3164' }).name, 'File')
  // Other types name none, and what is no id is none.
  assert.deepEqual(content.attachmentsOf(message('text', { text: 'x', fileId: 'f' })), [])
  assert.deepEqual(content.attachmentsOf(message('file', { fileId: 7 })), [])
})

test('in one line a file has its name, a picture its caption, and its name where it is spoken of', () => {
  const line = (type, values, options) => content.summaryOf(message(type, values), 140, options)
  assert.equal(line('image', { fileId: 'f', fileName: 'a.png' }), 'Picture')
  assert.equal(line('image', { fileId: 'f', fileName: 'a.png' }, { isNamed: true }), 'Picture: a.png')
  assert.equal(line('image', { fileId: 'f', fileName: 'a.png', caption: '**Our** cat' }, { isNamed: true }), 'Picture: Our cat')
  assert.equal(line('file', { fileId: 'f', fileName: 'a.pdf', caption: 'Read this' }), 'File: a.pdf – Read this')
  assert.equal(line('video', { fileId: 'f', fileName: 'a.mp4' }), 'Video')
  assert.equal(content.summaryOf(message('file', { fileId: 'f', fileName: 'a' }, { isDeleted: true })), 'This message was deleted')
  strings.setLanguage('ko')
  assert.equal(line('image', { fileId: 'f', fileName: 'a.png' }), '사진')
  assert.equal(line('file', { fileId: 'f', fileName: 'a.pdf' }), '파일: a.pdf')
  strings.setLanguage('en')
})

test('the height of a row with a file is known before it is shown', () => {
  const height = (type, values) => rows.estimatedHeight({ kind: 'message', follows: false, message: message(type, values) }, 600)
  const picture = height('image', { fileId: 'f', width: 1600, height: 1200 })
  assert.ok(picture > 240 && picture < 320, String(picture))
  assert.equal(height('image', { fileId: 'f', width: 1600, height: 1200, caption: 'c' }) - picture, 24)
  assert.ok(height('file', { fileId: 'f' }) < height('video', { fileId: 'f' }))
})

// Uploads

/** Uploads to a room whose `sendFile` the test settles; `made` has each call. */
function setUp({ storage = new SafeStorage(() => null) } = {}) {
  const made = [], revoked = []
  let number = 0
  const room = { sendFile: (sent, options) => new Promise((resolve, reject) => {
    options.signal.addEventListener('abort', () => reject(options.signal.reason))
    made.push({ file: sent, options, reject, resolve: kept => resolve({ key: options.key, kept: kept ?? Promise.resolve(), stored: new Promise(() => {}) }) })
  }) }
  const unsent = new UnsentFiles(storage, 7)
  const uploads = new Uploads({
    room: () => room, userId: 7, unsent, newKey: () => `k${number += 1}`, now: () => 1_000,
    urls: { createObjectURL: each => `blob:${each.name}`, revokeObjectURL: url => revoked.push(url) },
  })
  const states = () => uploads.shown('a', []).map(({ upload }) => upload.state)
  return { uploads, made, revoked, unsent, states, storage }
}

const chosen = (...names) => names.map(name => ({ file: file(name), name }))

test('files of a room are sent one after the other, and shown as messages meanwhile', async () => {
  const { uploads, made, states } = setUp()
  uploads.send('a', chosen('1.txt', '2.txt'), { caption: 'both', replyTo: 5 })
  assert.deepEqual(states(), ['uploading', 'waiting'])
  assert.equal(uploads.count, 2)
  const [first, second] = uploads.shown('a', [])
  assert.deepEqual(JSON.parse(first.contentJson), { caption: 'both', fileId: '', fileName: '1.txt', fileSize: 10, mimeType: 'text/plain' })
  assert.equal(first.replyToMessageId, 5)
  assert.equal(second.replyToMessageId, undefined)
  assert.equal(JSON.parse(second.contentJson).caption, '')
  assert.deepEqual([made[0].options.caption, made[0].options.replyTo, made[0].options.key], ['both', 5, 'k1'])
  made[0].resolve()
  await settle()
  assert.equal(made.length, 2)
  assert.equal('caption' in made[1].options, false)
  assert.equal(uploads.count, 1)
  // Shown until the room has it, and no longer.
  assert.deepEqual(states(), ['posted', 'uploading'])
  const post = { senderId: 7, clientMessageId: 'k1', contentJson: '{"fileId":"f1","caption":"both"}', messageType: 'file' }
  const shown = uploads.shown('a', [post])
  assert.equal(shown.length, 2)
  assert.equal(JSON.parse(shown[0].contentJson).fileName, '1.txt')
  assert.equal(JSON.parse(shown[0].contentJson).fileId, 'f1')
  // Once it is stored, the server's word counts.
  const stored = { ...post, seq: 3 }
  assert.equal(uploads.shown('a', [stored])[0], stored)
  assert.equal(uploads.preview(stored), 'blob:1.txt')
  // Another's message with the same key is another message.
  const others = { ...stored, senderId: 8 }
  assert.equal(uploads.preview(others), undefined)
  assert.deepEqual(uploads.shown('b', [others]), [others])
  assert.deepEqual(uploads.shown('b', [stored]), [stored])
})

test('one that is refused stops no other, and can be tried again under the same key', async () => {
  const { uploads, made, states } = setUp()
  const refused = []
  uploads.addEventListener('refused', ({ detail }) => refused.push([detail.name, detail.error.code]))
  uploads.send('a', chosen('1', '2'))
  made[0].reject(Object.assign(new Error('no'), { code: 'files_off', status: 404 }))
  await settle()
  assert.deepEqual(states(), ['refused', 'uploading'])
  assert.deepEqual(refused, [['1', 'files_off']])
  made[1].resolve()
  await settle()
  uploads.retry('k1')
  assert.equal(made.length, 3)
  assert.equal(made[2].options.key, 'k1')
  uploads.retry('k1')
  assert.equal(made.length, 3)
})

test('one that is given up is ended, and its caption comes back', async () => {
  const { uploads, made, revoked, states } = setUp()
  uploads.send('a', chosen('1', '2'), { caption: 'c' })
  assert.equal(uploads.discard('k1'), 'c')
  assert.ok(made[0].options.signal.aborted)
  await settle()
  assert.deepEqual(states(), ['uploading'])
  assert.deepEqual(revoked, ['blob:1'])
  assert.equal(uploads.discard('k1'), '')
  made[1].resolve()
  await settle()
  // It is the outbox's now.
  assert.equal(uploads.discard('k2'), '')
})

test('progress is reported, and that an upload has begun again', () => {
  const { uploads, made } = setUp()
  const reported = []
  uploads.addEventListener('progress', ({ detail }) => reported.push([detail.sent, detail.total, detail.isAgain]))
  uploads.send('a', chosen('1'))
  for (const sent of [5, 10, 2]) made[0].options.onProgress({ sent, total: 10 })
  assert.deepEqual(reported, [[5, 10, false], [10, 10, false], [2, 10, true]])
  const upload = uploads.find('k1')
  assert.equal(messageParts.uploadWords(upload, false), 'Waiting for a connection…')
  assert.match(messageParts.uploadWords(upload, true), /Starting again/)
  assert.match(messageParts.uploadWords({ state: 'refused', error: { code: 'file_quota' } }, true), /^Not sent: You have no space/)
})

test('what was chosen or being sent when the page ended is reported once by its names', async () => {
  const { uploads, made, unsent, storage } = setUp()
  unsent.set('a', 'tray', ['chosen.txt'])
  uploads.send('a', chosen('1.txt', '2.txt'))
  uploads.send('b', chosen('3.txt'))
  made[0].resolve()
  await settle()
  const next = new UnsentFiles(storage, 7)
  assert.deepEqual([next.lost('a').sort(), next.lost('b'), next.lost('c')], [['2.txt', 'chosen.txt'], ['3.txt'], []])
  assert.deepEqual(new UnsentFiles(storage, 8).lost('a'), [])
  next.seen('a')
  assert.deepEqual(new UnsentFiles(storage, 7).lost('a'), [])
  next.forget()
  assert.deepEqual(storage.keys('chat.unsent'), [])
  storage.set('chat.unsent-files.7', '{"a": 5, "b": ["x"]}')
  assert.deepEqual(new UnsentFiles(storage, 7).lost('a'), [])
})

test('a duplicated tab does not report the files of the first one', async context => {
  // Node's timeouts of signals alone do not keep it running.
  const alive = setInterval(() => {}, 1_000)
  context.after(() => clearInterval(alive))
  // As browsers have them: one holder a name, others wait until their signal ends it.
  const holders = new Map()
  const locks = { request: (name, { signal }, held) => new Promise((resolve, reject) => {
    if (!holders.has(name)) { holders.set(name, held()); holders.get(name).then(() => holders.delete(name)); return resolve() }
    holders.get(name).then(() => resolve(held()))
    signal.addEventListener('abort', () => reject(signal.reason))
  }) }
  const open = storage => {
    const page = new AbortController()
    return new Promise(resolve => {
      const unsent = new UnsentFiles(storage, 7, { locks, signal: page.signal, changed: () => resolve({ unsent, page }) })
      assert.deepEqual(unsent.lost('a'), [])
    })
  }
  const first = new SafeStorage(() => null), copy = new SafeStorage(() => null)
  const { unsent, page } = await open(first)
  unsent.set('a', 'uploads', ['1.txt'])
  for (const key of first.keys('chat.')) copy.set(key, first.get(key))
  assert.deepEqual((await open(copy)).unsent.lost('a'), [])
  assert.deepEqual(copy.keys('chat.unsent'), [])
  assert.notEqual(copy.get('chat.tab'), first.get('chat.tab'))
  // The first tab's page is loaded again, and its lock comes late.
  const reloaded = open(first)
  setTimeout(() => page.abort(), 20)
  assert.deepEqual((await reloaded).unsent.lost('a'), ['1.txt'])
})

test('a file is lost with the page until the outbox has kept its message', async () => {
  const { uploads, made, storage } = setUp()
  let keep
  uploads.send('a', chosen('1.txt'))
  made[0].resolve(new Promise(resolve => { keep = resolve }))
  await settle()
  const shown = { senderId: 7, clientMessageId: 'k1', contentJson: '{}' }
  assert.equal(uploads.shown('a', [shown]).length, 1)
  assert.deepEqual([uploads.count, new UnsentFiles(storage, 7).lost('a')], [1, ['1.txt']])
  assert.equal(uploads.discard('k1'), '')
  keep()
  await settle()
  assert.deepEqual([uploads.count, new UnsentFiles(storage, 7).lost('a')], [0, []])
})

test('the end of the page ends uploads', () => {
  const { uploads, made, revoked } = setUp()
  uploads.send('a', chosen('1'))
  uploads.close()
  assert.ok(made[0].options.signal.aborted)
  assert.deepEqual([revoked, uploads.count], [['blob:1'], 0])
})
