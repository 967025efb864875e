import type { ChatStorage, LockOptions, Signal } from './chat.js'

/** A storage in a folder, for any number of processes; only its user can read it. */
export class FileStorage implements ChatStorage {
  constructor(folder: string)
  readonly folder: string
  readonly isLasting: true
  get(key: string): Promise<string | undefined>
  set(key: string, value: string): Promise<void>
  delete(key: string): Promise<void>
  keys(prefix?: string): Promise<string[]>
  write(changes: Iterable<readonly [key: string, value: string | undefined]>, options?: { lost?: Signal }): Promise<void>
  exclusively<Result>(
    name: string, work: (lost: Signal) => Result | Promise<Result>, options?: LockOptions
  ): Promise<Result | undefined>
}
