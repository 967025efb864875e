import ChatLocalStack
import CommonUtil

/// The text that is printed when everything runs: addresses, and a first message that can be pasted as it is.
struct Welcome {
    var plan: UpPlan
    /// Nil if it is an external one.
    var postgresPort: Int?
    var redisPort: Int?

    var text: String {
        """

        Running (\(plan.authMode.rawValue) mode):
          system     \(plan.url(.system))
          message    \(plan.url(.message))
          websocket  \(webSocketURL)
          postgres   \(engine(postgresPort, "postgres"))
          redis      \(engine(redisPort, "redis"))
          web client \(plan.url(.system))/
          logs       \(plan.folder)/log/ (warnings are shown here, too)

        \(plan.authMode == .trusted ? trustedMessage : tokenMessage)

        Ctrl-C stops everything; the data stays in \(plan.folder).
        """
    }

    private var webSocketURL: String { "ws://\(plan.shownHost):\(plan.port(.webSocket))/ws/chat" }

    private func engine(_ port: Int?, _ name: String) -> String {
        port.map { "127.0.0.1:\($0), password in \(plan.folder)/\(name)/password" } ?? "external"
    }

    private var trustedMessage: String {
        """
        A first message. In the console of a browser:

        new WebSocket('\(webSocketURL)?roomId=room-123').onmessage = event => console.log(event.data)

        and in a shell:

        curl -X POST \(plan.url(.message))/api/v1/messages \\
          -H 'X-User-Id: 100' -H 'Content-Type: application/json' \\
          -d '{"roomId":"room-123","messageType":"text","payload":{"text":"Hello"}}'
        """
    }

    private var tokenMessage: String {
        """
        A first message. In a shell:

        SYSTEM=\(plan.url(.system))/api/v1 JSON='Content-Type: application/json'
        curl -s "$SYSTEM/auth/register" -H "$JSON" -d '{"username":"alice","password":"a long password"}'
        TOKEN=$(curl -s "$SYSTEM/auth/login" -H "$JSON" -d '{"username":"alice","password":"a long password"}' |
          sed -n 's/.*"accessToken":"\\([^"]*\\)".*/\\1/p')
        ROOM=$(curl -s "$SYSTEM/rooms" -H "$JSON" -H "Authorization: Bearer $TOKEN" \\
          -d '{"name":"Lobby","type":"public"}' | sed -n 's/.*"roomId":"\\([^"]*\\)".*/\\1/p')
        echo "new WebSocket('\(webSocketURL)?roomId=$ROOM&access_token=$TOKEN').onmessage = e => console.log(e.data)"

        Paste the line it prints into the console of a browser, and then in the shell:

        curl -s \(plan.url(.message))/api/v1/messages -H "$JSON" -H "Authorization: Bearer $TOKEN" \\
          -d "{\\"roomId\\":\\"$ROOM\\",\\"messageType\\":\\"text\\",\\"payload\\":{\\"text\\":\\"Hello\\"}}"
        """
    }
}
