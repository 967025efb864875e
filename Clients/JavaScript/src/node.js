export { FileStorage } from './storage/file-storage.js'
