import assert from 'node:assert/strict'
import test from 'node:test'
import { composing, emoji } from './client.mjs'

const { ComposerKeys, TypingSignal, closedEmoji, emojiQuery, lengthState, scalarCount, sendableText } = composing
const enter = { key: 'Enter', keyCode: 13, isComposing: false }
const idle = { isEmpty: false, isAbout: false }

test('Enter sends, and Shift+Enter breaks the line', () => {
  const keys = new ComposerKeys()
  assert.equal(keys.keyDown(enter, idle), 'send')
  assert.equal(keys.keyDown({ ...enter, shiftKey: true }, idle), null)
})

test('on phones Enter breaks the line, and Ctrl+Enter sends everywhere', () => {
  const keys = new ComposerKeys({ hasEnterKeyToSend: false })
  assert.equal(keys.keyDown(enter, idle), null)
  assert.equal(keys.keyDown({ ...enter, ctrlKey: true }, idle), 'send')
})

test('Enter that confirms a composition sends nothing', () => {
  assert.equal(new ComposerKeys().keyDown({ ...enter, isComposing: true, keyCode: 229 }, idle), null)
})

test('Safari ends the composition before it reports the key, with code 229: that sends nothing either', () => {
  assert.equal(new ComposerKeys().keyDown({ ...enter, isComposing: false, keyCode: 229 }, idle), null)
})

test('the line break of an Enter that confirmed Hangul is refused, and only that one', () => {
  const keys = new ComposerKeys()
  keys.keyDown({ ...enter, isComposing: true, keyCode: 229 }, idle)
  assert.ok(keys.refuses({ inputType: 'insertLineBreak' }))
  assert.ok(!keys.refuses({ inputType: 'insertCompositionText' }))
  keys.keyUp()
  assert.ok(!keys.refuses({ inputType: 'insertLineBreak' }))
  keys.keyDown({ ...enter, shiftKey: true }, idle)
  assert.ok(!keys.refuses({ inputType: 'insertLineBreak' }))
})

test('the next Enter after a composition sends', () => {
  const keys = new ComposerKeys()
  keys.keyDown({ ...enter, isComposing: true, keyCode: 229 }, idle)
  keys.keyUp()
  assert.equal(keys.keyDown(enter, idle), 'send')
})

test('↑ edits the last message only where nothing is written', () => {
  const keys = new ComposerKeys(), up = { key: 'ArrowUp', keyCode: 38 }
  assert.equal(keys.keyDown(up, { isEmpty: true, isAbout: false }), 'editLast')
  assert.equal(keys.keyDown(up, idle), null)
  assert.equal(keys.keyDown({ ...up, shiftKey: true }, { isEmpty: true, isAbout: false }), null)
})

test('Escape ends a reply or an edit', () => {
  const keys = new ComposerKeys()
  assert.equal(keys.keyDown({ key: 'Escape', keyCode: 27 }, { isEmpty: true, isAbout: true }), 'cancel')
  assert.equal(keys.keyDown({ key: 'Escape', keyCode: 27 }, idle), null)
})

test('length counts Unicode scalars, as servers do', () => {
  assert.equal(scalarCount('a😀한'), 3)
  assert.deepEqual(lengthState('short'), { left: null, isTooLong: false })
  assert.deepEqual(lengthState('😀'.repeat(4_001)), { left: null, isTooLong: false })
  assert.deepEqual(lengthState('😀'.repeat(7_999)), { left: 1, isTooLong: false })
  assert.deepEqual(lengthState('a'.repeat(9_000)), { left: -1_000, isTooLong: true })
  assert.deepEqual(lengthState('a'.repeat(8_000) + '\n\n'), { left: 0, isTooLong: false })
})

test('spaces at the beginning are sent; empty lines around and spaces at the end are not', () => {
  assert.equal(sendableText('\n \n    code\n  more  \n\n'), '    code\n  more')
  assert.equal(sendableText(' \n\t '), '')
})

test('half of a surrogate pair, which no server takes, is replaced', () => {
  if (''.toWellFormed) assert.equal(sendableText('a\ud83d'), 'a\ufffd')
})

test('emoji by name: what is being written, and what is closed', () => {
  assert.deepEqual(emojiQuery('hi :smi', 7), { start: 3, query: 'smi' })
  assert.equal(emojiQuery('http://a:80', 11), null)
  assert.equal(emojiQuery('10:30', 5), null)
  assert.deepEqual(closedEmoji('hi :tada:', 9, emoji.emojiNamed), { text: 'hi 🎉', cursor: 5 })
  assert.equal(closedEmoji('hi :nothing_at_all:', 19, emoji.emojiNamed), null)
  assert.equal(emoji.findEmoji('웃음')[0].sign, '😀')
  assert.ok(emoji.findEmoji('heart').length > 4)
})

test('every emoji has a name, and no name means two', () => {
  const seen = new Map()
  for (const { sign, names } of emoji.emojiGroups.flatMap(group => group.entries)) {
    assert.ok(sign.length > 0 && names.length > 0, `${sign} ${names}`)
    for (const name of names) {
      assert.ok(!seen.has(name), `${name}: ${sign} and ${seen.get(name)}`)
      seen.set(name, sign)
    }
  }
  assert.ok(seen.size > 300)
})

test('typing is said at most every few seconds, and once when it ends', () => {
  const signal = new TypingSignal()
  assert.equal(signal.change(false, 0), true)
  assert.equal(signal.change(false, 1_000), undefined)
  assert.equal(signal.change(false, 4_500), true)
  assert.equal(signal.change(true, 4_600), false)
  assert.equal(signal.end(), undefined)
})
