// With `tsc` and React's types as Debian has them (node-typescript, node-react).

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const PACKAGE = fileURLToPath(new URL('../..', import.meta.url))
const REACT = join(process.env.REACT ?? '/usr/share/nodejs', '@types/react/index.d.ts')
const missing = spawnSync('tsc', ['--version']).error ? 'no tsc' : !existsSync(REACT) ? 'no types of React' : false

/** What is wrong in the files of this package; React's own types lack others that Debian has not. */
async function errorsOf(files, lib) {
  const folder = await mkdtemp(join(tmpdir(), 'chat-types-'))
  const compilerOptions = {
    strict: true, noEmit: true, target: 'ES2022', module: 'NodeNext', moduleResolution: 'NodeNext', lib, types: [],
    baseUrl: '.', paths: { react: [REACT] }
  }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: files.map(file => join(PACKAGE, file)) }))
  const { stdout, status } = spawnSync('tsc', ['-p', folder, '--pretty', 'false'], { encoding: 'utf8', cwd: PACKAGE })
  await rm(folder, { recursive: true })
  const errors = stdout.split('\n').filter(line => line.includes('error TS') && !line.includes('@types/react/'))
  assert.ok(status === 0 || stdout.includes('error TS'), stdout)
  return errors
}

describe('the types', { skip: missing }, () => {
  it('fit every use, and refuse wrong ones', async () => {
    assert.deepEqual(await errorsOf(['test/types/uses.ts'], ['ES2022', 'DOM', 'DOM.Iterable']), [])
  })

  it('need no browser', async () => {
    assert.deepEqual(await errorsOf(['chat.d.ts', 'node.d.ts'], ['ES2022']), [])
  })
})
