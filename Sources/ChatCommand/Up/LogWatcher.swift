import ChatLocalStack
import Foundation
import Synchronization

/// Shows what the servers write into their log files at level warning and above, as it is written (`inotify(7)`).
final class LogWatcher: Sendable {
    private struct Reader {
        let name: String
        let path: String
        /// How much of the file has been looked at.
        var offset: UInt64
        var unfinishedLine: [UInt8] = []
    }

    private let readers: Mutex<[Reader]>
    /// Dispatch objects may be used from any thread (dispatch(3)); their Swift types just do not say so.
    nonisolated(unsafe) private let source: any DispatchSourceRead
    private let queue = DispatchQueue(label: "log-watcher")

    /// Watches the files of these names, which go without their suffix `.log`; what is in them already is not shown.
    /// - Throws: `LocalStackError` if the folder cannot be watched.
    init(folder: String, names: [String]) throws {
        readers = Mutex(
            names.map { name in
                let path = "\(folder)/\(name).log"
                let size = try? FileManager.default.attributesOfItem(atPath: path)[.size] as? UInt64
                return Reader(name: name, path: path, offset: size ?? 0)
            })
        let descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        guard descriptor >= 0, inotify_add_watch(descriptor, folder, UInt32(IN_MODIFY)) >= 0 else {
            throw LocalStackError("Cannot watch \(folder) (errno \(errno))")
        }
        source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        source.setCancelHandler { close(descriptor) }
        source.setEventHandler { [weak self] in
            // Which file it was does not matter: the events are only read away.
            var events = [UInt8](repeating: 0, count: 16 * 1024)
            while read(descriptor, &events, events.count) > 0 {}
            self?.show()
        }
        source.activate()
    }

    /// Shows what is left and ends.
    func stop() {
        queue.sync { show() }
        source.cancel()
    }

    private func show() {
        readers.withLock { readers in
            for index in readers.indices {
                for line in Self.newLines(&readers[index]) {
                    guard let text = LogLine(line)?.warning else { continue }
                    Terminal.print("[\(readers[index].name)] \(text)")
                }
            }
        }
    }

    private static func newLines(_ reader: inout Reader) -> [String] {
        guard let file = FileHandle(forReadingAtPath: reader.path) else { return [] }
        defer { try? file.close() }
        guard (try? file.seek(toOffset: reader.offset)) != nil, let data = try? file.readToEnd() else { return [] }
        reader.offset += UInt64(data.count)
        let bytes = reader.unfinishedLine + data
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        reader.unfinishedLine = lines.popLast().map { Array($0) } ?? []
        return lines.map { String(decoding: $0, as: UTF8.self) }
    }
}
