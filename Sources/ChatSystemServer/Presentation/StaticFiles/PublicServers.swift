import CommonUtil

/// The public addresses of the three servers, and how callers are authenticated.
struct PublicServers: Sendable {
    let system: PublicAddress?
    let message: PublicAddress
    let webSocket: PublicAddress
    let authMode: AuthMode

    init(_ configuration: ConfigurationSource, authMode: AuthMode) throws(ConfigurationError) {
        system = try configuration.value(Settings.publicSystemURL)
        message = try configuration.value(Settings.publicMessageURL)
        webSocket = try configuration.value(Settings.publicWebSocketURL)
        self.authMode = authMode
    }

    /// The content of `configuration.json`.
    /// - Parameter host: the request's `Host`. Without ``Settings/publicSystemURL`` its port is the system server's.
    func configuration(host: String?) -> ClientConfiguration {
        let port = host.flatMap { $0.split(separator: ":").last }.flatMap { PublicAddress(text: ":\($0)", schemes: []) }
        return ClientConfiguration(
            system: system ?? port ?? Self.defaultSystem, messages: message, sockets: webSocket, authMode: authMode)
    }

    private static let defaultSystem = PublicAddress.port(8080)
}

/// `{system, messages, sockets, authMode}`: where clients find the servers. An address is absolute, or `:port` of the host
/// that the configuration came from.
struct ClientConfiguration: JSONEncodable, Equatable {
    let system: PublicAddress
    let messages: PublicAddress
    let sockets: PublicAddress
    let authMode: AuthMode

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("system", system.description)
            writer.member("messages", messages.description)
            writer.member("sockets", sockets.description)
            writer.member("authMode", authMode.rawValue)
        }
    }
}
