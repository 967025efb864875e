import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import test from 'node:test'
import { setUp } from './support/client.js'
import { FakeServer, answer, problem, until } from './support/fake-server.js'

const rejections = []
process.on('unhandledRejection', error => rejections.push(error))
test.after(() => assert.deepEqual(rejections, [], 'unhandled rejections'))

/** A chat whose uploads are answered by `upload({query, headers, bytes, signal}, number)`; what was uploaded is in `uploads`. */
async function setUpFiles(t, upload = () => stored()) {
  const server = new FakeServer()
  server.room('a')
  const uploads = []
  const fetch = async (url, options) => {
    if (!url.includes('/files?')) return await server.fetch(url, options)
    const { searchParams } = new URL(url)
    const bytes = new Uint8Array(await new Response(options.body).arrayBuffer())
    uploads.push({ query: Object.fromEntries(searchParams), headers: options.headers, bytes })
    return await upload({ ...uploads.at(-1), signal: options.signal }, uploads.length)
  }
  const made = setUp(t, { server, fetch })
  await made.live()
  return { ...made, room: made.chat.room('a'), uploads }
}

const stored = (fields = {}) => answer(201, { fileId: 'f1', name: 'a', mimeType: 'image/png', ...fields })
const contents = server => server.rooms.get('a').log.map(event => [event.messageType, JSON.parse(event.contentJson)])
const blob = (...parts) => new File(parts, 'a.txt', { type: 'text/plain' })

test('a file is uploaded, then a message of the outbox names it', async t => {
  const { room, server, uploads } = await setUpFiles(t)
  const reported = []
  const post = await room.sendFile(blob('hello'), { caption: 'c', key: 'k1', onProgress: progress => reported.push(progress) })
  assert.equal(post.key, 'k1')
  await post.stored
  const [{ query, headers, bytes }] = uploads
  assert.deepEqual(query, { roomId: 'a', name: 'a.txt' })
  assert.equal(headers['Content-Type'], 'text/plain')
  assert.match(headers.Authorization, /^Bearer /)
  assert.equal(Buffer.from(bytes).toString(), 'hello')
  assert.deepEqual(reported.at(-1), { sent: 5, total: 5 })
  assert.equal(server.rooms.get('a').log[0].clientMessageId, 'k1')
  assert.deepEqual(server.calls.findLast(call => call.path.endsWith('/messages')).body.payload, { fileId: 'f1', caption: 'c' })
  assert.equal(server.calls.findLast(call => call.path.endsWith('/messages')).body.messageType, 'image')
})

test('what the server says the bytes are decides the type of the message, unless it is said', async t => {
  const types = ['video/mp4', 'audio/mpeg', 'application/pdf', 'text/plain', 'image/png']
  const { room, server } = await setUpFiles(t, (_, number) => stored({ mimeType: types[number - 1] }))
  for (const options of [{}, {}, {}, {}, { messageType: 'file', payload: { extra: 1 } }]) await (await room.sendFile(blob('x'), options)).stored
  const sent = server.calls.filter(call => call.path.endsWith('/messages')).map(call => call.body)
  assert.deepEqual(sent.map(body => body.messageType), ['video', 'audio', 'file', 'file', 'file'])
  assert.deepEqual(sent.at(-1).payload, { fileId: 'f1', extra: 1 })
})

test('an upload that breaks is begun again under its key; the message is sent once', async t => {
  const ways = [
    () => { throw new TypeError('broken') }, () => problem(503, 'unavailable'), () => problem(409, 'upload_in_progress', { 'Retry-After': '1' }),
    () => new Response('<html>bad gateway</html>', { status: 502 }), () => new Response('{"fileI', { status: 201 }),
    () => problem(408, 'request_timeout'), () => answer(200, { fileId: 'f1', mimeType: 'image/png' }),
  ]
  const { room, server, uploads } = await setUpFiles(t, (_, number) => ways[number - 1]())
  const { random } = Math
  Math.random = () => 0.001
  t.after(() => { Math.random = random })
  await (await room.sendFile(blob('hello'))).stored
  assert.equal(uploads.length, ways.length)
  assert.equal(new Set(uploads.map(({ headers }) => headers['Idempotency-Key'])).size, 1)
  assert.ok(uploads.every(({ bytes }) => bytes.length === 5))
  assert.equal(contents(server).length, 1)
})

test('the key of the message is that of the upload, where a field of HTTP can have it', async t => {
  const { room, uploads } = await setUpFiles(t, () => stored())
  const long = 'é'.repeat(64)
  for (const key of ['order/17', long]) await (await room.sendFile(blob('x'), { key })).stored
  await (await room.sendFile(blob('x'))).stored
  const keys = uploads.map(({ headers }) => headers['Idempotency-Key'])
  assert.equal(keys[0], 'order%2F17')
  // One that is too long for it has a digest instead, the same in each life.
  assert.equal(keys[1], createHash('sha256').update(long).digest('hex').slice(0, 32))
  assert.match(keys[2], /^[0-9a-f]{32}$/)
})

