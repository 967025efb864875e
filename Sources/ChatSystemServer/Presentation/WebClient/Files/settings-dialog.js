// The settings of the user: name, password, who may add them, language, theme, previews and notifications.

import { attempt, byId, listen } from './dom.js'
import { errorText, t } from './strings.js'

export class SettingsDialog {
  /** `signOut()`; `renamed(user)`. */
  constructor({ api, preferences, signOut, renamed, signal }) {
    Object.assign(this, { api, preferences, renamed })
    this.dialog = byId('settings-dialog')
    this.error = byId('settings-error')
    const choice = (id, name) => [byId(id), 'change', () => preferences.set(name, byId(id).type === 'checkbox' ? byId(id).checked : byId(id).value)]
    listen(signal, [
      [byId('open-settings'), 'click', () => this.open()],
      [byId('profile-form'), 'submit', event => { event.preventDefault(); this.#save({ displayName: byId('my-name').value.trim() }) }],
      [byId('who-may-add'), 'change', () => this.#save({ whoMayAdd: byId('who-may-add').value })],
      choice('pick-language', 'language'), choice('pick-theme', 'theme'), choice('pick-previews', 'previews'),
      [byId('pick-notifications'), 'change', () => this.#allowNotifications()],
      [byId('password-form'), 'submit', event => { event.preventDefault(); this.#changePassword() }],
      [byId('sign-out'), 'click', () => this.#do(byId('sign-out'), signOut, '')],
      [this.dialog.querySelector('.close'), 'click', () => this.dialog.close()],
    ])
  }

  async open() {
    const { preferences } = this
    for (const [id, name] of [['pick-language', 'language'], ['pick-theme', 'theme']]) byId(id).value = preferences.get(name)
    byId('pick-previews').checked = preferences.get('previews')
    byId('pick-notifications').checked = preferences.get('notifications') && globalThis.Notification?.permission === 'granted'
    this.error.textContent = byId('settings-done').textContent = ''
    byId('current-password').value = byId('new-password').value = ''
    this.dialog.showModal()
    await attempt(this.error, null, async () => {
      const me = await this.api.me()
      byId('my-name').value = me.displayName
      byId('who-may-add').value = me.whoMayAdd
    }, errorText)
  }

  async #save(values) {
    await this.#do(byId('save-name'), async () => this.renamed(await this.api.changeMe(values)), t('saved'))
  }

  async #changePassword() {
    const current = byId('current-password'), next = byId('new-password')
    await this.#do(byId('change-password'), async () => {
      await this.api.changePassword(current.value, next.value)
      current.value = next.value = ''
    }, t('passwordChanged'))
  }

  async #allowNotifications() {
    const field = byId('pick-notifications')
    // Asked for by a click, and only then: browsers refuse it otherwise.
    if (field.checked && await globalThis.Notification?.requestPermission?.() !== 'granted') {
      field.checked = false
      this.error.textContent = t('notificationsBlocked')
    }
    this.preferences.set('notifications', field.checked)
  }

  async #do(button, act, words) {
    byId('settings-done').textContent = ''
    if (await attempt(this.error, button, act, errorText)) byId('settings-done').textContent = words
  }
}
