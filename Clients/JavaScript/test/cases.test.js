// Runs Clients/Cases/*.json, which hold for every client library, on the machines of this one.

import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import test from 'node:test'
import { machines } from './support/machines.js'

const folder = new URL('../../Cases/', import.meta.url)

for (const file of readdirSync(folder).filter(name => name.endsWith('.json') && name !== 'case.schema.json')) {
  const kind = file.replace('.json', '')
  for (const { name, given = {}, steps } of JSON.parse(readFileSync(new URL(file, folder), 'utf8'))) {
    test(`${kind}: ${name}`, { skip: machines[kind] ? false : 'no such machine' }, () => {
      const random = given.random ?? [0.5]
      let used = 0
      const machine = machines[kind]({ ...given, random: () => random[used++ % random.length] })
      let actions = []
      steps.forEach((step, index) => {
        const at = `step ${index + 1}: ${JSON.stringify(step)}`
        const [[what, value]] = Object.entries(step)
        if (what === 'out') {
          assert.deepEqual(JSON.parse(JSON.stringify(actions)), value, at)
          actions = []
        } else if (what === 'state') assertSubset(JSON.parse(JSON.stringify(machine.snapshot())), value, at)
        else if (what === 'at') actions.push(...machine.at(value))
        else {
          const [[input, argument]] = Object.entries(value)
          actions.push(...(machine.apply(input, argument) ?? []))
        }
      })
    })
  }
}

function assertSubset(actual, expected, at) {
  if (Array.isArray(expected)) {
    assert.ok(Array.isArray(actual) && actual.length === expected.length, `${at}: ${JSON.stringify(actual)}`)
    expected.forEach((item, index) => assertSubset(actual[index], item, at))
  } else if (expected !== null && typeof expected === 'object') {
    assert.ok(actual !== null && typeof actual === 'object', `${at}: ${JSON.stringify(actual)}`)
    for (const key of Object.keys(expected)) assertSubset(actual[key] ?? null, expected[key], `${at} (${key})`)
  } else assert.deepEqual(actual, expected, at)
}
