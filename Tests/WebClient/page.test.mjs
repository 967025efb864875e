import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { english, korean } from './client.mjs'

const root = normalize(join(dirname(fileURLToPath(import.meta.url)), '../..'))
const folders = { '/web/': join(root, 'Sources/ChatSystemServer/Presentation/WebClient/Files/'), '/client/v1/': join(root, 'Clients/JavaScript/dist/') }
const read = path => {
  const [prefix, folder] = Object.entries(folders).find(([each]) => path.startsWith(each))
  return readFileSync(join(folder, path.slice(prefix.length)), 'utf8')
}
const page = readFileSync(join(folders['/web/'], 'index.html'), 'utf8')

/** All modules that a module loads, by the paths at which they are served. */
function modulesOf(path, found = new Set()) {
  if (found.has(path)) return found
  found.add(path)
  for (const [, name] of read(path).matchAll(/(?:\bfrom |\bimport |\bimport\()'([^']+)'/gu)) {
    if (name.startsWith('.')) modulesOf(normalize(join(dirname(path), name)), found)
    else if (name.startsWith('/')) modulesOf(name, found)
  }
  return found
}

test('every module is named in the head of the page, so that all load in one round', () => {
  const named = [...page.matchAll(/<link rel="modulepreload" href="([^"]+)">/gu)].map(match => match[1])
  assert.deepEqual([...named, '/web/app.js'].sort(), [...modulesOf('/web/app.js')].sort())
})

test('all that the page loads is at most 120 KB gzip', () => {
  const texts = [page, ...[...modulesOf('/web/app.js'), '/web/style.css', '/web/room.css', '/web/icon.svg'].map(read)]
  const bytes = texts.reduce((sum, text) => sum + gzipSync(text, { level: 6 }).length, 0)
  assert.ok(bytes <= 120 * 1024, `${bytes} bytes`)
})

test('both languages have the same words', () => {
  assert.deepEqual(Object.keys(korean).sort(), Object.keys(english).sort())
  for (const [key, value] of Object.entries(english)) assert.equal(typeof korean[key], typeof value, key)
})

test('every word that the page or a module asks for is there', () => {
  const asked = new Set([...page.matchAll(/data-t(?:-label|-placeholder)?="([^"]+)"/gu)].map(match => match[1]))
  for (const name of readdirSync(folders['/web/']).filter(each => each.endsWith('.js'))) {
    for (const [, key] of read(`/web/${name}`).matchAll(/\bt\('([A-Za-z_]+)'/gu)) asked.add(key)
  }
  for (const key of asked) assert.ok(key in english, key)
})

test('there are no words that nobody asks for', () => {
  const all = page + readdirSync(folders['/web/']).filter(name => name.endsWith('.js')).map(name => read(`/web/${name}`)).join('\n')
  for (const key of Object.keys(english).filter(each => !each.startsWith('error_'))) {
    assert.ok(all.includes(`'${key}'`) || all.includes(`="${key}"`), key)
  }
})

test('the text of the page is the English of its words', () => {
  for (const [, key, text] of page.matchAll(/data-t="([^"]+)"[^>]*>([^<]*)</gu)) assert.equal(text, english[key], key)
  for (const tag of page.match(/<[^>]*data-t-label="[^>]*>/gu)) {
    const [, label] = tag.match(/aria-label="([^"]*)"/u)
    assert.equal(label, english[tag.match(/data-t-label="([^"]*)"/u)[1]])
  }
})

test('no module makes HTML or code from text', () => {
  for (const path of modulesOf('/web/app.js')) {
    assert.doesNotMatch(read(path), /innerHTML|outerHTML|insertAdjacentHTML|setHTML|srcdoc|DOMParser|document\.write|\beval\(|new Function/u, path)
  }
})

test('files have 350 lines at most', () => {
  for (const name of readdirSync(folders['/web/'])) {
    assert.match(name, /^[a-z-]+\.(?:js|css|svg|html)$/u)
    const lines = readFileSync(join(folders['/web/'], name), 'utf8').split('\n').length - 1
    assert.ok(lines <= 350, `${name}: ${lines}`)
  }
})

test('the table of embedded files lists each file', () => {
  const swift = ['WebClient/WebClient.swift', 'StaticFiles/StaticFile.swift'].map(name => join(root, 'Sources/ChatSystemServer/Presentation', name))
    .filter(existsSync).map(name => readFileSync(name, 'utf8')).join('\n')
  const listed = [...swift.matchAll(/\("([a-z.-]+)", PackageResources\./gu)].map(match => match[1]).sort()
  assert.deepEqual(listed, readdirSync(folders['/web/']).sort())
})
