import AsyncHTTPClient
import ChatLocalStack
import CommonUtil
import Foundation
import NIOCore
import NIOHTTP1

/// The files of one run at its end: what the servers give, what the database has, and what is on disks.
struct StoredFiles: Sendable {
    /// What was there before the run.
    private let known: Set<String>
    private let stack: FaultStack
    /// The names of the run's files begin with it.
    private let prefix: String

    private static let pollInterval = Duration.milliseconds(250)
    private static let attempts = 4
    private static let answerTime = TimeAmount.seconds(30)
    /// Rows of one page, since what psql writes is read from its end.
    private static let rowsOfPage = 500

    static func begin(_ stack: FaultStack, prefix: String) async throws -> StoredFiles {
        StoredFiles(known: try await stack.storedObjects(), stack: stack, prefix: prefix)
    }

    private init(known: Set<String>, stack: FaultStack, prefix: String) {
        self.known = known
        self.stack = stack
        self.prefix = prefix
    }

    // MARK: What is removed later

    /// Has the servers remove at once what they would remove when uploads have been lost for a while, and waits until that is
    /// done. Nobody must upload any more.
    /// - Returns: what is wrong if it is not done in time.
    func settle(within time: Duration) async throws -> [String] {
        try await stack.primary.run(
            sql: """
                UPDATE file_uploads SET held_until = now() - interval '1 hour';
                UPDATE files SET remove_at = now() WHERE remove_at IS NOT NULL
                """)
        let deadline = ContinuousClock.now + time
        while true {
            let left = try await stack.primary.run(
                sql: """
                    SELECT (SELECT count(*) FROM file_uploads)
                        + (SELECT count(*) FROM files WHERE remove_at IS NOT NULL)
                    """)
            if left == "0", stack.spooledFiles().isEmpty { return [] }
            guard ContinuousClock.now < deadline else {
                return ["\(left) lost uploads and deleted files were not removed within \(time)"]
            }
            try await Task.sleep(for: Self.pollInterval)
        }
    }

    private func leftovers(_ rows: [History.FileRow]) async throws -> [String] {
        let objects = try await stack.storedObjects().subtracting(known).subtracting(rows.map(\.fileID))
        return objects.sorted().map { "\($0) is in the store, and has no row" }
            + stack.spooledFiles().map { "\($0) is in the spool" }
    }

    // MARK: Reading

    /// Reads every file that a client knows, that a message names or that has a row.
    func read(
        _ uploads: [History.Upload], _ logs: [String: [History.LogEntry]], losesFiles: Bool = false
    ) async throws -> History.Files {
        let rows = try await rows()
        let named = Set(logs.values.joined().compactMap(\.fileID))
        if losesFiles { try loseFiles(uploads, named: named) }
        let own = rows.filter { $0.mark.hasPrefix(prefix) }
        var readings: [String: History.FileReading] = [:]
        let ports = stack.processes.messageServers.map(\.port)
        let all = named.union(own.map(\.fileID)).union(uploads.compactMap(\.fileID))
        for (index, fileID) in all.sorted().enumerated() {
            readings[fileID] = try await read(fileID, from: ports[index % ports.count])
        }
        return History.Files(
            uploads: uploads, readings: readings, rows: own, leftovers: try await leftovers(rows))
    }

    /// Loses a file that a message names and one that none names.
    private func loseFiles(_ uploads: [History.Upload], named: Set<String>) throws {
        let kept = uploads.filter { $0.deletion == .none }.compactMap(\.fileID)
        let stored = kept.filter { FileManager.default.fileExists(atPath: stack.path(ofObject: $0)) }
        for isNamed in [true, false] {
            guard let lost = stored.first(where: { named.contains($0) == isNamed }) else { continue }
            try stack.loseObject(lost)
        }
    }

    private func rows() async throws -> [History.FileRow] {
        var rows: [History.FileRow] = []
        while true {
            let page = try await stack.primary.run(
                sql: """
                    SELECT file_id, name FROM files WHERE file_id > '\(rows.last?.fileID ?? "")'
                    ORDER BY file_id LIMIT \(Self.rowsOfPage)
                    """
            ).split(separator: "\n")
            rows += page.compactMap { line in
                let columns = line.split(separator: "|", maxSplits: 1)
                return columns.count == 2 ? .init(fileID: String(columns[0]), mark: String(columns[1])) : nil
            }
            if page.count < Self.rowsOfPage { return rows }
        }
    }

    /// Reads a file, again where it cannot be read right now.
    private func read(_ fileID: String, from port: Int) async throws -> History.FileReading {
        var backoff = Backoff(first: .milliseconds(100), longest: .seconds(1))
        var reading = History.FileReading.missing("not asked for")
        for attempt in 1...Self.attempts {
            var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/api/v1/files/\(fileID)")
            request.headers.add(name: "X-User-Id", value: "1")
            do {
                let response = try await HTTPClient.shared.execute(request, timeout: Self.answerTime)
                var hash = FileHash()
                for try await bytes in response.body { hash.update(bytes) }
                if response.status == .ok { return .bytes(sha256: hash.text) }
                reading = .missing("\(response.status.code)")
                guard response.status.code == 503 else { return reading }
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                reading = .missing("\(type(of: error))")
            }
            if attempt < Self.attempts { try await Task.sleep(for: backoff.next()) }
        }
        return reading
    }
}
