/// Where the servers are, and how much a client holds.
public struct ChatConfiguration: Sendable {
    /// The servers' addresses.
    enum Servers: Sendable, Equatable {
        /// The system server, or a common proxy, which says where the others are.
        case of(ServerAddress)
        case three(system: ServerAddress, messages: ServerAddress, sockets: ServerAddress)

        var system: ServerAddress {
            switch self {
            case .of(let address): address
            case .three(let system, _, _): system
            }
        }
    }

    let servers: Servers
    /// The user whose tokens these will be. With it posts can be kept, and what was kept shown, before there is a token.
    public var userID: Int64?
    /// Of a room of which more events are missing after an absence only those that are new are fetched. At most 10,000.
    public var maximumMissed = 10_000
    /// Messages that are held of a room.
    public var keptMessages = 1000

    /// - Parameter url: the system server or a common proxy, such as `https://chat.example.org`.
    /// - Throws: ``ChatError`` with code `invalid`.
    public init(url: String, userID: Int64? = nil) throws {
        servers = .of(try ServerAddress(url))
        self.userID = userID
    }

    /// - Throws: ``ChatError`` with code `invalid`.
    public init(system: String, messages: String, sockets: String, userID: Int64? = nil) throws {
        servers = .three(
            system: try ServerAddress(system), messages: try ServerAddress(messages),
            sockets: try ServerAddress(sockets))
        self.userID = userID
    }
}

/// Addresses that are known.
struct ServerAddresses: Sendable, Equatable {
    let system: ServerAddress
    let messages: ServerAddress
    let sockets: ServerAddress
}

/// Thrown by the application where it has no token because nobody is signed in.
public struct SignedOut: Error {
    /// Creates the error.
    public init() {}
}
