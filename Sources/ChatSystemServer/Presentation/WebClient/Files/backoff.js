/** Growing pauses, half of each left to chance, so that many clients do not come back at the same moment. */
export class Backoff {
  #attempts = 0

  constructor({ firstMs = 500, mostMs = 30_000, random = Math.random } = {}) {
    this.firstMs = firstMs
    this.mostMs = mostMs
    this.random = random
  }

  next() {
    const whole = Math.min(this.mostMs, this.firstMs * 2 ** this.#attempts)
    this.#attempts = Math.min(this.#attempts + 1, 30)
    return whole / 2 + this.random() * whole / 2
  }

  reset() { this.#attempts = 0 }
}
