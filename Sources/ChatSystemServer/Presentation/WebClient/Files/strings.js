// The words of the interface in the language of the browser or as chosen. Elements of the page name theirs by `data-t`
// (text), `data-t-label` (aria-label and title) and `data-t-placeholder`.

import { english } from './strings-en.js'
import { korean } from './strings-ko.js'

const tables = { en: english, ko: korean }
let table = english
export let language = 'en'

/** 'en' or 'ko': the choice, else the first language of the browser that there is. */
export function pickLanguage(choice, preferred = []) {
  if (Object.hasOwn(tables, choice)) return choice
  const found = preferred.map(tag => String(tag).toLowerCase().split('-')[0]).find(tag => Object.hasOwn(tables, tag))
  return found ?? 'en'
}

export function setLanguage(name) {
  language = name
  table = tables[name]
  formats.clear()
}

/** The text for a key; texts with a number or a name in them are functions. */
export function t(key, ...values) {
  const entry = table[key] ?? english[key]
  return typeof entry === 'function' ? entry(...values) : entry ?? key
}

/** Puts the words into the elements of the page. */
export function translate(root) {
  root.documentElement.lang = language
  for (const node of root.querySelectorAll('[data-t]')) node.textContent = t(node.dataset.t)
  for (const node of root.querySelectorAll('[data-t-placeholder]')) node.placeholder = t(node.dataset.tPlaceholder)
  for (const node of root.querySelectorAll('[data-t-label]')) {
    node.setAttribute('aria-label', t(node.dataset.tLabel))
    if (node.tagName === 'BUTTON') node.title = t(node.dataset.tLabel)
  }
}

const formats = new Map()
const STYLES = {
  time: { hour: 'numeric', minute: '2-digit' },
  day: { weekday: 'long', day: 'numeric', month: 'long' },
  date: { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' },
  short: { day: 'numeric', month: 'short' },
  full: { dateStyle: 'full', timeStyle: 'short' },
}

/** A time in words of the chosen language. */
export function formatted(style, at) {
  if (!formats.has(style)) formats.set(style, new Intl.DateTimeFormat(language, STYLES[style]))
  return formats.get(style).format(at)
}

/** "Today", "Yesterday", or the day. */
export function dayName(at, now = Date.now()) {
  const midnight = new Date(now).setHours(0, 0, 0, 0)
  if (at >= midnight) return t('today')
  if (at >= new Date(midnight - 1).setHours(0, 0, 0, 0)) return t('yesterday')
  return formatted(new Date(at).getFullYear() === new Date(now).getFullYear() ? 'day' : 'date', at)
}

/** The time of today, else the day: for lists. */
export function shortTime(at, now = Date.now()) {
  return formatted(at >= new Date(now).setHours(0, 0, 0, 0) ? 'time' : 'short', at)
}

/** The text for an error: by its code if there is one, otherwise the message of the server. */
export function errorText(error) {
  const key = `error_${error?.code ?? ''}`
  if (Object.hasOwn(english, key)) return t(key)
  if (error?.isTemporary || error?.status === 0) return t('error_network')
  return String(error?.detail ?? error?.message ?? t('error_network'))
}
