import assert from 'node:assert/strict'
import test from 'node:test'
import { MOST_DONE, changePosts, keyOf, numberOf, postKey } from '../src/core/kept-post.js'

const post = (key, fields) => ({ key, roomId: 'a', messageType: 'text', payload: { text: key }, isTried: false, state: 'queued', ...fields })

/** What one step makes of the posts `a`, `b` and `c` at the places 1, 4 and 7. */
function change(changes, { posts = ['a', 'b', 'c'].map(key => post(key)), done = [], isUnreadable = false, unread = [] } = {}) {
  const numbers = new Map([...posts.map(post => post.key), ...unread].map((key, index) => [key, 1 + 3 * index]))
  const { answers, pairs } = changePosts({ numbers, posts: new Map(posts.map(post => [post.key, post])), done, isUnreadable }, changes)
  return { answers, pairs: [...pairs] }
}

const done = Array.from({ length: MOST_DONE }, (_, number) => ({ key: `k${number}`, messageId: number + 1, seq: number + 1 }))
const tried = post('b', { isTried: true }), edited = post('b', { payload: { text: 'other' } })
const place = { a: postKey(1, 'a'), b: postKey(4, 'b'), c: postKey(7, 'c'), next: key => postKey(8, key) }

const cases = {
  'a new post goes to the end': [
    [{ key: 'd', add: post('d') }], {},
    { answers: [{}], pairs: [[place.next('d'), post('d')]] }],
  'two new ones keep their order': [
    [{ key: 'd', add: post('d') }, { key: 'e', add: post('e') }], {},
    { answers: [{}, {}], pairs: [[place.next('d'), post('d')], [postKey(9, 'e'), post('e')]] }],
  'a key that is there is not added again': [
    [{ key: 'b', add: edited }], {},
    { answers: [{ known: post('b') }], pairs: [] }],
  'a changed post keeps its place, and the content that another process gave it': [
    [{ key: 'b', put: tried }], { posts: [post('a'), edited] },
    { answers: [{ payload: edited.payload }], pairs: [[place.b, { ...tried, payload: edited.payload }]] }],
  'an edit decides the content': [
    [{ key: 'b', put: edited, ifOpen: post('b') }], {},
    { answers: [{}], pairs: [[place.b, edited]] }],
  'a post that another process has begun to send is not edited': [
    [{ key: 'b', put: edited, ifOpen: post('b') }], { posts: [post('a'), tried] },
    { answers: [{ isTried: true }], pairs: [] }],
  'nor is it discarded': [
    [{ key: 'b', remove: null, ifOpen: post('b') }], { posts: [post('a'), tried] },
    { answers: [{ isTried: true }], pairs: [] }],
  'nor is it edited by a process that adds it, too': [
    [{ key: 'b', add: edited, ifOpen: post('b') }], { posts: [post('a'), tried] },
    { answers: [{ isTried: true }], pairs: [] }],
  'an attempt that this process begins after its edit does not forbid the edit': [
    [{ key: 'b', put: tried }, { key: 'b', put: edited, ifOpen: post('b') }], {},
    { answers: [{ payload: { text: 'b' } }, {}], pairs: [[place.b, edited]] }],
  'a post that is sent again goes to the end': [
    [{ key: 'b', put: post('b'), isLast: true }], {},
    { answers: [{ payload: { text: 'b' } }], pairs: [[place.b, undefined], [place.next('b'), post('b')]] }],
  'a stored post leaves, and is remembered': [
    [{ key: 'b', remove: { messageId: 5, seq: 9 } }], {},
    { answers: [{}], pairs: [['done', [{ key: 'b', messageId: 5, seq: 9 }]], [place.b, undefined]] }],
  'a discarded one is remembered beside those that were stored': [
    [{ key: 'b', remove: null }], { done: [...done] },
    { answers: [{}], pairs: [['done', [{ key: 'b' }, ...done]], [place.b, undefined]] }],
  'a post that was given up before it was kept is remembered, too': [
    [{ key: 'd', remove: false }], {},
    { answers: [{}], pairs: [['done', [{ key: 'd' }]]] }],
  'a key that was given up is free again': [
    [{ key: 'b', remove: null }, { key: 'b', add: edited }], {},
    { answers: [{}, {}], pairs: [['done', [{ key: 'b' }]], [place.b, undefined], [place.next('b'), edited]] }],
  'a change of a post that another process has settled tells the outcome': [
    [{ key: 'd', put: post('d') }, { key: 'e', remove: null }],
    { done: [{ key: 'd' }, { key: 'd', messageId: 5, seq: 9 }] },
    { answers: [{ isGone: true, message: { key: 'd', messageId: 5, seq: 9 } }, { isGone: true, message: undefined }], pairs: [] }],
  'one whose outcome is forgotten is there again, as one that was tried': [
    [{ key: 'd', put: post('d') }], { done },
    { answers: [{ isTried: true }], pairs: [[place.next('d'), post('d', { isTried: true, isCertain: false })]] }],
  'and as it was before an edit': [
    [{ key: 'd', put: { ...post('d'), payload: {} }, ifOpen: post('d') }], { done },
    { answers: [{ isTried: true }], pairs: [[place.next('d'), post('d', { isTried: true, isCertain: false })]] }],
  'one that was given up after an attempt is not': [
    [{ key: 'd', remove: null }], { done },
    { answers: [{ isTried: true }], pairs: [] }],
  'a post that cannot be read is not gone': [
    [{ key: 'x', put: post('x') }, { key: 'y', remove: null }], { unread: ['x', 'y'], isUnreadable: true },
    { answers: [{}, {}], pairs: [[postKey(10, 'x'), post('x')], ['done', [{ key: 'y' }]], [postKey(13, 'y'), undefined]] }],
}

for (const [name, [changes, kept, expected]] of Object.entries(cases)) {
  test(name, () => assert.deepEqual(change(changes, kept), expected))
}

test('places are in the order of their numbers, and any key is found again', () => {
  assert.ok(postKey(9, 'b') < postKey(10, 'a'))
  for (const key of ['import-1', 'a/b', '키 %']) {
    const place = postKey(42, key)
    assert.equal(keyOf(place), key)
    assert.equal(numberOf(place), 42)
  }
  assert.equal(keyOf('outbox/000000000001/%'), 'outbox/000000000001/%')
})
