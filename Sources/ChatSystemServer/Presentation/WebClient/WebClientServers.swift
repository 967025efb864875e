import CommonUtil

/// Where the page finds the other two servers, as it reads it from `/web/configuration.json`.
struct WebClientServers: JSONEncodable {
    let message: PublicAddress
    let webSocket: PublicAddress

    init(_ configuration: ConfigurationSource) throws(ConfigurationError) {
        message = try configuration.value(Settings.publicMessageURL)
        webSocket = try configuration.value(Settings.publicWebSocketURL)
    }

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("messageUrl", message.description)
            writer.member("webSocketUrl", webSocket.description)
        }
    }
}
