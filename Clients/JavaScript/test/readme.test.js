// The page of README.md in two browsers, against real servers, which serve the library: see real.test.js.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import test from 'node:test'
import { Browser, chromium } from './storage/browser.js'
import { call } from './support/accounts.js'

const { CHAT_SYSTEM_URL: system, CHAT_MESSAGE_URL: messages, CHAT_SOCKETS_URL: sockets } = process.env
const skip = !chromium ? 'no Chromium' : system && messages && sockets ? false : 'CHAT_SYSTEM_URL and the others are not set'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const page = /```html\n([^]*?)```/.exec(readme)[1]
const random = () => Math.random().toString(36).slice(2, 14)

test('the page of the README has one module of at most 20 lines', () => {
  const scripts = [...page.matchAll(/<script[^>]*>\n([^]*?)\n<\/script>/g)]
  assert.equal(scripts.length, 1)
  assert.match(scripts[0][0], /^<script type="module">/)
  assert.ok(scripts[0][1].split('\n').length <= 20)
})

/** A link to a server that can be cut: Chromium's own emulation leaves open sockets alone. */
class Link {
  isCut = false
  #ends = new Set()

  static async to(url) {
    const link = new Link()
    const target = new URL(url)
    link.server = createServer(near => {
      if (link.isCut) return near.destroy()
      const far = connect(target.port, target.hostname)
      for (const [end, other] of [[near, far], [far, near]]) {
        link.#ends.add(end)
        end.on('error', () => {}).on('close', () => { link.#ends.delete(end); other.destroy() })
        end.pipe(other)
      }
    }).listen(0, '127.0.0.1')
    await once(link.server, 'listening')
    link.url = `${target.protocol}//127.0.0.1:${link.server.address().port}`
    return link
  }

  cut(isCut) {
    this.isCut = isCut
    if (isCut) for (const end of this.#ends) end.destroy()
  }

  close() {
    this.cut(true)
    this.server.close()
  }
}

test('two browsers talk by the page of the README, and one that was offline for 300 messages is whole again', { skip, timeout: 180_000 }, async t => {
  const roomId = `lobby-${random()}`
  const people = []
  for (const name of ['ann', 'bob']) {
    const account = { username: `${name}-${random()}`, password: 'a long password' }
    await call(system, '/auth/register', account)
    const token = (await call(system, '/auth/login', account)).accessToken
    if (name === 'ann') await call(system, '/rooms', { type: 'public', name: 'Lobby', roomId }, token)
    else await call(system, `/rooms/${roomId}/join`, {}, token)
    const links = await Promise.all([system, messages, sockets].map(Link.to))
    t.after(() => links.forEach(link => link.close()))
    const [systemUrl, messagesUrl, socketsUrl] = links.map(link => link.url)
    const url = JSON.stringify({ system: systemUrl, messages: messagesUrl, sockets: socketsUrl })
    const browser = await Browser.start({
      page: page.replace("url: 'https://chat.example.org'", `url: ${url}`).replaceAll('https://chat.example.org', systemUrl)
        .replace("'lobby'", `'${roomId}'`).replace('chat.start()', 'window.chat = chat; chat.start()'),
      files: { '/my/chat-token': token },
    })
    t.after(() => browser.close())
    const tab = await browser.tab()
    const until = condition => tab.run(`
      for (let turn = 0; turn < 6000; turn += 1) {
        if (${condition}) return
        await new Promise(resolve => setTimeout(resolve, 10))
      }
      throw new Error('Not in time: ' + ${JSON.stringify(condition)} + ' ' + document.body.innerText.slice(0, 200))`)
    const say = words => tab.run(`text.value = ${JSON.stringify(words)}; form.requestSubmit()`)
    const texts = () => tab.run(`return [...messages.children].map(item => item.textContent)`)
    // A room that the store does not know begins at its head: what is said before is older.
    await until(`window.chat?.room('${roomId}').state === 'live'`)
    people.push({ token, links, until, say, texts })
  }
  const [ann, bob] = people
  const count = number => `messages.children.length === ${number}`

  await ann.say('Hello Bob')
  await bob.until(count(1))
  await bob.say('Hello Ann')
  for (const person of people) await person.until(count(2))

  for (const link of bob.links) link.cut(true)
  await bob.say('While I was away')
  for (let number = 0; number < 300; number += 1) {
    await call(messages, '/messages', { roomId, messageType: 'text', payload: { text: `Number ${number}` } }, ann.token)
  }
  await ann.until(count(302))
  assert.equal((await bob.texts()).length, 3)
  for (const link of bob.links) link.cut(false)
  for (const person of people) await person.until(`${count(303)} && !/queued|sending/.test(messages.textContent)`)

  const [seen, other] = [await ann.texts(), await bob.texts()]
  assert.deepEqual(other, seen)
  const numbers = seen.filter(text => text.includes('Number')).map(text => Number(/Number (\d+)/.exec(text)[1]))
  assert.deepEqual(numbers, Array.from({ length: 300 }, (_, number) => number))
  assert.equal(seen.filter(text => text.includes('While I was away')).length, 1)
})
