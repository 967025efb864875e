import Foundation

/// The three processes of the contract.
public enum ServerKind: String, Sendable, CaseIterable {
    case system = "ChatSystemServer"
    case message = "ChatMessageServer"
    case webSocket = "ChatWebSocketServer"

    /// The port where it listens by default.
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

/// Where our own executables are.
public enum BuildFolder {
    /// `CHAT_BUILD_DIR` if set, else the folder of the running executable: in SwiftPM's build folder, in a container
    /// and for a test runner alike, the servers lie beside it.
    public static var current: String {
        if let folder = ProcessInfo.processInfo.environment["CHAT_BUILD_DIR"], !folder.isEmpty { return folder }
        let running = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "."
        return (running as NSString).deletingLastPathComponent
    }
}
