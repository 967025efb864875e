// Tabs of Chromium on one store, against real servers: see real.test.js.

import assert from 'node:assert/strict'
import test from 'node:test'
import { Browser, chromium } from './storage/browser.js'
import { call, makeUser } from './support/accounts.js'

const { CHAT_SYSTEM_URL: system, CHAT_MESSAGE_URL: messages, CHAT_SOCKETS_URL: sockets } = process.env
const skip = !chromium ? 'no Chromium' : system && messages && sockets ? false : 'CHAT_SYSTEM_URL and the others are not set'

test('tabs share one store: one line of posts, one sender, each shows all', { skip, timeout: 120_000 }, async t => {
  const { account, userId, token } = await makeUser(system)
  const { roomId } = await call(system, '/rooms', { type: 'group', name: 'x' }, token)
  const browser = await Browser.start()
  t.after(() => browser.close())
  const open = async () => {
    const tab = await browser.tab()
    await tab.run(`
      const { Chat } = await import('/src/chat.js')
      const options = ${JSON.stringify({ url: { system, messages, sockets }, userId })}
      window.chat = new Chat({ ...options, getToken: async () => {
        const answer = await fetch('${system}/api/v1/auth/login', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: ${JSON.stringify(JSON.stringify(account))} })
        return (await answer.json()).accessToken
      } })
      window.errors = []
      chat.on('error', error => errors.push(String(error.cause ?? error)))
      window.room = chat.room('${roomId}')
      window.seen = []
      room.on('event', event => seen.push(event.seq))
      window.until = async condition => { for (let turn = 0; turn < 1500; turn += 1) { if (condition()) return; await new Promise(resolve => setTimeout(resolve, 10)) } throw new Error('not in time: ' + condition + ' ' + chat.state + ' ' + errors) }
      window.texts = () => room.messages.map(message => message.content.text)
      chat.start()
    `)
    return tab
  }
  const [one, two] = [await open(), await open()]
  for (const tab of [one, two]) await tab.run(`await until(() => chat.state === 'live' && room.state === 'live')`)
  assert.equal(await one.run('return chat.storage'), 'lasting')
  const send = (tab, prefix, count) => tab.run(`
    const posts = Array.from({ length: ${count} }, (_, index) => room.send({ text: '${prefix}' + index }, { key: '${prefix}' + index }))
    await Promise.all(posts.map(post => post.stored))
    return posts.map(post => post.state)`)
  await Promise.all([send(one, 'a', 10), send(two, 'b', 10)])
  for (const tab of [one, two]) await tab.run('await until(() => seen.length === 20 && room.messages.length === 20)')
  const all = await one.run('return texts()')
  assert.deepEqual(await two.run('return texts()'), all)
  for (const prefix of ['a', 'b']) assert.deepEqual(all.filter(text => text.startsWith(prefix)), Array.from({ length: 10 }, (_, index) => `${prefix}${index}`))
  assert.deepEqual(await two.run('return seen'), Array.from({ length: 20 }, (_, index) => index + 1))

  // The one that sends is frozen: the other replaces it.
  await one.call('Page.setWebLifecycleState', { state: 'frozen' })
  const started = Date.now()
  await send(two, 'c', 1)
  t.diagnostic(`a frozen tab was replaced after ${Date.now() - started} ms`)
  await one.call('Page.setWebLifecycleState', { state: 'active' })
  await one.run('await until(() => seen.length === 21)')

  // Gone without a word.
  await two.close()
  await send(one, 'd', 3)

  // A new tab without a network shows what is kept, and what it writes is sent later.
  const three = await open()
  await three.run('await until(() => room.messages.length === 24)')
  assert.deepEqual((await three.run('return texts()')).slice(-4), ['c0', 'd0', 'd1', 'd2'])
  await three.call('Network.enable')
  await three.call('Network.emulateNetworkConditions', { offline: true, latency: 0, downloadThroughput: -1, uploadThroughput: -1 })
  await one.close()
  await three.run(`window.post = room.send({ text: 'later' }); await post.kept`)
  // Long enough that it would be stored if this tab had a network.
  await new Promise(resolve => setTimeout(resolve, 500))
  assert.notEqual(await three.run('return post.state'), 'stored')
  await three.call('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: -1 })
  await three.run('chat.retryNow(); await post.stored')
  assert.deepEqual(await three.run('return errors'), [])
})
