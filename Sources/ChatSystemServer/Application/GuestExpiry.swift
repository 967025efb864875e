import ChatStorage
import CommonUtil
import Logging
import ServiceLifecycle

/// Erases guests whose 24 hours are over. Several servers may do so at once: erasing again changes nothing.
struct GuestExpiry: Service {
    private static let interval = Duration.seconds(30)
    private static let guestsAtATime = 100

    let guests: GuestRepository
    let users: ManagedUserService
    let logger: Logger

    /// Erases until graceful shutdown.
    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                try await Task.sleep(for: Self.interval * Double.random(in: 0.75...1))
                do {
                    try await eraseExpired()
                } catch {
                    // The schema is not migrated yet, or the database is away.
                    logger.debug("guests are erased later", metadata: ["reason": "\(error)"])
                }
            }
        }
    }

    func eraseExpired() async throws {
        while true {
            let expired = try await guests.expired(limit: Self.guestsAtATime)
            for userID in expired { try await users.erase(userID, by: userID) }
            guard !expired.isEmpty else { return }
            logger.info("Guests erased", metadata: ["count": .stringConvertible(expired.count)])
        }
    }
}
