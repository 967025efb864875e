import assert from 'node:assert/strict'
import test from 'node:test'
import { FileInfos } from '../src/file-infos.js'
import { fileName } from '../src/file-name.js'
import { setUp } from './support/client.js'
import { FakeServer, answer, problem, until } from './support/fake-server.js'

/** A chat whose server answers `GET /files` by `infos(ids, number)`; what was asked is in `asked`. */
async function setUpInfos(t, infos = ids => answer(200, { items: ids.map(info) })) {
  const server = new FakeServer(), asked = []
  for (const id of ['a', 'b']) server.room(id)
  server.intercept = (method, path, _, { searchParams }) => {
    if (method !== 'GET' || path !== '/api/v1/files') return undefined
    asked.push(searchParams.get('ids').split(','))
    return infos(asked.at(-1), asked.length)
  }
  const made = setUp(t, { server })
  await made.live()
  return { ...made, asked }
}

const info = fileId => ({ fileId, name: `${fileId}.png`, url: `/api/v1/files/${fileId}?signature=s` })

test('files that are asked for together, in whatever rooms, are one call; the addresses are those of the message server', async t => {
  const { chat, asked } = await setUpInfos(t)
  const [one, other, again] = await Promise.all([chat.room('a').file('f1'), chat.room('b').file('f2'), chat.room('a').file('f1')])
  assert.deepEqual(asked, [['f1', 'f2']])
  assert.equal(one.url, 'http://messages/api/v1/files/f1?signature=s')
  assert.equal('thumbnailUrl' in one, false)
  assert.equal(other.name, 'f2.png')
  assert.equal(again, one)
  assert.ok(Object.isFrozen(one))
  // Kept, also for other rooms.
  assert.equal(await chat.room('b').file('f1'), one)
  assert.equal(asked.length, 1)
})

test('a file that there is no more is undefined, and asked for again where a fresh answer is wanted', async t => {
  let isThere = false
  const { chat, asked } = await setUpInfos(t, ids => answer(200, { items: isThere ? ids.map(info) : [] }))
  assert.equal(await chat.room('a').file('f1'), undefined)
  assert.equal(await chat.room('a').file('f1'), undefined)
  assert.equal(asked.length, 1)
  isThere = true
  // Two that find an address stale at once: one call.
  const found = await Promise.all([chat.room('a').file('f1', { fresh: true }), chat.room('a').file('f1', { fresh: true })])
  assert.deepEqual(found.map(each => each.fileId), ['f1', 'f1'])
  assert.equal(asked.length, 2)
})

test('a failure is reported and not kept', async t => {
  const { chat, asked } = await setUpInfos(t, (ids, number) => {
    if (number === 1) return problem(503, 'unavailable')
    return number === 2 ? answer(200, { items: 'none' }) : answer(200, { items: ids.map(info) })
  })
  const room = chat.room('a')
  await assert.rejects(room.file('f1'), { code: 'unavailable', isTemporary: true })
  await assert.rejects(room.file('f1'), { code: 'protocol', isTemporary: true })
  assert.equal((await room.file('f1')).fileId, 'f1')
  assert.equal(asked.length, 3)
})

test('a call names at most 100 files, what is kept is kept for half an hour, and is bounded', async () => {
  const asked = []
  let now = 0
  const rest = { call: async (_, __, path, { once, query }) => {
    if (once) return await once('GET', 'http://m/api/v1')
    asked.push(query.ids.split(','))
    return { items: asked.at(-1).map(info) }
  } }
  const infos = new FileInfos({ rest }, () => now)
  const ids = Array.from({ length: 250 }, (_, index) => `f${index}`)
  await Promise.all(ids.map(id => infos.get(id)))
  assert.deepEqual(asked.map(each => each.length), [100, 100, 50])
  now = 30 * 60_000 - 1
  await infos.get('f0')
  assert.equal(asked.length, 3)
  now += 1
  await infos.get('f0')
  assert.equal(asked.length, 4)
  for (let index = 0; index < 2_000; index += 1) await Promise.all([infos.get(`g${index}`)])
  const count = asked.length
  await infos.get('f249')
  assert.equal(asked.length, count + 1)
})

test('a file that has a name which servers refuse goes under one that is as near as can be', () => {
  const cases = [
    ['cat.png', 'cat.png'], ['exe.\u202egnp', 'exe.gnp'], ['a\u2066b\u2069.txt', 'ab.txt'], ['../../etc/passwd', '.._.._etc_passwd'],
    ['a\\b', 'a_b'], ['line\nbreak\u2028.txt', 'linebreak.txt'], ['', 'file'], [undefined, 'file'], ['.', 'file'], ['..', 'file'],
    ['\u202e', 'file'], ['.profile', '.profile'], ['고양이.png', '고양이.png'], ['שלום.pdf', 'שלום.pdf'],
  ]
  for (const [own, name] of cases) assert.equal(fileName(own), name)
  const long = fileName(`${'😀'.repeat(300)}.jpeg`)
  assert.equal([...long].length, 255)
  assert.ok(long.endsWith('😀.jpeg'))
  assert.equal([...fileName(`a.${'b'.repeat(300)}`)].length, 255)
})

test('an upload that waits for its next try goes on at once when the connection is back', async t => {
  const server = new FakeServer()
  server.room('a')
  const { random } = Math
  t.after(() => { Math.random = random })
  let uploads = 0, isWaiting = false
  const { chat, live } = setUp(t, { server, fetch: async (url, options) => {
    if (!url.includes('/files?')) return await server.fetch(url, options)
    uploads += 1
    if (uploads > 1) return answer(201, { fileId: 'f1', name: 'a', mimeType: 'text/plain' })
    throw new TypeError('away')
  } })
  await live()
  const room = chat.room('a')
  room.subscribe(() => {})
  await until(() => room.state === 'live')
  // The pause after the first try is of most of a minute.
  Math.random = () => {
    isWaiting ||= uploads === 1 && new Error().stack.includes('/files.js')
    return 100
  }
  const sending = room.sendFile(new File(['x'], 'a.txt'))
  await until(() => isWaiting)
  Math.random = () => 0
  server.dropAll()
  await (await sending).stored
  assert.equal(uploads, 2)
})
