// The modules of the web client that need no page.
const files = '../../Sources/ChatSystemServer/Presentation/WebClient/Files'

export const { linksIn, webAddress, mediaKind } = await import(`${files}/links.js`)
export const { parseMarkdown, parseInline, textOf, linksOf } = await import(`${files}/markdown.js`)
export const names = await import(`${files}/names.js`)
export const composing = await import(`${files}/composing.js`)
export const { parseRoute, routeTo } = await import(`${files}/route.js`)
export const { Heights } = await import(`${files}/heights.js`)
export const rows = await import(`${files}/rows.js`)
export const content = await import(`${files}/content.js`)
export const strings = await import(`${files}/strings.js`)
export const { english } = await import(`${files}/strings-en.js`)
export const { korean } = await import(`${files}/strings-ko.js`)
export const emoji = await import(`${files}/emoji.js`)
export const { SafeStorage, Preferences, Drafts } = await import(`${files}/preferences.js`)
export const { Session } = await import(`${files}/session.js`)
export const { CallError } = await import(`${files}/rest.js`)
export const { People, nameOf } = await import(`${files}/people.js`)
