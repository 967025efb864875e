// What pages load for `room.sendFile`, from `dist`, in Chromium: progress, the thumbnail, the side that is up. The server is of
// this test, so that it sees what comes.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import test from 'node:test'
import { Browser, chromium } from './storage/browser.js'

const skip = chromium ? false : 'no Chromium'

/** Takes uploads; `answer(request, number)` may answer in its place. */
async function receiver(t, answer = () => false) {
  const uploads = []
  const server = createServer((request, response) => {
    for (const name of ['origin', 'headers', 'methods']) response.setHeader(`Access-Control-Allow-${name}`, '*')
    if (request.method === 'OPTIONS') return response.writeHead(204).end()
    const parts = []
    request.on('data', part => parts.push(part))
    request.on('end', () => {
      const query = Object.fromEntries(new URL(request.url, 'http://a').searchParams)
      uploads.push({ query, headers: request.headers, bytes: Buffer.concat(parts) })
      if (!answer(request, response, uploads.length)) response.writeHead(201).end(JSON.stringify({ fileId: 'f1', mimeType: 'image/jpeg' }))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => { server.closeAllConnections(); server.close() })
  return { uploads, url: `http://127.0.0.1:${server.address().port}/api/v1/files` }
}

/** A tab with a room and a chat as the module sees them, and `sendFile`. */
async function open(t, url) {
  const browser = await Browser.start()
  t.after(() => browser.close())
  const tab = await browser.tab()
  await tab.run(`
    window.sendFile = (await import('/dist/files.js')).sendFile
    window.sent = []
    window.room = { id: 'a', attach() {}, detach() {}, send: (payload, options) => { sent.push([payload, options.messageType]); return { key: 'k' } } }
    window.chat = {
      rest: { call: (server, method, path, { query, once }) => once(method, '${url}?' + new URLSearchParams(query), undefined, 'token') },
      userId: () => 1, error: (code, message) => Object.assign(new Error(message), { name: 'ChatError', code }), reportListener() {},
    }
    window.picture = async (width, height, type = 'image/jpeg') => {
      const canvas = new OffscreenCanvas(width, height)
      const context = canvas.getContext('2d')
      context.fillStyle = 'red'
      context.fillRect(0, 0, width / 2, height)
      return await canvas.convertToBlob({ type })
    }
  `)
  return tab
}

test('in a page a file is sent with progress, and a picture with a thumbnail', { skip, timeout: 60_000 }, async t => {
  const { uploads, url } = await receiver(t)
  const tab = await open(t, url)
  const result = await tab.run(`
    const reported = []
    const file = new File([await picture(1200, 600)], 'cat.jpg', { type: 'image/jpeg' })
    await sendFile(room, chat, file, { onProgress: ({ sent, total }) => reported.push([sent, total]) })
    return { reported, size: file.size, sent }
  `)
  assert.deepEqual(result.sent, [[{ fileId: 'f1' }, 'image']])
  assert.deepEqual(result.reported.at(-1), [result.size, result.size])
  const [file, thumbnail] = uploads
  assert.deepEqual(file.query, { roomId: 'a', name: 'cat.jpg' })
  assert.equal(file.headers.authorization, 'Bearer token')
  assert.equal(file.bytes.length, result.size)
  assert.deepEqual(thumbnail.query, { roomId: 'a', name: 'thumbnail', thumbnailOf: 'f1' })
  assert.notEqual(thumbnail.headers['idempotency-key'], file.headers['idempotency-key'])
  assert.equal(thumbnail.bytes.toString('latin1', 8, 12), 'WEBP')
  const [width, height] = await tab.run(`
    const bitmap = await createImageBitmap(new Blob([new Uint8Array(${JSON.stringify([...thumbnail.bytes])})]))
    return [bitmap.width, bitmap.height]
  `)
  assert.deepEqual([width, height], [320, 160])
})

test('a small picture and what is none go without a thumbnail; a thumbnail that is refused stops nothing', { skip, timeout: 60_000 }, async t => {
  const { uploads, url } = await receiver(t, (request, response) => {
    if (!request.url.includes('thumbnailOf')) return false
    response.writeHead(413, { 'Content-Type': 'application/problem+json' }).end('{"code":"file_too_large"}')
    return true
  })
  const tab = await open(t, url)
  await tab.run(`
    await sendFile(room, chat, await picture(100, 100, 'image/png'))
    await sendFile(room, chat, new Blob(['text']))
    await sendFile(room, chat, await picture(400, 10), { thumbnail: false })
    await sendFile(room, chat, await picture(400, 10))
  `)
  assert.equal(uploads.length, 5)
  assert.equal(uploads.filter(({ query }) => query.thumbnailOf).length, 1)
  assert.equal(await tab.run('return sent.length'), 4)
})

test('without its metadata a picture is shown as before', { skip, timeout: 60_000 }, async t => {
  const { uploads, url } = await receiver(t)
  const tab = await open(t, url)
  // On its side by EXIF, with a place.
  const sizes = await tab.run(`
    const size = async blob => { const bitmap = await createImageBitmap(blob); return [bitmap.width, bitmap.height] }
    const bytes = new Uint8Array(await (await picture(40, 20)).arrayBuffer())
    const tiff = [0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 2, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0x88, 0x25, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    const place = [...new TextEncoder().encode('Exif\\0\\0'), ...tiff, ...new TextEncoder().encode('52 N 13 E')]
    const turned = new Blob([bytes.slice(0, 2), new Uint8Array([0xff, 0xe1, 0, place.length + 2, ...place]), bytes.slice(2)], { type: 'image/jpeg' })
    await sendFile(room, chat, turned)
    return [await size(turned)]
  `)
  assert.deepEqual(sizes, [[20, 40]])
  const [{ bytes }] = uploads
  assert.ok(!bytes.includes('52 N 13 E'))
  assert.deepEqual(await tab.run(`
    const bitmap = await createImageBitmap(new Blob([new Uint8Array(${JSON.stringify([...bytes])})], { type: 'image/jpeg' }))
    return [bitmap.width, bitmap.height]
  `), [20, 40])
})

test('a PNG loses its texts, and a large one has a thumbnail', { skip, timeout: 60_000 }, async t => {
  const { uploads, url } = await receiver(t)
  const tab = await open(t, url)
  await tab.run(`
    const bytes = new Uint8Array(await (await picture(400, 200, 'image/png')).arrayBuffer())
    const text = new TextEncoder().encode('tEXtComment\\0' + '52 N 13 E')
    // Behind the header. Nobody looks at the checksum of a text.
    const chunk = new Uint8Array([0, 0, 0, text.length - 4, ...text, 0, 0, 0, 0])
    await sendFile(room, chat, new Blob([bytes.slice(0, 33), chunk, bytes.slice(33)], { type: 'image/png' }))
  `)
  const [{ bytes }, thumbnail] = uploads
  assert.equal(bytes.toString('latin1', 1, 4), 'PNG')
  assert.ok(!bytes.includes('52 N 13 E'))
  assert.equal(thumbnail?.query.thumbnailOf, 'f1')
})

test('an upload of a page that breaks is begun again, and can be ended', { skip, timeout: 60_000 }, async t => {
  const { uploads, url } = await receiver(t, (request, response, number) => {
    if (number === 1) request.socket.destroy()
    return number === 1 || number === 3
  })
  const tab = await open(t, url)
  await tab.run(`await sendFile(room, chat, new Blob(['text']))`)
  assert.equal(uploads.length, 2)
  assert.equal(uploads[0].headers['idempotency-key'], uploads[1].headers['idempotency-key'])
  const message = await tab.run(`
    const stop = new AbortController()
    const sending = sendFile(room, chat, new Blob(['text']), { signal: stop.signal, onProgress: ({ sent }) => { if (sent === 4) setTimeout(() => stop.abort(new Error('enough')), 100) } })
    return await sending.catch(error => error.message)
  `)
  assert.equal(message, 'enough')
  assert.equal(await tab.run('return sent.length'), 1)
})
