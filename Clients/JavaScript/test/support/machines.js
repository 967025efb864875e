// How the cases' inputs reach the machines. An input's name is the method's.

import { Connection } from '../../src/core/connection.js'

export const machines = {
  connection(given) {
    const machine = new Connection(given)
    return {
      apply: (input, argument) => machine[input](argument),
      at: now => machine.timePassed(now),
      snapshot: () => ({
        state: machine.state, reason: machine.reason, transport: machine.transport, userId: machine.userId,
        retryAt: machine.retryAt, nextDeadline: machine.nextDeadline, isAsking: machine.isAsking,
      }),
    }
  },
}
