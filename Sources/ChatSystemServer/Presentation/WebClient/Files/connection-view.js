// Shows the state of the connection, and nothing while it is good.

import { byId, listen } from './dom.js'
import { t } from './strings.js'

/** A shorter reconnect is not shown. */
const SHOWN_AFTER_MS = 1_000

export class ConnectionView {
  #retryAt = null
  #shownAt = null

  constructor({ chat, signal }) {
    this.chat = chat
    const off = chat.on('state', change => {
      this.#retryAt = change.retryInMs === undefined ? null : Date.now() + change.retryInMs
      this.render()
    })
    listen(signal, [
      [byId('try-now'), 'click', () => chat.retryNow()],
      [window, 'offline', () => this.render()],
      [window, 'online', () => this.render()],
    ])
    const timer = setInterval(() => this.render(), 1_000)
    signal.addEventListener('abort', () => { off(); clearInterval(timer); byId('connection').hidden = true })
    this.render()
  }

  render() {
    byId('chat').dataset.state = this.chat.state
    const words = this.#words()
    if (words === '') this.#shownAt = null
    else this.#shownAt ??= Date.now() + (navigator.onLine && this.chat.state !== 'offline' ? SHOWN_AFTER_MS : 0)
    const isShown = words !== '' && Date.now() >= this.#shownAt
    byId('connection').hidden = !isShown
    if (byId('connection-text').textContent !== words) byId('connection-text').textContent = words
    byId('try-now').hidden = this.chat.state !== 'offline'
  }

  #words() {
    const { state } = this.chat
    if (!navigator.onLine && state !== 'closed' && state !== 'signedOut') return t('offlineDevice')
    switch (state) {
      case 'offline': return t('offline', this.#retryAt === null ? 0 : Math.ceil((this.#retryAt - Date.now()) / 1000))
      case 'connecting': return t('connecting')
      case 'syncing': return t('syncing')
      default: return this.chat.storage === 'memory' ? t('storageMemory') : ''
    }
  }
}
