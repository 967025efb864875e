// A process of its own for file-storage.test.js: does a task on a folder, and prints a line for each thing done.

import { FileStorage } from '../../src/node.js'

const [folder, task, name] = process.argv.slice(2)
const storage = new FileStorage(folder ?? '')
const say = line => process.stdout.write(line + '\n')

const tasks = {
  /** One number further each time, in three values that belong together. */
  async count() {
    for (;;) {
      try {
        const number = await storage.exclusively('step', async lost => {
          const next = Number(await storage.get('count/a') ?? 0) + 1
          await storage.write(['a', 'b', 'c'].map(key => [`count/${key}`, String(next)]), { lost })
          return next
        })
        say(`${number}`)
      } catch (error) {
        if (error.name !== 'LockLost') throw error
      }
    }
  },

  /** Holds the lock until a line comes in, then writes. */
  async hold() {
    await storage.exclusively('step', async lost => {
      say('held')
      await new Promise(resolve => process.stdin.once('data', resolve))
      await storage.write([['value', name], ['other', name]], { lost })
    }).then(() => say('written'), error => say(error.name))
    process.exit()
  }
}

// Nothing when it is run as a test.
await tasks[task]?.()