test('a file that can no longer be read is refused, and not tried again', async t => {
  const { room, server, uploads } = await setUpFiles(t)
  // Before the first read, and after it: as the upload begins.
  for (const good of [0, 1]) {
    const file = blob('hello'), slice = file.slice.bind(file)
    let reads = 0
    file.slice = (...range) => ((reads += 1) <= good ? slice(...range)
      : { arrayBuffer: () => Promise.reject(new DOMException('gone', 'NotReadableError')) })
    await assert.rejects(room.sendFile(file), { name: 'ChatError', code: 'invalid', isTemporary: false })
  }
  assert.deepEqual([uploads.length, contents(server)], [0, []])
})

test('a token that is refused is renewed, and the upload goes on', async t => {
  const { room, uploads } = await setUpFiles(t, (_, number) => (number === 1 ? problem(401, 'unauthorized') : stored()))
  await (await room.sendFile(blob('hello'))).stored
  assert.equal(uploads.length, 2)
  assert.notEqual(uploads[0].headers.Authorization, uploads[1].headers.Authorization)
})

test('a file that is refused is no message', async t => {
  const { room, server, uploads } = await setUpFiles(t, () => problem(413, 'file_too_large'))
  await assert.rejects(room.sendFile(blob('hello')), { name: 'ChatError', code: 'file_too_large', status: 413, isTemporary: false })
  assert.equal(uploads.length, 1)
  assert.deepEqual(contents(server), [])
  await assert.rejects(room.sendFile('hello'), TypeError)
  // Nobody awaits this one.
  room.sendFile(blob('hello'))
  await until(() => uploads.length === 2)
})

test('an upload can be ended, also while it waits', async t => {
  const hanging = ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  for (const way of [hanging, () => problem(503, 'unavailable', { 'Retry-After': '60' })]) {
    const { room, server, uploads } = await setUpFiles(t, way)
    const stop = new AbortController()
    const sending = room.sendFile(blob('hello'), { signal: stop.signal })
    await until(() => uploads.length === 1)
    stop.abort(new Error('enough'))
    await assert.rejects(sending, { message: 'enough' })
    assert.deepEqual(contents(server), [])
    await assert.rejects(room.sendFile(blob('hello'), { signal: stop.signal }), { message: 'enough' })
    assert.equal(uploads.length, 1)
  }
})

test('the end of the chat ends uploads', async t => {
  const { chat, room, uploads } = await setUpFiles(t, ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))))
  const sending = room.sendFile(blob('hello'))
  await until(() => uploads.length === 1)
  await chat.close()
  await assert.rejects(sending, { code: 'closed' })
})

test('a listener of progress that fails is reported, and breaks nothing', async t => {
  const { room, errors } = await setUpFiles(t)
  await (await room.sendFile(blob('hello'), { onProgress() { throw new Error('mine') } })).stored
  assert.deepEqual(errors.map(error => error.code), ['listener'])
})

test('a picture is sent without its place, unless that is wanted', async t => {
  const { room, uploads } = await setUpFiles(t)
  const exif = Buffer.from('Exif\0\0MM\0*\0\0\0\x08\0\x01\x88\x25\0\x04\0\0\0\x01\0\0\0\0\0\0\0\0 here I was', 'latin1')
  const picture = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe1, 0, exif.length + 2]), exif, Buffer.from([0xff, 0xd9])])
  await room.sendFile(new Blob([picture], { type: 'image/jpeg' }))
  await room.sendFile(new Blob([picture], { type: 'image/jpeg' }), { keepMetadata: true })
  assert.deepEqual([...uploads[0].bytes], [0xff, 0xd8, 0xff, 0xd9])
  assert.deepEqual(Buffer.from(uploads[1].bytes), picture)
  assert.equal(uploads[0].query.name, 'file')
  assert.equal(uploads[0].headers['Content-Type'], 'image/jpeg')
})

test('bytes go over a real connection as a stream, and are counted', async t => {
  const server = new FakeServer()
  server.room('a')
  let received = 0
  const http = createServer((request, response) => {
    request.on('data', piece => { received += piece.length })
    request.on('end', () => { response.writeHead(201, { 'Content-Type': 'application/json' }); response.end('{"fileId":"f1","mimeType":"video/mp4"}') })
  })
  await new Promise(resolve => http.listen(0, '127.0.0.1', resolve))
  t.after(() => { http.closeAllConnections(); http.close() })
  const address = `http://127.0.0.1:${http.address().port}`
  const { chat, live } = setUp(t, { server, fetch: (url, options) => (url.includes('/files?') ? fetch(url.replace('http://messages', address), options) : server.fetch(url, options)) })
  await live()
  const reported = []
  const size = 5 * 1024 * 1024
  await (await chat.room('a').sendFile(new Blob([new Uint8Array(size)]), { onProgress: ({ sent, total }) => reported.push([sent, total]) })).stored
  assert.equal(received, size)
  assert.ok(reported.length > 2)
  assert.deepEqual(reported.at(-1), [size, size])
  assert.ok(reported.every(([sent], index) => index === 0 || sent > reported[index - 1][0]))
})
