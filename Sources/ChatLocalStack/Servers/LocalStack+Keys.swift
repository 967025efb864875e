import Foundation

extension LocalStack {
    /// Makes a key of a backend with `chat keys create`.
    /// - Parameters:
    ///   - name: one that no other key of the stack has.
    ///   - scopes: what it may do, e.g. `changes`.
    /// - Returns: the text for `Authorization: Bearer`.
    /// - Throws: `LocalStackError` with what the program wrote.
    public func makeKey(_ name: String, scopes: [String]) async throws -> String {
        let output = "\(folder)/key-\(UUID().uuidString)"
        defer { unlink(output) }
        var environment = ChildEnvironment.inherited
        environment["CHAT_DATABASE_URL"] = postgres.url
        let status = try await LocalProcess(
            .init(
                "\(systemServer.configuration.buildFolder)/chat",
                ["keys", "create", name] + scopes.flatMap { ["--scope", $0] }, environment: environment,
                logFile: output)
        ).waitForExit()
        let written = try String(contentsOfFile: output, encoding: .utf8)
        // Warnings would go to the same file.
        guard status == .exited(0), let key = written.split(separator: "\n").last(where: { $0.hasPrefix("chat_") })
        else { throw LocalStackError("chat keys create \(status): \(written)") }
        return String(key)
    }
}
