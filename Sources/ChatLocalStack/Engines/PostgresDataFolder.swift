import Foundation

/// A PostgreSQL data folder seen from outside.
struct PostgresDataFolder: Sendable {
    /// The contents of `postmaster.pid` (`src/include/utils/pidfile.h` in PostgreSQL's sources): the pid in the first line,
    /// key and number of its shared memory in the seventh, the state in the eighth.
    struct Postmaster {
        let pid: pid_t
        let sharedMemory: Int?
        let isReady: Bool
    }

    let path: String

    // Written last: an initialization that was cut short is done again from the start.
    private var mark: String { "\(path)/chat-initialized" }

    var isInitialized: Bool { FileManager.default.fileExists(atPath: mark) }

    func markInitialized() throws {
        try Data().write(to: URL(fileURLWithPath: mark))
    }

    /// Removes what a broken initialization left; the folder itself stays, and with it its owner.
    func clear() throws {
        for entry in try FileManager.default.contentsOfDirectory(atPath: path) {
            try FileManager.default.removeItem(atPath: "\(path)/\(entry)")
        }
    }

    /// Replaces `pg_hba.conf`: one role, from the loopback address only.
    func writeAccessRules(role: String, method: String, isReplicated: Bool) throws {
        let databases = ["all"] + (isReplicated ? ["replication"] : [])
        let rules = databases.map { "host \($0) \(role) 127.0.0.1/32 \(method)\n" }
        try change("pg_hba.conf") { file in
            try file.truncate(atOffset: 0)
            try file.write(contentsOf: Data(rules.joined().utf8))
        }
    }

    /// Appends a setting, which overrides all others of its files. The server reads it on SIGHUP.
    func appendSetting(_ name: String, _ value: String) throws {
        try change("postgresql.auto.conf") { file in
            try file.seekToEnd()
            try file.write(contentsOf: Data("\(name) = '\(value)'\n".utf8))
        }
    }

    /// Files are changed in place, since they belong to the user that runs PostgreSQL.
    private func change(_ name: String, _ body: (FileHandle) throws -> Void) throws {
        guard let file = FileHandle(forWritingAtPath: "\(path)/\(name)") else {
            throw LocalStackError("Cannot write \(path)/\(name)")
        }
        try body(file)
        try file.close()
    }

    /// The server that has, or had, this folder; nil if it was stopped gracefully.
    var postmaster: Postmaster? {
        guard let text = try? String(contentsOfFile: "\(path)/postmaster.pid", encoding: .utf8) else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let first = lines.first, let pid = pid_t(first) else { return nil }
        return Postmaster(
            pid: pid,
            sharedMemory: lines.count > 6 ? lines[6].split(separator: " ").last.flatMap { Int($0) } : nil,
            isReady: lines.count > 7 && ["ready", "standby"].contains(where: lines[7].hasPrefix))
    }

    /// Waits for a server that is just being stopped, such as that of a `chat up` that was killed a moment ago, and
    /// for the sessions that outlive a killed one by a moment: PostgreSQL refuses to start beside them. A pid file
    /// left by a crash is PostgreSQL's own business.
    /// - Throws: `LocalStackError` if one still runs on this folder after `timeout`.
    func waitUntilUnused(timeout: Duration) async throws {
        let deadline = ContinuousClock.now + timeout
        while let postmaster, isPostgres(postmaster.pid) || isAttached(postmaster.sharedMemory) {
            let pid = postmaster.pid
            guard ContinuousClock.now < deadline else {
                throw LocalStackError(
                    "A PostgreSQL server (pid \(pid)) already runs on \(path). Stop it first: kill -INT \(pid)")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    private func isPostgres(_ pid: pid_t) -> Bool {
        let name = try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8)
        return name?.hasPrefix("postgres") ?? false
    }

    /// Whether any process has the shared memory segment (`proc(5)`, `/proc/sysvipc`; columns `shmid` and `nattch`).
    private func isAttached(_ segment: Int?) -> Bool {
        guard let segment, let table = try? String(contentsOfFile: "/proc/sysvipc/shm", encoding: .utf8) else {
            return false
        }
        return table.split(separator: "\n").dropFirst().contains { row in
            let columns = row.split(separator: " ").map { Int($0) ?? 0 }
            return columns.count > 6 && columns[1] == segment && columns[6] > 0
        }
    }
}
