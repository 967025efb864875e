/// The addresses of the servers, and limits of what a client keeps.
public struct ChatConfiguration: Sendable {
    /// The servers' addresses.
    enum Servers: Sendable, Equatable {
        /// The system server, or a common proxy, which returns the addresses of the others.
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
    /// The user whose tokens these will be. If it is set, posts can be stored, and stored data shown, before there is a
    /// token.
    public var userID: Int64?
    /// Maximum number of missed events per room that are fetched after an absence. If more were missed, the room
    /// continues at its head. At most 10,000.
    public var maximumMissed = 10_000
    /// Maximum number of messages per room that are kept in memory.
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

/// The addresses of all servers.
struct ServerAddresses: Sendable, Equatable {
    let system: ServerAddress
    let messages: ServerAddress
    let sockets: ServerAddress
}

/// Thrown by the application if it has no token because nobody is signed in.
public struct SignedOut: Error {
    /// Creates the error.
    public init() {}
}
