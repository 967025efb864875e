// In Chromium, with React as Debian has it (node-react, node-react-dom), or from the folder named in REACT.

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { Browser, chromium } from '../storage/browser.js'

const MODULES = process.env.REACT ?? '/usr/share/nodejs'
const script = (...path) => join(MODULES, ...path)
const missing = !chromium ? 'no chromium' : !existsSync(script('react', 'umd')) ? 'no React' : false

const FILES = () => ({
  '/umd/react.js': readFileSync(script('react', 'umd', 'react.development.js')),
  '/umd/react-dom.js': readFileSync(script('react-dom', 'umd', 'react-dom.development.js')),
  '/umd/react-dom-server.js': readFileSync(script('react-dom', 'umd', 'react-dom-server-legacy.browser.development.js')),
  '/react.js': `import '/umd/react.js'
    export const {
      createContext, createElement, useCallback, useContext, useEffect, useMemo, useSyncExternalStore, StrictMode, useState
    } = globalThis.React`,
  '/page.js': PAGE
})

const PAGE = `
  import { createElement as h, StrictMode } from 'react'
  import '/umd/react-dom.js'
  import '/umd/react-dom-server.js'
  import * as client from '/src/react.js'

  class Emitter {
    listeners = new Set()
    add = listener => { const entry = { listener }; this.listeners.add(entry); return () => this.listeners.delete(entry) }
    emit(value) { for (const { listener } of [...this.listeners]) listener(value) }
  }

  class FakeRoom {
    changes = new Emitter()
    messages = Object.freeze([])
    state = 'idle'
    hasMore = true
    asked = []
    constructor(id) { this.id = id; this.info = { roomId: id, name: id } }
    subscribe(listener) { return this.changes.add(listener) }
    async loadOlder(limit = 50) {
      this.asked.push(limit)
      if (this.failing) throw new Error('network')
      return this.become({ hasMore: false, messages: Object.freeze([{ key: 'older', text: 'older' }, ...this.messages]) }).hasMore
    }
    become(values) { Object.assign(this, values); this.changes.emit(); return this }
  }

  class FakeChat {
    calls = []
    connection = { state: 'offline', reason: 'stopped' }
    get state() { return this.connection.state }
    states = new Emitter()
    roomChanges = new Emitter()
    byId = new Map()
    rooms = { list: Object.freeze([]), subscribe: listener => this.roomChanges.add(listener) }
    on(type, listener) { return this.states.add(listener) }
    start() { this.calls.push('start'); this.become('connecting', 'start') }
    stop() { this.calls.push('stop'); this.become('offline', 'stopped') }
    close() { this.calls.push('close') }
    room(id) { if (!this.byId.has(id)) this.byId.set(id, new FakeRoom(id)); return this.byId.get(id) }
    become(state, reason, retryInMs) {
      this.connection = Object.freeze({ state, previous: this.state, reason, retryInMs })
      this.states.emit(this.connection)
    }
    setRooms(...names) {
      this.rooms.list = Object.freeze(names.map(name => ({ roomId: name, name })))
      this.roomChanges.emit()
    }
    get listenerCount() {
      const rooms = [...this.byId.values()].map(room => room.changes)
      return [this.states, this.roomChanges, ...rooms].reduce((sum, { listeners }) => sum + listeners.size, 0)
    }
  }

  window.errors = []
  console.error = (...parts) => errors.push(parts.map(String).join(' '))
  window.addEventListener('unhandledrejection', event => errors.push('unhandled ' + event.reason))

  const act = work => ReactDOM.flushSync(work)
  const text = () => document.getElementById('root').textContent
  const seen = work => new Promise(resolve => {
    const look = () => work() ? resolve() : setTimeout(look, 5)
    look()
  })
  const fresh = () => {
    document.body.innerHTML = '<div id=root></div>'
    errors.length = 0
    return { chat: new FakeChat(), root: ReactDOM.createRoot(document.getElementById('root')) }
  }
  Object.assign(window, client, { h, StrictMode, act, text, seen, fresh, FakeChat })
  window.isReady = true
`

