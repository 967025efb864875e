/// The three processes of the contract.
public enum ServerKind: String, Sendable, CaseIterable {
    case system = "ChatSystemServer"
    case message = "ChatMessageServer"
    case webSocket = "ChatWebSocketServer"

    /// Where it listens unless told otherwise.
    public var defaultPort: Int {
        switch self {
        case .system: 8080
        case .message: 8081
        case .webSocket: 8082
        }
    }

    /// The name of its log file, without suffix.
    public var logName: String {
        switch self {
        case .system: "system"
        case .message: "message"
        case .webSocket: "websocket"
        }
    }
}
