import CommonUtil
import Synchronization

/// Bounds the uploads that a user has under way on this server.
final class UploadSlots: Sendable {
    static let maximumPerUser = 10

    /// A place, which is free again when nobody holds it.
    final class Slot: Sendable {
        private let userID: UserID
        private let slots: UploadSlots

        fileprivate init(_ userID: UserID, _ slots: UploadSlots) {
            self.userID = userID
            self.slots = slots
        }

        deinit { slots.free(userID) }
    }

    private let counts = Mutex<[UserID: Int]>([:])

    /// Takes a place.
    /// - Throws: `rate_limited` (429) if the user has as many uploads under way as allowed.
    func take(_ userID: UserID) throws(ChatError) -> Slot {
        let isFree = counts.withLock { counts in
            guard userID.isInstallation || counts[userID, default: 0] < Self.maximumPerUser else { return false }
            counts[userID, default: 0] += 1
            return true
        }
        guard isFree else {
            throw ChatError(
                .rateLimited, "No more than \(Self.maximumPerUser) uploads at a time", retryAfterSeconds: 1)
        }
        return Slot(userID, self)
    }

    private func free(_ userID: UserID) {
        counts.withLock { counts in
            let count = counts[userID, default: 0] - 1
            counts[userID] = count > 0 ? count : nil
        }
    }
}
