import Foundation

/// Settings of a running server, and a second server that follows it (PostgreSQL manual, chapter 27).
extension LocalPostgres {
    private var data: PostgresDataFolder { PostgresDataFolder(path: "\(configuration.folder)/data") }

    /// Makes a setting on the running server, as a superuser's `ALTER SYSTEM` and `pg_reload_conf()` do.
    public func reload(_ name: String, _ value: String) throws {
        try data.appendSetting(name, value)
        process?.terminate(signal: SIGHUP)
    }

    /// Refuses writes from now on, in sessions that are open, too, as a primary that is demoted does; or takes them again.
    public func setReadOnly(_ isReadOnly: Bool) throws {
        try reload("default_transaction_read_only", isReadOnly ? "on" : "off")
    }

    /// Copies this running server, which has to be `isReplicated`, and starts the copy as its hot standby.
    public func makeStandby(folder: String, port: Int) async throws -> LocalPostgres {
        guard let backup = PostgresBinaries.optionalProgram("pg_basebackup") else {
            throw LocalStackError("pg_basebackup is not installed; on Debian and Ubuntu it is part of postgresql")
        }
        var own = configuration
        own.folder = folder
        own.logFile = "\(folder)/postgres.log"
        own.port = port
        let standby = try LocalPostgres(own, logger: logger)
        let path = "\(folder)/data"
        try PrivateFolder.create(path, mode: 0o700)
        let account = try await PostgresAccount.choose(for: path)
        try await standby.runToEnd(
            account.running(
                backup,
                [
                    "--pgdata", path, "--host", "127.0.0.1", "--port", String(self.port), "--username", Self.name,
                    "--write-recovery-conf", "--checkpoint", "fast", "--no-sync",
                ]))
        try await standby.start()
        return standby
    }

    /// Makes a standby the primary, and returns when it takes writes.
    public func promote(timeout: Duration = .seconds(30)) async throws {
        guard let control = PostgresBinaries.optionalProgram("pg_ctl") else {
            throw LocalStackError("pg_ctl is not installed; on Debian and Ubuntu it is part of postgresql")
        }
        let account = try await PostgresAccount.choose(for: data.path)
        let seconds = String(Int(timeout / .seconds(1)))
        try await runToEnd(
            account.running(control, ["promote", "--pgdata", data.path, "--wait", "--timeout", seconds]))
    }
}
