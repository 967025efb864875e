// Signing in and making an account.

import { attempt, byId } from './dom.js'

export class SignInView {
  #isNew = false

  /** `done()` is called when somebody is signed in. */
  constructor(session, done) {
    Object.assign(this, { session, done })
    this.username = byId('username')
    this.password = byId('password')
    this.error = byId('sign-in-error')
    byId('sign-in-form').addEventListener('submit', event => { event.preventDefault(); this.#submit() })
    byId('sign-in-other').addEventListener('click', () => { this.#isNew = !this.#isNew; this.#showKind() })
  }

  show(notice = '') {
    byId('sign-in').hidden = false
    this.error.textContent = notice
    this.username.focus()
  }

  #showKind() {
    this.error.textContent = ''
    byId('display-name-field').hidden = !this.#isNew
    byId('sign-in-button').textContent = this.#isNew ? 'Create account' : 'Sign in'
    byId('sign-in-other').textContent = this.#isNew ? 'I have an account' : 'Create an account'
    // Password managers offer to make one up.
    this.password.autocomplete = this.#isNew ? 'new-password' : 'current-password'
  }

  async #submit() {
    const username = this.username.value.trim(), password = this.password.value
    await attempt(this.error, byId('sign-in-button'), async () => {
      if (this.#isNew) {
        await this.session.register(username, password, byId('display-name').value.trim())
        // The account is there now, whatever becomes of the login.
        this.#isNew = false
        this.#showKind()
      }
      await this.session.logIn(username, password)
      this.password.value = ''
      byId('sign-in').hidden = true
      this.done()
    })
  }
}
