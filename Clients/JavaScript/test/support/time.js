// Timers and `Date` that the test moves. (Those of Node 20's runner lose a timer when one that has fired is cleared.)

const real = { setTimeout, setInterval, clearTimeout, clearInterval, setImmediate, Date }
const MOST_TURNS = 12

/** Numbers as of `Math.random`, the same for the same seed (mulberry32). */
export const generator = seed => () => {
  seed = (seed + 0x6D2B79F5) | 0
  let value = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
  return ((value ^ (value >>> 14)) >>> 0) / 4294967296
}

/**
 * `await time.advance(ms)` fires due timers in order; `await time.jump(ms)` simulates sleep: all are due at once.
 * `Math.random` repeats itself, too: random pauses would be another test in each run.
 */
export function fakeTime(t, seed = 1) {
  let now = real.Date.now(), made = 0
  const timers = new Map()
  const add = (callback, ms = 0, values, interval) => {
    const id = ++made
    timers.set(id, { at: now + Math.max(Number(ms) || 0, 1), callback, values, interval })
    return { id, ref() {}, unref() {}, [Symbol.toPrimitive]: () => id }
  }
  const remove = timer => { if (timer !== undefined && timer !== null) timers.delete(timer.id) }
  Object.assign(globalThis, {
    setTimeout: (callback, ms, ...values) => add(callback, ms, values),
    setInterval: (callback, ms, ...values) => add(callback, ms, values, Math.max(ms, 1)),
    clearTimeout: remove, clearInterval: remove,
    Date: class extends real.Date {
      constructor(...values) { if (values.length === 0) super(now); else super(...values) }
      static now() { return now }
    },
  })
  const { random } = Math
  Math.random = generator(seed)
  t.after(() => { Object.assign(globalThis, real); Math.random = random })
  const settle = async () => { for (let turn = 0; turn < MOST_TURNS; turn += 1) await new Promise(real.setImmediate) }
  const fire = async until => {
    for (;;) {
      const [id, timer] = [...timers].reduce((first, entry) => (!first || entry[1].at < first[1].at ? entry : first), undefined) ?? []
      if (!timer || timer.at > until) return
      now = Math.max(now, timer.at)
      if (timer.interval) timer.at = now + timer.interval
      else timers.delete(id)
      timer.callback(...timer.values)
      await settle()
    }
  }
  return {
    settle,
    timers,
    async advance(ms) {
      await settle()
      const end = now + ms
      await fire(end)
      now = end
      await settle()
    },
    async jump(ms) {
      now += ms
      const late = now
      for (const timer of timers.values()) timer.at = Math.max(timer.at, late)
      await fire(late)
      await settle()
    },
  }
}
