import ChatLocalStack
import CommonUtil

/// The text that is printed when everything runs: addresses, and a first message that can be pasted as it is.
struct StartupMessage {
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

    private var webSocketURL: String { "ws://\(plan.displayHost):\(plan.port(.webSocket))/ws/chat" }

    private func engine(_ port: Int?, _ name: String) -> String {
        port.map { "127.0.0.1:\($0), password in \(plan.folder)/\(name)/password" } ?? "external"
    }

    private var trustedMessage: String {
        """
        A first message. Open \(plan.url(.system)), press F12 and paste into the console:

        \(trustedSocket)

        Then in a shell:

        \(trustedPost)
        """
    }

    private var tokenMessage: String {
        """
        A first message. In a shell:

        \(tokenPreparation)

        Open \(plan.url(.system)), press F12 and paste the line that was printed last into the console.
        Then in the shell:

        \(tokenPost)
        """
    }

    // MARK: The recipes, which README.md prints for the default ports (a test compares them)

    /// JavaScript that listens to a room in `trusted` mode.
    var trustedSocket: String {
        "new WebSocket('\(webSocketURL)?roomId=room-123').onmessage = event => console.log(event.data)"
    }

    /// Shell commands that post in `trusted` mode.
    var trustedPost: String {
        """
        curl \(plan.url(.message))/api/v1/messages \\
          -H 'Content-Type: application/json' -H 'X-User-Id: 100' \\
          -d '{"roomId":"room-123","messageType":"text","payload":{"text":"Hello"}}'
        """
    }

    /// Shell commands that make an account and a room, log in, and print a line of JavaScript that listens to the room.
    /// They need a POSIX shell and curl, and can be repeated: what exists already is answered with 409.
    var tokenPreparation: String {
        #"""
        SYSTEM=\#(plan.url(.system))/api/v1 JSON='Content-Type: application/json'
        ALICE='{"username":"alice","password":"a long password"}'
        curl -s -w '\n' "$SYSTEM/auth/register" -H "$JSON" -d "$ALICE"
        LOGIN=$(curl -s "$SYSTEM/auth/login" -H "$JSON" -d "$ALICE")
        TOKEN=${LOGIN#*\"accessToken\":\"}; TOKEN=${TOKEN%%\"*}
        curl -s -w '\n' "$SYSTEM/rooms" -H "$JSON" -H "Authorization: Bearer $TOKEN" \
          -d '{"roomId":"lobby","name":"Lobby","type":"public"}'
        echo "new WebSocket('\#(webSocketURL)?roomId=lobby&access_token=$TOKEN').onmessage = e => console.log(e.data)"
        """#
    }

    /// Shell commands that post to that room.
    var tokenPost: String {
        #"""
        curl -s -w '\n' \#(plan.url(.message))/api/v1/messages -H "$JSON" -H "Authorization: Bearer $TOKEN" \
          -d '{"roomId":"lobby","messageType":"text","payload":{"text":"Hello"}}'
        """#
    }
}
