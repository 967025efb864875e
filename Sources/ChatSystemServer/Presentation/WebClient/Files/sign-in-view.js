// Signing in, and making an account.

import { attempt, byId, listen } from './dom.js'
import { errorText, t } from './strings.js'

export class SignInView {
  #isNew = false

  /** `signIn({username, password, displayName, isNew})` throws if it is refused. */
  constructor({ signIn, preferences }) {
    this.preferences = preferences
    listen(undefined, [
      [byId('sign-in-form'), 'submit', async event => {
        event.preventDefault()
        await attempt(byId('sign-in-error'), byId('sign-in-button'), () => signIn({
          username: byId('username').value.trim(), password: byId('password').value,
          displayName: byId('display-name').value.trim(), isNew: this.#isNew,
        }), errorText)
      }],
      [byId('sign-in-other'), 'click', () => { this.#isNew = !this.#isNew; this.render() }],
      [byId('sign-in-language'), 'change', () => preferences.set('language', byId('sign-in-language').value)],
    ])
  }

  open(notice = '') {
    byId('sign-in').hidden = false
    byId('splash').hidden = true
    this.#isNew = false
    byId('password').value = ''
    byId('sign-in-error').textContent = notice
    byId('sign-in-language').value = this.preferences.get('language')
    this.render()
    byId('username').focus()
  }

  close() {
    byId('sign-in').hidden = true
    byId('password').value = ''
  }

  render() {
    byId('display-name-field').hidden = byId('sign-in-hint').hidden = !this.#isNew
    byId('sign-in-hint').textContent = `${t('username')}: ${t('usernameHint')}. ${t('password')}: ${t('passwordHint')}.`
    byId('password').autocomplete = this.#isNew ? 'new-password' : 'current-password'
    byId('sign-in-button').textContent = t(this.#isNew ? 'createAccount' : 'signIn')
    byId('sign-in-other').textContent = t(this.#isNew ? 'haveAccount' : 'createAccount')
  }
}
