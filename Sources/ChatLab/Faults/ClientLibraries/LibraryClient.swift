import ChatLocalStack
import Foundation
import Synchronization

/// A process that reads and posts with a client library and a lasting store, and survives its own death: it is killed,
/// frozen and started again on the same folder.
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

    /// The arguments of the client program, as JSON.
    struct Options: Codable {
        var servers: Servers
        var userId: Int
        /// The rooms that it reads.
        var rooms: [String]
        /// Those of them into which it posts.
        var ownRooms: [String]
        /// Begins the keys of its posts, which are unique for ever.
        var keys: String
        var paceMs: Int
        var mistake: Mistake?
    }

    private struct State {
        var process: LocalProcess?
        var kills = 0
    }

    let name: String
    let userID: Int
    let folder: String
    private let language: Language
    private let rooms: [String]
    private let ownRooms: [String]
    private let keys: String
    private let mistake: Mistake?
    private let state = Mutex(State())

    init(
        _ language: Language, userID: Int, rooms: [String], ownRooms: [String], keys: String, folder: String,
        mistake: Mistake? = nil
    ) {
        name = "\(language.rawValue)-\(userID)"
        self.language = language
        self.userID = userID
        self.rooms = rooms
        self.ownRooms = ownRooms
        self.keys = keys
        self.folder = "\(folder)/\(name)"
        self.mistake = mistake
    }

    /// Starts it on the folder that its last life left.
    /// - Parameters:
    ///   - servers: where it connects.
    ///   - pace: the mean time from one post to the next; nil for no posts.
    func start(_ servers: Servers, pace: Duration?) throws {
        try PrivateFolder.create(folder, mode: 0o700)
        let milliseconds = pace.map { Int($0 / .milliseconds(1)) } ?? 0
        let process = try launch("run", servers, paceMs: milliseconds, output: "\(folder)/client.log")
        state.withLock { $0.process = process }
    }

    /// Ends it at once.
    func kill() async throws {
        guard let process = state.withLock(\.process) else { return }
        process.kill()
        _ = try await process.waitForExit(timeout: .seconds(10))
        state.withLock { $0.kills += 1 }
    }

    func pause() { state.withLock(\.process)?.pause() }

    func resume() { state.withLock(\.process)?.resume() }

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
        LibraryClientRecord(
            name: name, folder: folder, hearsFromNow: language == .swift, kills: state.withLock(\.kills), store: .init()
        )
    }

    /// Reads what it wrote down, and has its store shown without network.
    func record(_ servers: Servers) async throws -> LibraryClientRecord {
        let output = "\(folder)/store.json"
        try? FileManager.default.removeItem(atPath: output)
        let process = try launch("show", servers.unreachable, paceMs: 0, output: output)
        guard try await process.waitForExit(timeout: .seconds(60)) == .exited(0) else {
            process.kill()
            throw LocalStackError("\(name) did not show its store:\n" + process.logTail(5).joined(separator: "\n"))
        }
        // Standard error is in the same file: the store is the last line.
        let text = String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self)
        let line = text.split(separator: "\n").last.map(String.init) ?? ""
        let store = try JSONDecoder().decode(LibraryClientRecord.Store.self, from: Data(line.utf8))
        return LibraryClientRecord(
            name: name, folder: folder, hearsFromNow: language == .swift, kills: state.withLock(\.kills), store: store)
    }

    /// The last lines of its output.
    var tail: String { TextTail.lines(5, of: "\(folder)/client.log").joined(separator: "\n") }

    private func launch(_ mode: String, _ servers: Servers, paceMs: Int, output: String) throws -> LocalProcess {
        let (executable, arguments) = try language.command()
        let options = Options(
            servers: servers, userId: userID, rooms: rooms, ownRooms: ownRooms, keys: keys, paceMs: paceMs,
            mistake: mistake)
        let json = String(decoding: try JSONEncoder().encode(options), as: UTF8.self)
        return try LocalProcess(
            .init(executable, arguments + [mode, folder, json], logFile: output, stopSignal: SIGTERM))
    }
}