describe('React', { skip: missing, timeout: 120_000 }, () => {
  let browser
  let tab
  before(async () => {
    browser = await Browser.start({
      files: FILES(),
      page: `<script type=importmap>{"imports": {"react": "/react.js"}}</script><script type=module src=/page.js></script>`
    })
  })
  after(() => browser?.close())
  beforeEach(async () => {
    await tab?.close()
    tab = await browser.tab()
    await tab.run(`while (!window.isReady) await new Promise(resolve => setTimeout(resolve, 5))`)
  })

  it('starts a chat once, also where it is strict and with two providers, and stops it a moment after the last is gone', async () => {
    assert.deepEqual(await tab.run(`
      const { chat, root } = fresh()
      // The moment ends when the test says so, not while the page stands still.
      const held = new Map()
      const [set, clear] = [setTimeout, clearTimeout]
      let count = 0
      window.setTimeout = (work, ms, ...values) => {
        if (!(ms > 500 && ms < 3000)) return set(work, ms, ...values)
        held.set('held ' + (count += 1), work)
        return 'held ' + count
      }
      window.clearTimeout = timer => { if (!held.delete(timer)) clear(timer) }
      const tree = h(StrictMode, null, h(ChatProvider, { chat }, 'a'), h(ChatProvider, { chat }, 'b'))
      root.render(tree)
      await seen(() => text() === 'ab' && chat.calls.length > 0)
      root.render(h(StrictMode, null, h(ChatProvider, { chat }, 'a')))
      await seen(() => text() === 'a')
      root.unmount()
      await seen(() => held.size === 1)
      const again = ReactDOM.createRoot(document.getElementById('root'))
      again.render(h(ChatProvider, { chat }, 'c'))
      await seen(() => text() === 'c' && held.size === 0)
      again.unmount()
      await seen(() => held.size === 1)
      const before = [...chat.calls]
      for (const work of held.values()) work()
      return [before, chat.calls, chat.listenerCount, errors]
    `), [['start'], ['start', 'stop'], 0, []])
  })

  it('starts again after it has stopped, and another chat in its place', async () => {
    assert.deepEqual(await tab.run(`
      const { chat, root } = fresh()
      const other = new FakeChat()
      root.render(h(ChatProvider, { chat }))
      await seen(() => chat.calls.length === 1)
      root.render(h(ChatProvider, { chat: other }))
      await seen(() => chat.calls.length === 2)
      root.render(h(ChatProvider, { chat }))
      await seen(() => other.calls.length === 2)
      return [chat.calls, other.calls, errors]
    `), [['start', 'stop', 'start'], ['start', 'stop'], []])
  })

  it('useConnection has state, reason and pause, also in what is shown later', async () => {
    assert.deepEqual(await tab.run(`
      const { chat, root } = fresh()
      let renders = 0
      const Shown = () => { renders += 1; const { state, reason, retryInMs } = useConnection(); return [state, reason, retryInMs].join() }
      root.render(h(ChatProvider, { chat }))
      await seen(() => chat.calls.length === 1)
      chat.become('offline', 'network', 700)
      act(() => root.render(h(ChatProvider, { chat }, h(Shown))))
      const first = text()
      act(() => chat.become('live', 'network'))
      const second = text()
      const count = renders
      act(() => chat.setRooms('a'))
      return [first, second, renders - count, errors]
    `), ['offline,network,700', 'live,network,', 0, []])
  })

  it('useRooms has the list, and is rendered again for its changes alone', async () => {
    assert.deepEqual(await tab.run(`
      const { chat, root } = fresh()
      let renders = 0
      const Shown = () => { renders += 1; return useRooms().map(room => room.name).join() || 'none' }
      act(() => root.render(h(ChatProvider, { chat }, h(Shown))))
      const seenTexts = [text()]
      await seen(() => chat.calls.length === 1)
      act(() => chat.setRooms('a', 'b'))
      seenTexts.push(text())
      const count = renders
      act(() => { chat.become('live', 'start'); chat.roomChanges.emit() })
      return [seenTexts, renders - count, errors]
    `), [['none', 'a,b'], 0, []])
  })

  it('useRoom is the room, and again when its info or state changes', async () => {
    assert.deepEqual(await tab.run(`
      const { chat, root } = fresh()
      const Shown = ({ id }) => { const room = useRoom(id); return room ? room.info?.name + ' ' + room.state : 'no room' }
      const show = id => { act(() => root.render(h(ChatProvider, { chat }, h(Shown, { id })))); return text() }
      const texts = [show(undefined), show('a')]
      act(() => chat.room('a').become({ state: 'live' }))
      texts.push(text())
      chat.room('a').info = { name: 'renamed' }
      act(() => chat.setRooms('a'))
      texts.push(text(), show('b'), show(undefined))
      await seen(() => chat.room('a').changes.listeners.size === 0 && chat.room('b').changes.listeners.size === 0)
      return [texts, errors]
    `), [['no room', 'a idle', 'a live', 'renamed live', 'b idle', 'no room'], []])
  })

  it('useMessages has the messages, loads older ones and follows the room', async () => {
    assert.deepEqual(await tab.run(`
      const { chat, root } = fresh()
      let value
      const values = new Set()
      const Shown = ({ id }) => {
        value = useMessages(id)
        values.add(value)
        return h('button', { onClick: value.loadOlder }, value.messages.map(each => each.text).join() + ' ' + value.state + ' ' + value.hasMore)
      }
      const show = id => { act(() => root.render(h(ChatProvider, { chat }, h(Shown, { id })))); return text() }
      const room = chat.room('a')
      const texts = [show(undefined), String(await value.loadOlder()), show('a')]
      act(() => room.become({ state: 'live', messages: Object.freeze([{ key: '1', text: 'one' }]) }))
      texts.push(text())
      const count = values.size
      show('a')
      texts.push(String(values.size - count))
      document.querySelector('button').click()
      await seen(() => text().startsWith('older'))
      texts.push(text(), String(await value.loadOlder(10)), room.asked.join())
      room.failing = true
      document.querySelector('button').click()
      texts.push(await value.loadOlder().catch(error => error.message))
      texts.push(show('b'))
      await new Promise(resolve => setTimeout(resolve, 50))
      return [texts, errors]
    `), [[
      ' idle false', 'false', ' idle true', 'one live true', '0', 'older,one live false', 'false', '50,10', 'network', ' idle true'
    ], []])
  })

  it('renders on a server what it renders first in a page', async () => {
    assert.deepEqual(await tab.run(`
      const { chat } = fresh()
      chat.become('live', 'start')
      chat.setRooms('a')
      chat.room('a').messages = [{ key: '1', text: 'one' }]
      const Shown = () => [
        useConnection().state, useRooms().length, useRoom('a').id, useMessages('a').messages.length, useMessages('a').state
      ].join()
      const tree = h(ChatProvider, { chat }, h(Shown))
      const html = ReactDOMServer.renderToString(tree)
      document.body.innerHTML = '<div id=root>' + html + '</div>'
      const element = document.getElementById('root')
      ReactDOM.hydrateRoot(element, tree)
      await seen(() => text() === 'connecting,1,a,1,idle')
      return [html, chat.calls, errors]
    `), ['offline,0,a,0,idle', ['start'], []])
  })

  it('useChat outside a provider says so', async () => {
    assert.match(await tab.run(`
      const { root } = fresh()
      const failed = new Promise(resolve => window.addEventListener('error', event => resolve(event.message), { once: true }))
      root.render(h(() => { useChat() }))
      return await failed
    `), /inside a ChatProvider/)
  })
})
