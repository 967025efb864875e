import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  Backoff, PostQueue, Reaction, RoomLog, Typists, TypingSignal, editableText, partsOf, reactionTo, resolveServers,
  summaryOf, timeline, webAddress, withLinks,
} from './client.mjs'

const said = (content, messageType = 'text') => ({ messageType, contentJson: JSON.stringify(content), isDeleted: false })

test('links are of the web alone', () => {
  for (const text of [
    'javascript:alert(1)', ' javascript:alert(1)', 'data:text/html,<script>', 'vbscript:x', 'file:///etc/passwd', '//x', '', null,
  ]) assert.equal(webAddress(text), null, String(text))
  assert.equal(webAddress('https://example.org/a?b#c'), 'https://example.org/a?b#c')
  assert.deepEqual(partsOf(said({ imageUrl: 'javascript:alert(1)', caption: 'cat' }, 'image')), [{ text: 'Picture: cat' }])
  assert.deepEqual(
    partsOf(said({ fileUrl: 'https://example.org/f', fileName: 'f.txt' }, 'file')),
    [{ text: 'File: f.txt', href: 'https://example.org/f' }])
})

test('a text keeps every character, links or not', () => {
  for (const text of [
    'no link', 'https://example.org', 'see (https://example.org/a_b), or http://x.y/z!', '<b>http://a/"onclick="</b>',
    'https://', 'http://[', 'é https://example.org/ü 😀', '',
  ]) assert.equal(withLinks(text).map(part => part.text).join(''), text)
  assert.deepEqual(withLinks('see (https://example.org/a), ok'), [
    { text: 'see (' }, { text: 'https://example.org/a', href: 'https://example.org/a' }, { text: '), ok' },
  ])
})

test('a payload that is not as it should be is shown all the same', () => {
  for (const contentJson of ['{}', '[]', 'null', 'x', '{"text":5}', '{"text":null}']) {
    assert.equal(typeof summaryOf({ messageType: 'text', contentJson, isDeleted: false }), 'string')
  }
  assert.equal(summaryOf(said({ anything: 1 }, 'rich_content')), 'A message that this page cannot show')
  assert.equal(summaryOf({ ...said({}), isDeleted: true }), 'Deleted message')
  assert.equal(editableText(said({ text: 'a' })), 'a')
  assert.equal(editableText(said({}, 'sticker')), null)
})

test('posts are sent in order, and a refused one holds up no other', () => {
  const queue = new PostQueue()
  for (const key of ['a', 'b', 'c']) queue.add({ clientMessageId: key, roomId: key === 'c' ? 's' : 'r', text: key })
  assert.equal(queue.next.clientMessageId, 'a')
  queue.settle('a', { seq: 5 })
  assert.equal(queue.next.clientMessageId, 'b')
  queue.fail('b', 'no')
  assert.equal(queue.next.clientMessageId, 'c')
  assert.deepEqual(queue.of('r').map(post => [post.state, post.seq, post.reason]), [['sent', 5, undefined], ['failed', undefined, 'no']])
  const saved = JSON.parse(JSON.stringify(queue.unsettled))
  assert.deepEqual(saved.map(post => post.clientMessageId), ['b', 'c'])
  const later = new PostQueue([...saved, { text: 'no key' }, null])
  later.retry('b')
  assert.equal(later.next.clientMessageId, 'b', 'the same key')
  later.remove('b')
  later.remove('c')
  assert.deepEqual([later.next, later.posts], [undefined, []])
})

test('pauses grow to a bound and are left to chance by half', () => {
  for (const [random, half] of [[0, 0.5], [1, 1]]) {
    const backoff = new Backoff({ firstMs: 100, mostMs: 1000, random: () => random })
    assert.deepEqual([1, 2, 3, 4, 5, 6].map(() => backoff.next()), [100, 200, 400, 800, 1000, 1000].map(ms => ms * half))
    backoff.reset()
    assert.equal(backoff.next(), 100 * half)
  }
})

