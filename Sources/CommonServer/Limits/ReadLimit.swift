import CommonAuth
import CommonUtil
import HTTPTypes
import Hummingbird

/// The limit on reading calls (`CHAT_LIMIT_READS`): those of each user, and where nobody is signed in those of each
/// address.
///
/// Each process counts for itself. Reads are the commonest calls by far and the cheapest; asking Redis about every tenth
/// of them would cost more than what a few servers let through too many.
public struct ReadLimit: Sendable {
    private let users: RateLimiter<UserID>
    private let addresses: RateLimiter<String>
    private let trustedProxies: [AddressRange]

    public init(rate: Rate, trustedProxies: [AddressRange]) {
        users = RateLimiter(.reads, rate: rate)
        addresses = RateLimiter(.reads, rate: rate)
        self.trustedProxies = trustedProxies
    }

    /// - Throws: `rate_limited` (429).
    func check(_ request: Request, _ context: ChatRequestContext) async throws(ChatError) {
        if let user = context.user {
            try await users.check(user.userID)
        } else {
            try await addresses.check(
                context.countedAddress(headers: request.headers, trustedProxies: trustedProxies))
        }
    }
}
