import assert from 'node:assert/strict'
import test from 'node:test'
import { linksIn, mediaKind, webAddress } from './client.mjs'

const found = text => linksIn(text).map(({ start, end }) => text.slice(start, end))

for (const [text, ...addresses] of [
  ['see https://example.org/a.', 'https://example.org/a'],
  ['(https://example.org/a)', 'https://example.org/a'],
  ['https://en.wikipedia.org/wiki/Swift_(bird)', 'https://en.wikipedia.org/wiki/Swift_(bird)'],
  ['(see https://en.wikipedia.org/wiki/Swift_(bird))', 'https://en.wikipedia.org/wiki/Swift_(bird)'],
  ['https://example.org/a_(b), and', 'https://example.org/a_(b)'],
  ['https://example.org/[x]', 'https://example.org/[x]'],
  ['https://example.org/a。次', 'https://example.org/a'],
  ['https://example.org。', 'https://example.org'],
  ['「https://example.org/a」', 'https://example.org/a'],
  ['(https://example.org/a）입니다', 'https://example.org/a'],
  ['https://example.com/를 보세요', 'https://example.com/'],
  ['https://example.com을 보세요', 'https://example.com'],
  ['https://example.com/a에서 https://example.com/b로', 'https://example.com/a', 'https://example.com/b'],
  ['https://ko.wikipedia.org/wiki/서울', 'https://ko.wikipedia.org/wiki/서울'],
  ['https://example.com/가나다라', 'https://example.com/가나다라'],
  ['"https://example.org/q?a=b&c=d#e"', 'https://example.org/q?a=b&c=d#e'],
  ['<https://example.org/>', 'https://example.org/'],
  ['https://example.org/😀', 'https://example.org/😀'],
  ['https://example.org/a\u202Egnp', 'https://example.org/a'],
  ['HTTPS://EXAMPLE.ORG/A!', 'HTTPS://EXAMPLE.ORG/A'],
  ['https://'], ['javascript:alert(1)'], ['http://[bad'], ['nothttps://example.org/'], ['data:text/html,x'],
]) {
  test(`addresses of ${JSON.stringify(text)} are ${JSON.stringify(addresses)}`, () => assert.deepEqual(found(text), addresses))
}

test('only http and https are addresses of the web', () => {
  for (const text of ['javascript:alert(1)', 'data:text/html,x', 'file:///etc', ' java\nscript:x', '', null]) assert.equal(webAddress(text), null)
  assert.equal(webAddress('https://example.org'), 'https://example.org/')
})

test('what an address shows follows from its path, not from its query', () => {
  assert.equal(mediaKind('https://example.org/a.PNG?x=1'), 'picture')
  assert.equal(mediaKind('https://example.org/a.mp4'), 'video')
  assert.equal(mediaKind('https://example.org/?a.png'), null)
  assert.equal(mediaKind('nothing'), null)
})
