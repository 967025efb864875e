import Logging
import Metrics
import PostgresClient
import ServiceLifecycle

/// The metrics `chat_users` and `chat_rooms`. Counted once a minute; large tables are estimated from PostgreSQL's
/// statistics instead of being read.
public struct PopulationMetrics: Service {
    private static let interval = Duration.seconds(60)

    private let database: ChatDatabase
    private let logger: Logger
    private let users: Gauge
    private let rooms: Gauge

    /// - Parameter factory: where the gauges are registered.
    public init(_ database: ChatDatabase, factory: any MetricsFactory = MetricsSystem.factory, logger: Logger) {
        self.database = database
        self.logger = logger
        users = Gauge(label: "chat_users", factory: factory)
        rooms = Gauge(label: "chat_rooms", factory: factory)
    }

    /// Counts until graceful shutdown.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    try await update()
                } catch {
                    // The schema is not migrated yet, or the database is away: the last figures stay.
                    logger.debug("users and rooms could not be counted", metadata: ["reason": "\(error)"])
                }
                try? await Task.sleep(for: Self.interval)
            }
        }
    }

    func update() async throws {
        guard let counts = try await database.query(Self.select).first else { return }
        let (users, rooms) = try counts.decode(Int64.self, Int64.self)
        self.users.record(users)
        self.rooms.record(rooms)
    }

    /// `reltuples` is -1 until a table has been looked at, which autovacuum does once it has grown.
    private static func count(_ table: String) -> String {
        """
        CASE WHEN (SELECT reltuples FROM pg_class WHERE oid = '\(table)'::regclass) < 100000
        THEN (SELECT count(*) FROM \(table))
        ELSE (SELECT reltuples::bigint FROM pg_class WHERE oid = '\(table)'::regclass) END
        """
    }

    private static let select = PostgresStatement("SELECT \(count("users")), \(count("rooms"))")
}
