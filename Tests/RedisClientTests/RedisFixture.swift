import Foundation
import Synchronization

/// A `redis-server` of this test's own: on a free loopback port, in a temporary folder, without persistence.
final class RedisFixture: Sendable {
    struct StartFailed: Error {
        let output: String
    }

    let port: Int
    let folder: URL
    private let arguments: [String]
    private let process = Mutex<Process?>(nil)

    /// `extra` makes further arguments from the port and the folder.
    init(_ extra: (_ port: Int, _ folder: URL) throws -> [String] = { port, _ in ["--port", "\(port)"] }) async throws {
        port = try Self.freePort()
        folder = FileManager.default.temporaryDirectory.appending(path: "redis-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        arguments =
            ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder.path, "--logfile", ""]
            + (try extra(port, folder))
        try await start()
    }

    deinit {
        process.withLock { Self.kill($0) }
        try? FileManager.default.removeItem(at: folder)
    }

    /// Returns when the server accepts connections.
    func start() async throws {
        let process = Process()
        process.executableURL = try Self.executable(in: folder)
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        self.process.withLock { $0 = process }
        try await Self.untilReady(output.fileHandleForReading)
    }

    func stop() {
        process.withLock { process in
            Self.kill(process)
            process = nil
        }
    }

    /// From now on the server accepts connections and never answers.
    func suspend() {
        signal(SIGSTOP)
    }

    /// Ends ``suspend()``.
    func resume() {
        signal(SIGCONT)
    }

    private func signal(_ signal: Int32) {
        process.withLock { process in
            guard let process else { return }
            _ = Foundation.kill(process.processIdentifier, signal)
        }
    }

    private static func kill(_ process: Process?) {
        guard let process, process.isRunning else { return }
        _ = Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    private static func untilReady(_ handle: FileHandle) async throws {
        let output = Mutex("")
        let ready = AsyncStream<Bool> { stream in
            // Keeps draining after that, so that the server never blocks on its log.
            handle.readabilityHandler = { handle in
                let data = handle.availableData
                if data.isEmpty {
                    handle.readabilityHandler = nil
                    stream.yield(false)
                }
                let isReady = output.withLock { output in
                    output += String(decoding: data, as: UTF8.self)
                    return output.contains("Ready to accept connections")
                }
                if isReady { stream.yield(true) }
            }
        }
        for await isReady in ready {
            if isReady { return }
            throw StartFailed(output: output.withLock { $0 })
        }
    }

    /// Debian's redis-tools holds the server too: the binary looks at the name it is run under.
    private static func executable(in folder: URL) throws -> URL {
        let server = "/usr/bin/redis-server"
        if FileManager.default.isExecutableFile(atPath: server) { return URL(filePath: server) }
        let link = folder.appending(path: "redis-server")
        if !FileManager.default.fileExists(atPath: link.path) {
            try FileManager.default.createSymbolicLink(
                at: link, withDestinationURL: URL(filePath: "/usr/bin/redis-check-rdb"))
        }
        return link
    }

    private static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, length) == 0 ? getsockname(descriptor, pointer, &length) : -1
            }
        }
        guard result == 0 else { throw StartFailed(output: "no free port") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
