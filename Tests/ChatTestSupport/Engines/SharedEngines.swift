import ChatLocalStack
import Logging
import Synchronization

/// One PostgreSQL and one Redis for all tests of a test process: started at their first use, stopped at its end.
/// Tests that stop or freeze an engine start one of their own.
public enum SharedEngines {
    private static let quiet = Logger(label: "engines") { _ in SwiftLogNoOpLogHandler() }
    private static let databases = Atomic(0)

    // A task is started once, however many tests ask for it at once.
    private static let postgres = Task {
        // Enough for all suites at once; nothing that tests write is worth a disk's time.
        let engine = try await LocalPostgres.ephemeral(settings: ["max_connections": "400"], logger: quiet)
        await endAtExit(engine.running, folder: engine.configuration.folder)
        return engine
    }
    private static let redis = Task {
        let engine = try await LocalRedis.ephemeral(logger: quiet)
        await endAtExit(engine.running, folder: engine.configuration.folder)
        return engine
    }

    /// Makes an empty database that nobody else uses.
    /// - Returns: its libpq connection URI.
    public static func database() async throws -> String {
        let number = databases.add(1, ordering: .relaxed).newValue
        return try await postgres.value.createDatabase(named: "test_\(number)")
    }

    /// `redis://127.0.0.1:port` of the shared Redis. Its channels are shared, too: use rooms of random names.
    public static var redisURL: String {
        get async throws { try await redis.value.url }
    }

    private static func endAtExit(_ process: LocalProcess?, folder: String) {
        if let process { ExitSweep.endAtExit(process) }
        ExitSweep.removeAtExit(folder: folder)
    }
}
