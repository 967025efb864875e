// Keys as names of files, and back: for any file system, also one that folds upper and lower case.

/** File systems allow 255 bytes a name. */
const LONGEST = 200
const FOLDER_END = '~'
const FILE_END = '.json'

/** The path of a key below the folder of the values: long ones go down into folders. */
export function pathOf(key) {
  let rest = encode(key)
  let folders = ''
  while (rest.length > LONGEST) {
    folders += rest.slice(0, LONGEST) + FOLDER_END + '/'
    rest = rest.slice(LONGEST)
  }
  return folders + rest + FILE_END
}

/** The key of such a path; `undefined` for any other file. */
export function keyOf(path) {
  if (!path.endsWith(FILE_END)) return undefined
  const encoded = path.slice(0, -FILE_END.length).replaceAll(FOLDER_END + '/', '')
  try {
    const key = decodeURIComponent(encoded)
    return encode(key) === encoded ? key : undefined
  } catch {
    return undefined
  }
}

/** Whether a folder can hold keys. */
export const isFolderOfKeys = name => name.endsWith(FOLDER_END)

/** `a–z 0–9 . _ -` unchanged, everything else as percent-encoded bytes. */
export function encode(text) {
  return Array.from(Buffer.from(text, 'utf8'), byte => {
    const character = String.fromCharCode(byte)
    return /[a-z0-9._-]/.test(character) ? character : '%' + byte.toString(16).padStart(2, '0')
  }).join('')
}
