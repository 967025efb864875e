import ChatLocalStack
import ChatTestSupport
import Foundation
import Synchronization

@testable import ChatCommand

/// The built `chat` as a process of its own, with pipes at its three ends. What a test does not read is not taken from it.
final class ChatProgram: Sendable {
    /// How it ended: an exit code, or the signal that killed it.
    enum End: Equatable, Sendable {
        case code(Int32)
        case signal(Int32)
    }

    /// One end of a pipe that is read line by line.
    private actor LineReader {
        private let descriptor: Int32
        private let work = BlockingWork("pipe")
        private var bytes: [UInt8] = []
        private var isAtEnd = false

        init(_ descriptor: Int32) { self.descriptor = descriptor }

        deinit { Foundation.close(descriptor) }

        /// What a pipe holds.
        func unreadBytes() -> Int {
            var count: Int32 = 0
            return ioctl(descriptor, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
        }

        func next() async throws -> String? {
            while true {
                if let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
                    defer { bytes.removeFirst(end + 1) }
                    return String(decoding: bytes[..<end], as: UTF8.self)
                }
                guard !isAtEnd else { return nil }
                let chunk = try await work.run { [descriptor] in
                    var chunk = [UInt8](repeating: 0, count: 65_536)
                    let count = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
                    return Array(chunk.prefix(max(count, 0)))
                }
                isAtEnd = chunk.isEmpty
                bytes += chunk
            }
        }
    }

    private struct Running: @unchecked Sendable {
        // Used by one test at a time.
        let process: Process
    }

    private let running: Running
    private let input: Mutex<FileHandle?>
    private let output: Mutex<LineReader?>
    private let complaints: LineReader
    private let ends: AsyncStream<End>

    /// Starts it with a folder of its own, unless `folder` names one.
    init(
        _ arguments: [String], system: String, folder: String, token: String? = nil,
        environment: [String: String] = [:], input: Pipe = Pipe()
    ) throws {
        signal(SIGPIPE, SIG_IGN)
        let process = Process()
        process.executableURL = Self.executable
        process.arguments = arguments
        process.environment = Self.environment(system: system, folder: folder, token: token)
            .merging(environment) { $1 }
        let (output, complaints) = (Pipe(), Pipe())
        (process.standardInput, process.standardOutput, process.standardError) = (input, output, complaints)
        let (ends, ended) = AsyncStream.makeStream(of: End.self)
        process.terminationHandler = { process in
            let status = process.terminationStatus
            ended.yield(process.terminationReason == .exit ? .code(status) : .signal(status))
            ended.finish()
        }
        try process.run()
        running = Running(process: process)
        self.input = Mutex(input.fileHandleForWriting)
        self.output = Mutex(Self.reader(of: output))
        self.complaints = Self.reader(of: complaints)
        self.ends = ends
    }

    /// The only owner of the end that is read, so that it can be closed.
    private static func reader(of pipe: Pipe) -> LineReader {
        let descriptor = fcntl(pipe.fileHandleForReading.fileDescriptor, F_DUPFD_CLOEXEC, 0)
        try? pipe.fileHandleForReading.close()
        return LineReader(descriptor)
    }

    static var executable: URL { URL(fileURLWithPath: "\(BuildFolder.current)/chat") }

    /// This process's environment, with the variables of the client alone.
    static func environment(system: String, folder: String, token: String?) -> [String: String] {
        var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("CHAT_") }
        variables["CHAT_URL"] = system
        variables["CHAT_CLIENT_DIR"] = folder
        variables["CHAT_TOKEN"] = token
        return variables
    }

    deinit { if running.process.isRunning { kill(running.process.processIdentifier, SIGKILL) } }

    var processID: Int32 { running.process.processIdentifier }

    /// The next line of standard output; `nil` at its end.
    func line() async throws -> String? { try await output.withLock { $0 }?.next() }

    /// All that is left of standard output.
    func lines() async throws -> [String] {
        var lines: [String] = []
        while let line = try await line() { lines.append(line) }
        return lines
    }

    /// Reads standard error up to a line that contains `text`.
    func waitForComplaint(_ text: String) async throws {
        while let line = try await complaints.next() {
            if line.contains(text) { return }
        }
        throw LocalStackError("the program did not say '\(text)'")
    }

    /// How many bytes of standard output nobody has read.
    func unreadBytes() async -> Int { await output.withLock { $0 }?.unreadBytes() ?? 0 }

    /// All that is left of standard error.
    func allComplaints() async throws -> [String] {
        var lines: [String] = []
        while let line = try await complaints.next() { lines.append(line) }
        return lines
    }

    func write(_ text: String) throws {
        try input.withLock { try $0?.write(contentsOf: Data(text.utf8)) }
    }

    func closeInput() {
        input.withLock { input in
            try? input?.close()
            input = nil
        }
    }

    /// Whoever reads the output goes.
    func closeOutput() { output.withLock { $0 = nil } }

    func send(signal: Int32) { kill(processID, signal) }

    /// Waits until it has ended.
    func end() async -> End {
        for await end in ends { return end }
        return .code(-1)
    }
}

/// A stack, a user and a folder of a client for one test.
struct ChatProgramPlace: Sendable {
    let stack: SharedStack
    let user: TestUser
    let folder: String

    /// Runs a test, and removes the folder behind it.
    static func with(
        _ body: (ChatProgramPlace) async throws -> Void
    ) async throws {
        let stack = try await SharedStack.running()
        let folder = try PrivateFolder.temporary(prefix: "chat-client-test")
        defer { PrivateFolder.remove(folder) }
        try await body(ChatProgramPlace(stack: stack, user: try await stack.user(), folder: folder))
    }

    /// Starts `chat` with the user's token.
    func chat(_ arguments: String..., url: String? = nil, input: Pipe = Pipe()) throws -> ChatProgram {
        try ChatProgram(
            arguments, system: url ?? stack.processes.systemServer.url, folder: folder, token: user.token, input: input)
    }

    /// Starts `chat` without a token.
    func chatWithoutToken(_ arguments: String..., environment: [String: String] = [:]) throws -> ChatProgram {
        try ChatProgram(
            arguments, system: stack.processes.systemServer.url, folder: folder, environment: environment)
    }
}
