import { mock } from 'node:test'

const { setImmediate } = globalThis

/** Timers and `Date` that the test moves: `await time.advance(ms)`. */
export function fakeTime(t) {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: Date.now() })
  t.after(() => mock.timers.reset())
  const settle = async () => { for (let turn = 0; turn < 12; turn += 1) await new Promise(setImmediate) }
  return {
    settle,
    async advance(ms, step = 250) {
      await settle()
      for (let passed = 0; passed < ms;) {
        const next = Math.min(step, ms - passed)
        mock.timers.tick(next)
        passed += next
        await settle()
      }
    },
    /** The process slept: all at once. */
    async jump(ms) {
      mock.timers.setTime(Date.now() + ms)
      await settle()
    },
  }
}
