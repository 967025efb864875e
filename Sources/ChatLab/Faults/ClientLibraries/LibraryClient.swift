import ChatClient
import ChatLocalStack
import Foundation
import Synchronization

/// A process that reads and posts with a client library and a lasting store, and survives its own death: it is killed,
/// frozen and started again on the same folder. Several may share a store.
final class LibraryClient: Sendable {
    /// A client library, by the program that uses it.
    enum Language: String, CaseIterable, Sendable {
        case javaScript
        case swift

        /// The program and its first arguments.
        /// - Throws: `LocalStackError` if it is not there.
        fileprivate func command() throws -> (executable: String, arguments: [String]) {
            switch self {
            case .swift:
                return ("\(BuildFolder.current)/chat-lab", [LibraryClientProgram.name])
            case .javaScript:
                guard let node = ExecutableSearch.inPath("node") else {
                    throw LocalStackError("Node.js is not there: install the package nodejs")
                }
                // WebSocket is behind a flag before Node.js 22.
                return (
                    node,
                    ["--experimental-websocket", try Repository.path(of: "Clients/JavaScript/faults/fault-client.mjs")]
                )
            }
        }
    }

    /// A mistake that the client makes on purpose, for the self-proof.
    enum Mistake: String, CaseIterable, Codable, Sendable {
        case forgetsOutbox = "forgets-outbox"
        case movesPositionEarly = "moves-position-early"
        case keepsPositionApart = "keeps-position-apart"

        var summary: String {
            switch self {
            case .forgetsOutbox: "a client forgets what it has kept to send when it is killed"
            case .movesPositionEarly: "a client moves a named position before the event is dealt with"
            case .keepsPositionApart: "a client keeps its position before the event that it belongs to"
            }
        }

        /// The flaw that the check must find.
        var flaw: LibraryClientCheck.Flaw {
            switch self {
            case .forgetsOutbox: .lostPost
            case .movesPositionEarly: .namedMissing
            case .keepsPositionApart: .applied
            }
        }
    }

    /// The servers as a client library takes them.
    struct Servers: Sendable, Codable {
        var system: String
        var messages: String
        var sockets: String

        /// The same installation, whose store it is, with ports where nobody listens.
        var unreachable: Servers {
            Servers(system: system, messages: "http://127.0.0.1:1", sockets: "ws://127.0.0.1:1")
        }
    }

    /// The arguments of the client program, but for the servers: what it does in all its lives.
    struct Work: Codable, Sendable {
        var userId: Int
        /// Of the process, the same in all its lives; begins the names of its readers.
        var name: String
        /// The folder of the library's store.
        var store: String
        /// The rooms that it reads.
        var rooms: [String]
        /// Those of them that it reads under a name, too.
        var namedRooms: [String]
        /// Those of them into which it posts.
        var ownRooms: [String]
        /// Begins the keys of its posts, which are unique for ever.
        var keys: String
        /// The mean time from one post to the next.
        var paceMs: Int
        var mistake: Mistake?
    }

    /// The arguments of the client program, as JSON.
    struct Options: Codable {
        var servers: Servers
        var work: Work
    }

    private struct State {
        var process: LocalProcess?
        var starts = 0
        var kills = 0
    }

    let language: Language
    let work: Work
    private let folder: String
    private let state = Mutex(State())

    /// - Parameter folder: where it has a folder of its own.
    init(_ language: Language, work: Work, folder: String) {
        self.language = language
        self.work = work
        self.folder = "\(folder)/\(work.name)"
    }

    var name: String { work.name }

    /// Starts it on the folder that its last life left.
    func start(_ servers: Servers) throws {
        try PrivateFolder.create(folder, mode: 0o700)
        let process = try launch("run", servers, output: "\(folder)/client.log")
        state.withLock { state in
            state.process = process
            state.starts += 1
        }
    }

    /// Ends it at once.
    func kill() async throws {
        guard let process = state.withLock(\.process) else { return }
        process.kill()
        _ = try await process.waitForExit(timeout: .seconds(10))
        // A life that was killed before it could say that it had begun is none.
        let lives = progress.heard.count
        state.withLock { state in
            state.kills += 1
            state.starts = lives
        }
    }

    func pause() { state.withLock(\.process)?.pause() }

    func resume() { state.withLock(\.process)?.resume() }

    /// Has it post nothing new, or go on.
    /// - Throws: an error of the file system.
    func setPosting(_ isPosting: Bool) throws {
        let path = "\(folder)/\(Self.pauseFile)"
        guard isPosting else { return try Data().write(to: URL(fileURLWithPath: path)) }
        if FileManager.default.fileExists(atPath: path) { try FileManager.default.removeItem(atPath: path) }
    }

    /// While it is there nothing new is posted.
    static let pauseFile = "paused"

    /// Asks it to close its client and end.
    /// - Throws: `LocalStackError` if it had ended already, or with a failure.
    func stop() async throws {
        guard let process = state.withLock(\.process) else { return }
        let status = try await process.stop(timeout: .seconds(10))
        guard status == .exited(0) else { throw LocalStackError("\(name) \(status)\n" + tail) }
    }

    /// Ends it, whatever it does.
    func abandon() { state.withLock(\.process)?.kill() }

    /// What it wrote down until now, without its store.
    var progress: LibraryClientRecord {
        let (starts, kills) = state.withLock { ($0.starts, $0.kills) }
        return LibraryClientRecord(
            name: name, folder: folder, hearsFromNow: language == .swift, starts: starts, kills: kills)
    }

    /// Has the store shown without network, by a process of its own.
    func shownStore(_ servers: Servers) async throws -> LibraryClientRecord.Store {
        let output = "\(folder)/store.json"
        try? FileManager.default.removeItem(atPath: output)
        let process = try launch("show", servers.unreachable, output: output)
        guard try await process.waitForExit(timeout: .seconds(60)) == .exited(0) else {
            process.kill()
            throw LocalStackError("\(name) did not show its store:\n" + process.logTail(5).joined(separator: "\n"))
        }
        // Standard error is in the same file: the store is the last line.
        let text = String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self)
        let line = text.split(separator: "\n").last.map(String.init) ?? ""
        return try JSONDecoder().decode(LibraryClientRecord.Store.self, from: Data(line.utf8))
    }

    /// The last lines of its output.
    var tail: String { TextTail.lines(5, of: "\(folder)/client.log").joined(separator: "\n") }

    /// The last reports of its library that its store failed.
    var storeFailures: [String] {
        let lines = TextTail.lines(.max, of: "\(folder)/client.log")
        return lines.filter { $0.contains(ChatError.Code.storeFailed.rawValue) }.suffix(3)
    }

    private func launch(_ mode: String, _ servers: Servers, output: String) throws -> LocalProcess {
        let (executable, arguments) = try language.command()
        let options = Options(servers: servers, work: work)
        let json = String(decoding: try JSONEncoder().encode(options), as: UTF8.self)
        return try LocalProcess(
            .init(executable, arguments + [mode, folder, json], logFile: output, stopSignal: SIGTERM))
    }
}
