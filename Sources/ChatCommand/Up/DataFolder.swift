import ChatLocalStack
import Foundation

/// The ports of the private engines, kept in the data folder so that they stay the same from one start to the next.
struct KeptPorts: Codable, Equatable {
    var postgres: Int
    var redis: Int

    /// The kept ports, those that are not free meanwhile replaced, and kept again.
    static func choose(in folder: String) throws -> KeptPorts {
        let kept = kept(in: folder)
        func choose(_ port: Int?) throws -> Int {
            if let port, (1024...65_535).contains(port), FreePort.isFree(port) { return port }
            return try FreePort.next()
        }
        let ports = try KeptPorts(postgres: choose(kept?.postgres), redis: choose(kept?.redis))
        if ports != kept { try JSONEncoder().encode(ports).write(to: file(in: folder), options: .atomic) }
        return ports
    }

    /// The URL of the database that `chat up` has made in a data folder; `nil` if there is none.
    static func databaseURL(in folder: String) -> String? {
        kept(in: folder).flatMap { LocalPostgres.url(ofFolder: "\(folder)/\(postgresFolder)", port: $0.postgres) }
    }

    /// The folder of PostgreSQL below the data folder.
    static let postgresFolder = "postgres"

    private static func file(in folder: String) -> URL { URL(fileURLWithPath: "\(folder)/ports.json") }

    private static func kept(in folder: String) -> KeptPorts? {
        (try? Data(contentsOf: file(in: folder))).flatMap { try? JSONDecoder().decode(KeptPorts.self, from: $0) }
    }
}

/// One `chat up` per data folder: an advisory lock (`flock(2)`), which the kernel lets go when the process ends.
final class FolderLock: Sendable {
    private let descriptor: Int32

    /// - Throws: `LocalStackError` if another process has the folder.
    init(_ folder: String) throws {
        let path = "\(folder)/up.lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw LocalStackError("Cannot open \(path) (errno \(errno))") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw LocalStackError("Another `chat up` runs on \(folder). Stop it, or choose another --data-dir.")
        }
    }

    deinit {
        close(descriptor)
    }
}
