// Chromium without a window, spoken to over its pipe, with pages from this folder's package.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PACKAGE = fileURLToPath(new URL('../..', import.meta.url))

/** Its path, from CHROMIUM or PATH; `undefined` where there is none. */
export const chromium = process.env.CHROMIUM ??
  process.env.PATH.split(delimiter).map(folder => join(folder, 'chromium')).find(existsSync)

export class Browser {
  #last = 0
  #answers = new Map()
  /** Session → what ends with its tab. */
  #tabs = new Map()
  #rest = ''

  /** @param files path → text of further modules, `page` what is in the page */
  static async start({ page = '', files = {} } = {}) {
    const browser = new Browser()
    browser.folder = await mkdtemp(join(tmpdir(), 'chat-browser-'))
    browser.server = createServer((request, response) => serve(request, response, page, files)).listen(0, '127.0.0.1')
    await once(browser.server, 'listening')
    browser.origin = `http://127.0.0.1:${browser.server.address().port}`
    browser.otherOrigin = browser.origin.replace('127.0.0.1', 'localhost')
    browser.process = spawn(chromium, [
      '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--remote-debugging-pipe',
      '--process-per-tab', `--user-data-dir=${browser.folder}`, 'about:blank'
    ], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] })
    browser.process.stdio[4].setEncoding('utf8').on('data', text => browser.#read(text))
    browser.process.stdio[3].on('error', () => {})
    return browser
  }

  async close() {
    const ended = once(this.process, 'exit')
    this.process.kill('SIGKILL')
    await ended
    this.server.close()
    await rm(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }

  call(method, params = {}, sessionId) {
    const id = this.#last += 1
    this.process.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + '\0')
    return new Promise((resolve, reject) => this.#answers.set(id, { resolve, reject, sessionId }))
  }

  /** A tab on the empty page. */
  async tab(origin = this.origin) {
    const { targetId } = await this.call('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await this.call('Target.attachToTarget', { targetId, flatten: true })
    const call = (method, params) => this.call(method, params, sessionId)
    const isGone = new Promise(resolve => this.#tabs.set(sessionId, resolve))
    const tab = {
      call,
      /** Resolves once the tab is gone: the answer comes before. */
      close: async () => { await this.call('Target.closeTarget', { targetId }); await isGone },
      /** The value of an async function's body in the page. */
      async run(body) {
        const expression = `(async () => { ${body} })()`
        const answer = await call('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })
        if (answer.exceptionDetails) throw new Error(answer.exceptionDetails.exception?.description ?? 'failed in the page')
        return answer.result.value
      }
    }
    await call('Page.enable')
    await call('Page.navigate', { url: `${origin}/` })
    while (!await tab.run('return document.readyState === "complete" && location.pathname === "/" && window.isPage').catch(() => false));
    return tab
  }

  #read(text) {
    const parts = (this.#rest + text).split('\0')
    this.#rest = parts.pop()
    for (const part of parts) {
      const { id, result, error, method, params } = JSON.parse(part)
      if (method === 'Target.detachedFromTarget') this.#endSession(params.sessionId)
      const answer = this.#answers.get(id)
      if (!answer) continue
      this.#answers.delete(id)
      if (error) answer.reject(new Error(error.message))
      else answer.resolve(result)
    }
  }

  #endSession(sessionId) {
    this.#tabs.get(sessionId)?.()
    this.#tabs.delete(sessionId)
    for (const [id, answer] of this.#answers) {
      if (answer.sessionId !== sessionId) continue
      this.#answers.delete(id)
      answer.reject(new Error('The tab is gone'))
    }
  }
}

async function serve(request, response, page, files) {
  const path = new URL(request.url, 'http://page').pathname
  if (path === '/') {
    return response.setHeader('content-type', 'text/html').end(`<!doctype html><script>window.isPage = true</script>${page}`)
  }
  try {
    const content = files[path] ?? await readFile(join(PACKAGE, path))
    response.setHeader('content-type', 'text/javascript').setHeader('access-control-allow-origin', '*').end(content)
  } catch {
    response.writeHead(404).end()
  }
}
