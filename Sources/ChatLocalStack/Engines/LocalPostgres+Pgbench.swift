import Foundation

extension LocalPostgres {
    /// Runs a script with `pgbench(1)` for a number of seconds, each client on a connection of its own.
    /// - Parameter script: one transaction.
    /// - Returns: transactions a second.
    /// - Throws: `LocalStackError` if pgbench is not installed or fails; `CancellationError`.
    public func pgbench(script: String, clients: Int, seconds: Int) async throws -> Double {
        guard let pgbench = PostgresBinaries.optionalProgram("pgbench") else {
            throw LocalStackError("pgbench is not installed; on Debian and Ubuntu it is part of the package postgresql")
        }
        let file = "\(configuration.folder)/pgbench-\(UUID().uuidString.prefix(8))"
        defer {
            unlink("\(file).sql")
            unlink("\(file).out")
        }
        try PrivateFolder.writeSecret(script, to: "\(file).sql")
        var environment = ChildEnvironment.inherited
        environment["PGPASSWORD"] = password
        let process = try LocalProcess(
            .init(
                pgbench,
                [
                    "--no-vacuum", "--protocol", "prepared", "--client", String(clients), "--jobs", "1", "--time",
                    String(seconds), "--file", "\(file).sql", "--host", "127.0.0.1", "--port", String(port),
                    "--username", Self.name, Self.name,
                ], environment: environment, logFile: "\(file).out"))
        let status = try await process.waitForExit()
        let lines = TextTail.lines(40, of: "\(file).out")
        let rate = lines.first { $0.hasPrefix("tps = ") }?.split(separator: " ").dropFirst(2).first.flatMap {
            Double($0)
        }
        guard status == .exited(0), let rate else {
            throw LocalStackError("pgbench \(status): \(lines.joined(separator: "\n"))")
        }
        return rate
    }
}