test('each close code has its consequence', () => {
  const expected = {
    1000: 'resume', 1001: 'resume', 1006: 'resume', 1012: 'resume', 1013: 'resume', 4401: 'refresh', 4408: 'refresh',
    4403: 'leave', 4404: 'leave', 1007: 'leave', 4409: 'restart', 4429: 'wait',
  }
  for (const [code, reaction] of Object.entries(expected)) assert.equal(reactionTo(Number(code)), Reaction[reaction], code)
})

test('servers are on ports of this host, or where a URL says', () => {
  const page = { protocol: 'http:', hostname: 'chat.local', origin: 'http://chat.local:8080' }
  const ports = { messages: ':8081', sockets: ':8082' }
  assert.deepEqual(resolveServers(ports, page), {
    system: 'http://chat.local:8080/api/v1', message: 'http://chat.local:8081/api/v1', sockets: 'ws://chat.local:8082/ws/chat',
  })
  const secure = resolveServers(ports, { ...page, protocol: 'https:', hostname: '[::1]' })
  assert.deepEqual([secure.message, secure.sockets], ['https://[::1]:8081/api/v1', 'wss://[::1]:8082/ws/chat'])
  const named = resolveServers({ messages: 'https://m.example.org/p', sockets: 'wss://w.example.org' }, page)
  assert.deepEqual([named.message, named.sockets], ['https://m.example.org/p/api/v1', 'wss://w.example.org/ws/chat'])
})

test('typing is believed for a while and said not too often', () => {
  const typists = new Typists()
  typists.note(1, true, 0)
  typists.note(2, true, 3000)
  typists.note(3, true, 3000)
  typists.note(3, false, 3001)
  assert.deepEqual(typists.at(5999), [1, 2])
  assert.deepEqual(typists.at(6000), [2])
  const signal = new TypingSignal()
  assert.equal(signal.stop(), false)
  assert.deepEqual([0, 1, 2999, 3000, 3001].map(now => signal.write(now)), [true, false, false, true, false])
  assert.equal(signal.stop(), true)
  assert.equal(signal.stop(), false)
})

test('the timeline names senders once, days, readers and what one may do', () => {
  const log = new RoomLog()
  log.begin(0)
  const say = (seq, senderId, sentAt, more = {}) => log.take({
    eventType: 'message', seq, messageId: seq, senderId, messageType: 'text', contentJson: '{"text":"x"}', sentAt,
    isEdited: false, isDeleted: false, ...more,
  })
  say(1, 2, '2026-11-24T12:00:00.000Z')
  say(2, 2, '2026-11-24T12:01:00.000Z', { replyToMessageId: 1 })
  say(3, 1, '2026-11-24T12:01:30.000Z', { clientMessageId: 'k' })
  say(4, 2, '2026-11-27T12:00:00.000Z')
  const shared = { log, userId: 1, isManaged: false, isArchived: false, nameOf: id => `U${id}` }
  const rows = timeline({ ...shared, posts: [{ clientMessageId: 'p', text: 'y' }], readBy: new Map([[1, 9], [2, 3], [3, 2]]) })
  assert.deepEqual(rows.map(row => row.kind), ['day', 'message', 'message', 'message', 'day', 'message', 'post'])
  assert.deepEqual(rows.map(row => row.key), ['d1', 'm1', 'm2', 'ck', 'd4', 'm4', 'cp'])
  const messages = rows.filter(row => row.kind === 'message')
  assert.deepEqual(messages.map(row => row.follows), [false, true, false, false])
  assert.deepEqual(messages.map(row => row.readers), ['', '', 'Read by U2', ''])
  assert.deepEqual(messages.map(row => row.tools), ['reply', 'reply', 'reply edit delete', 'reply'])
  assert.deepEqual(messages.map(row => row.quote), ['', 'U2: x', '', ''])
  const archived = timeline({ ...shared, posts: [], readBy: new Map(), isManaged: true, isArchived: true })
  assert.ok(archived.filter(row => row.kind === 'message').every(row => row.tools === ''))
})
