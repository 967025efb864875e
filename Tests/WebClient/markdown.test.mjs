import assert from 'node:assert/strict'
import test from 'node:test'
import { content, linksOf, parseInline, parseMarkdown, textOf } from './client.mjs'

const kinds = text => parseMarkdown(text).map(block => block.kind)
const bold = (...children) => ({ kind: 'bold', children })
const italic = (...children) => ({ kind: 'italic', children })

for (const [text, ...expected] of [
  ['plain', 'plain'],
  ['a **b** c', 'a ', bold('b'), ' c'],
  ['*a* _b_', italic('a'), ' ', italic('b')],
  ['**a *b* c**', bold('a ', italic('b'), ' c')],
  ['~~gone~~', { kind: 'strike', children: ['gone'] }],
  ['`**a**`', { kind: 'code', text: '**a**' }],
  ['``a ` b``', { kind: 'code', text: 'a ` b' }],
  ['snake_case_name', 'snake_case_name'],
  ['2*3*4', '2*3*4'],
  ['2 * 3 * 4', '2 * 3 * 4'],
  ['**굵게**입니다', bold('굵게'), '입니다'],
  ['이것은*기울임*이다', '이것은', italic('기울임'), '이다'],
  ['**open', '**open'],
  ['***', '***'],
  ['[a](https://example.org/x)', { kind: 'link', href: 'https://example.org/x', children: ['a'] }],
  ['[a](javascript:x)', '[a](javascript:x)'],
  ['[a](https://e.org/x_(y))', { kind: 'link', href: 'https://e.org/x_(y)', children: ['a'] }],
  ['https://e.org/_a_b_', { kind: 'link', href: 'https://e.org/_a_b', children: ['https://e.org/_a_b'] }, '_'],
]) {
  test(`inline ${JSON.stringify(text)}`, () => assert.deepEqual(parseInline(text), expected))
}

test('blocks', () => {
  assert.deepEqual(kinds('a\nb\n\n- x\n- y\n1. z\n> q\n```js\ncode *x*\n```\nend'), [
    'paragraph', 'list', 'list', 'quote', 'codeBlock', 'paragraph'])
  assert.deepEqual(parseMarkdown('```\n<b>\n```'), [{ kind: 'codeBlock', text: '<b>' }])
  assert.deepEqual(parseMarkdown('```\nnever closed'), [{ kind: 'paragraph', children: ['```\nnever closed'] }])
  assert.equal(parseMarkdown('3. a\n4. b')[0].start, 3)
  assert.deepEqual(kinds('-no space'), ['paragraph'])
  assert.deepEqual(kinds('   \n\n'), [])
})

test('spaces at the beginning of a line are kept', () => {
  assert.deepEqual(parseMarkdown('\n  indented\n    more\n'), [{ kind: 'paragraph', children: ['  indented\n    more'] }])
})

test('what is no markup comes back character for character, whatever it is', () => {
  const characters = ['<', '>', '&', '"', "'", '*', '_', '`', '[', ']', '(', ')', '!', '\n', ' ', 'a', '한', '😀', '\u202e', '~', '-', '1', '.']
  let seed = 7
  const random = n => (seed = (seed * 48_271) % 2_147_483_647) % n
  for (let round = 0; round < 3_000; round += 1) {
    const text = Array.from({ length: random(40) }, () => characters[random(characters.length)]).join('')
    const shown = textOf(parseMarkdown(text))
    // Only marks may be missing.
    const rest = [...shown].filter(character => !/\s/u.test(character))
    let at = 0
    const all = [...text]
    for (const character of rest) {
      at = all.indexOf(character, at)
      assert.ok(at >= 0, JSON.stringify({ text, shown }))
      at += 1
    }
  }
})

test('a text of nothing but marks takes no time that grows with its square', () => {
  // Of this process, on however busy a machine.
  const before = process.cpuUsage()
  for (const mark of ['*', '_', '`', '[', '~', '> ', '- ', '**a', '`a', '[a](', 'https://', '```\n']) {
    parseMarkdown(mark.repeat(8_000 / mark.length))
  }
  const ms = process.cpuUsage(before).user / 1_000
  assert.ok(ms < 2_000, `${ms} ms`)
})

test('links are found in all blocks', () => {
  const text = 'https://a.org/ **https://b.org/x.png**\n> https://c.org/\n- https://d.org/'
  assert.deepEqual(linksOf(parseMarkdown(text)), ['https://a.org/', 'https://b.org/x.png', 'https://c.org/', 'https://d.org/'])
})

test('a message of any content has a summary', () => {
  const of = (messageType, payload) => content.summaryOf({ messageType, contentJson: typeof payload === 'string' ? payload : JSON.stringify(payload) })
  assert.equal(of('text', { text: '**a**\n\nb' }), 'a b')
  assert.equal(of('image', { imageUrl: 'https://e.org/a.png', caption: 'Look' }), 'Picture: Look')
  assert.equal(of('file', { fileUrl: 'https://e.org/a', fileName: 'a.pdf' }), 'File: a.pdf')
  assert.equal(of('location', { latitude: 1, longitude: 2, label: 'Here' }), 'Place: Here, 1, 2')
  assert.equal(of('rich_content', { x: 1 }), 'This page cannot show this message.')
  assert.equal(of('text', 'no json'), '')
  assert.equal(of('text', 'null'), '')
  assert.equal(content.summaryOf({ isDeleted: true }), 'This message was deleted')
  assert.equal(of('text', { text: '😀'.repeat(200) }), `${'😀'.repeat(140)}…`)
})

test('attachments are those of the web alone', () => {
  const of = (messageType, payload) => content.attachmentsOf({ messageType, contentJson: JSON.stringify(payload) })
  assert.deepEqual(of('image', { imageUrl: 'javascript:x' }), [])
  assert.equal(of('image', { imageUrl: 'https://e.org/a', thumbnailUrl: 'https://e.org/t' })[0].source, 'https://e.org/t')
  assert.deepEqual(of('text', { text: 'https://e.org/a.png https://e.org/b' }).map(each => each.kind), ['picture'])
  assert.equal(of('text', { text: Array.from({ length: 9 }, (_, index) => `https://e.org/${index}.png`).join(' ') }).length, 4)
})
