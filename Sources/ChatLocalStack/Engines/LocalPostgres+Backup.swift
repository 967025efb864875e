import Foundation

/// A copy of the data of a stopped server, and the way back to it. Not for a throw-away engine, whose folder goes when it
/// stops.
extension LocalPostgres {
    private var dataPath: String { "\(configuration.folder)/data" }

    /// Stops the server gracefully, copies its data and starts it again.
    /// - Parameter folder: must not be there yet, or be empty.
    /// - Throws: `LocalStackError` if a step fails; `CancellationError`.
    public func backUp(to folder: String) async throws {
        try await stop()
        try PrivateFolder.create(folder, mode: 0o711)
        try await copy(dataPath, to: folder)
        try await start()
    }

    /// Stops the server gracefully, replaces its data by a copy and starts it again: everything that was committed since
    /// is gone.
    /// - Parameter folder: that of an earlier ``backUp(to:)``.
    /// - Throws: `LocalStackError` if a step fails; `CancellationError`.
    public func setBack(to folder: String) async throws {
        try await stop()
        try FileManager.default.removeItem(atPath: dataPath)
        try await copy("\(folder)/data", to: configuration.folder)
        try await start()
    }

    /// Copies a folder into another one, with owners and modes: the data belongs to the user that runs PostgreSQL.
    private func copy(_ source: String, to folder: String) async throws {
        try await runToEnd(("/bin/cp", ["-a", source, folder]))
    }
}
