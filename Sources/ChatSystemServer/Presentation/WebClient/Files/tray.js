// The tray above the text field: files to be sent, chosen, pasted or dropped, as cards. Each room has its own.

import { MOST_FILES, droppedFiles, messageTypeOf, pastedFiles, sizeText } from './attaching.js'
import { byId, element, icon, isolate, listen } from './dom.js'
import { fileIcon } from './file-view.js'
import { isolated, shownName } from './names.js'
import { language, t } from './strings.js'

export class Tray {
  #roomId = null
  #byRoom = new Map()

  /** `unsent`: the names of files that a reload would lose; `say(words)`: reports refused files; `changed()`. */
  constructor({ unsent, say, changed, signal }) {
    Object.assign(this, { unsent, say, changed })
    this.list = byId('tray')
    this.field = byId('choose-files')
    const section = byId('open-room'), area = byId('drop-area')
    const hasFiles = event => event.dataTransfer?.types.includes('Files') === true
    const over = event => {
      if (!hasFiles(event)) return
      // Without this the browser would open the file in place of the page.
      event.preventDefault()
      const isHere = this.#isOpen && section.contains(event.target)
      event.dataTransfer.dropEffect = isHere ? 'copy' : 'none'
      area.hidden = !isHere
    }
    listen(signal, [
      [byId('attach'), 'click', () => this.field.click()],
      [this.field, 'change', () => { this.add([...this.field.files]); this.field.value = '' }],
      [section, 'paste', event => {
        const files = this.#isOpen ? pastedFiles(event.clipboardData) : []
        if (files.length === 0) return
        event.preventDefault()
        this.add(files)
      }],
      [window, 'dragenter', over],
      [window, 'dragover', over],
      [window, 'dragleave', event => { if (event.relatedTarget === null) area.hidden = true }],
      [window, 'drop', event => {
        if (!hasFiles(event)) return
        event.preventDefault()
        area.hidden = true
        if (!this.#isOpen || !section.contains(event.target)) return
        const { files, hasFolders } = droppedFiles(event.dataTransfer)
        this.add(files)
        if (hasFolders) this.say(t('noFolders'))
      }],
    ])
    signal.addEventListener('abort', () => this.#clear())
  }

  /** Whether the user may write here. */
  get #isOpen() { return this.#roomId !== null && !byId('composer').hidden }

  get isEmpty() { return this.#items.every(item => item.trouble !== '') }
  /** How many wait, in all rooms. */
  get count() { return [...this.#byRoom.values()].flat().length }

  get #items() { return this.#byRoom.get(this.#roomId) ?? [] }

  /** Goes over to another room, or to none. */
  show(roomId) {
    this.#roomId = roomId
    this.render()
  }

  add(files) {
    if (byId('attach').hidden) return this.say(t('error_files_off'))
    const items = this.#items, free = MOST_FILES - items.length
    const added = files.slice(0, free).map(file => ({
      file, name: shownName(file.name, t('file')), url: messageTypeOf(file.type) === 'image' ? URL.createObjectURL(file) : '',
      trouble: file.size === 0 ? t('emptyFile') : '',
    }))
    if (added.length > 0) this.#set([...items, ...added])
    this.say(files.length > free ? t('tooManyFiles', MOST_FILES) : '')
    // On phones it would bring up the keyboard.
    if (matchMedia('(any-hover: hover)').matches) byId('text').focus()
  }

  /** Removes and returns the files that can be sent; the others stay, with the reason. */
  take() {
    const items = this.#items, good = items.filter(item => item.trouble === '')
    this.#set(items.filter(item => item.trouble !== ''))
    for (const { url } of good) if (url) URL.revokeObjectURL(url)
    return good
  }

  #remove(item) {
    const at = this.#items.indexOf(item)
    if (item.url) URL.revokeObjectURL(item.url)
    this.#set(this.#items.filter(each => each !== item))
    this.#focus(at)
  }

  #focus(at) {
    const buttons = this.list.querySelectorAll('button')
    if (buttons.length > 0) buttons[Math.min(at, buttons.length - 1)].focus()
    else byId('text').focus()
  }

  #set(items) {
    if (items.length > 0) this.#byRoom.set(this.#roomId, items)
    else this.#byRoom.delete(this.#roomId)
    this.unsent.set(this.#roomId, 'tray', items.map(({ name }) => name))
    this.render()
    this.changed()
  }

  #clear() {
    for (const { url } of [...this.#byRoom.values()].flat()) if (url) URL.revokeObjectURL(url)
    this.#byRoom.clear()
    this.#roomId = null
    this.list.replaceChildren()
    byId('tray-state').textContent = ''
  }

  render() {
    const items = this.#items, lost = this.#roomId === null ? [] : this.unsent.lost(this.#roomId)
    this.list.hidden = items.length + lost.length === 0
    this.list.replaceChildren(
      ...lost.length > 0 ? [this.#lostCard(lost)] : [], ...items.map(item => this.#card(item)))
    byId('tray-state').textContent = items.length > 0 ? t('filesChosen', items.length) : ''
  }

  #card(item) {
    const { file, name, url, trouble } = item
    const picture = url !== '' && element('img', {
      alt: '', src: url, draggable: false,
      onload: ({ target }) => Object.assign(item, { width: target.naturalWidth, height: target.naturalHeight }),
      onerror: ({ target }) => target.replaceWith(fileIcon(name)),
    })
    return element(
      'li', { className: trouble === '' ? '' : 'trouble' }, picture || fileIcon(name),
      element('span', { className: 'name', title: name }, isolate(name)),
      element('span', { className: trouble === '' ? 'size' : 'size error' }, trouble || sizeText(file.size, language)),
      removeButton(t('removeFile', isolated(name)), () => this.#remove(item)))
  }

  /** The card of files that a reload has lost. */
  #lostCard(names) {
    return element(
      'li', { className: 'trouble' }, element('span', { className: 'name' }, ...names.slice(0, 3).flatMap((name, index) => [index > 0 && ', ', isolate(name)]),
        names.length > 3 && ` +${names.length - 3}`),
      element('span', { className: 'size error' }, t('lostFiles')),
      removeButton(t('close'), () => { this.unsent.seen(this.#roomId); this.render(); this.#focus(0) }))
  }
}

const removeButton = (label, onclick) => element('button', {
  type: 'button', className: 'quiet square', title: label, aria: { label }, onclick,
}, icon('close'))
