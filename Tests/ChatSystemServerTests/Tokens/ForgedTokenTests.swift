import ChatLocalStack
import ChatTestSupport
import Crypto
import Foundation
import Testing

/// The doors of all three servers; `CommonAuthTests` has every trick.
@Suite(.timeLimit(.minutes(2))) struct ForgedTokenTests {
    private static func forged(_ own: TokenForge, _ userID: Int64) throws -> [(name: String, token: String)] {
        let (claims, now) = (TokenForge.claims(userID), Int(Date.now.timeIntervalSince1970))
        let (none, hmac) = (own.header(alg: "none"), TokenForge.input(own.header(alg: "HS256"), claims))
        func mac(_ secret: Data) -> String {
            hmac + "."
                + Base64URL.encode(
                    Data(HMAC<SHA256>.authenticationCode(for: Data(hmac.utf8), using: SymmetricKey(data: secret))))
        }
        let stranger = try TokenForge()
        return [
            ("no signature", TokenForge.input(none, claims) + "."), ("alg none", try own.token(header: none, claims)),
            ("a MAC by the public key", mac(own.key.publicKey.rawRepresentation)),
            ("a MAC by its PEM", mac(Data(own.publicPEM.utf8))),
            ("alg RS256", try own.token(header: own.header(alg: "RS256"), claims)),
            ("a foreign key", try stranger.token(claims)),
            ("a foreign kid", try own.token(header: own.header(kid: "foreign"), claims)),
            ("another's signature", try stranger.token(header: own.header(), claims)),
            ("no kid", try own.token(header: #"{"alg":"EdDSA"}"#, claims)),
            ("crit", try own.token(header: #"{"alg":"EdDSA","kid":"\#(own.keyID)","crit":["exp"]}"#, claims)),
            ("two kids", try own.token(header: #"{"alg":"EdDSA","kid":"x","kid":"\#(own.keyID)"}"#, claims)),
            ("another issuer", try own.token(TokenForge.claims(userID, iss: "other"))),
            ("another audience", try own.token(TokenForge.claims(userID, aud: #""other""#))),
            ("other audiences", try own.token(TokenForge.claims(userID, aud: #"["other","another"]"#))),
            ("not yet", try own.token(TokenForge.claims(userID, more: #","nbf":\#(now + 60)"#))),
            ("no more", try own.token(TokenForge.claims(userID, endsIn: -1))),
            ("two users", try own.token(TokenForge.claims(userID, more: #","sub":"1""#))),
            ("nobody", try own.token(TokenForge.claims(0))), ("less than nobody", try own.token(TokenForge.claims(-1))),
            (
                "too long",
                try own.token(TokenForge.claims(userID, more: #","x":"\#(String(repeating: "x", count: 4_000))""#))
            ),
            ("padded", try own.token(claims) + "=="), ("in pieces", try own.token(claims).replacing(".", with: "..")),
        ]
    }

    @Test func `no server accepts a forged token, over REST or a socket`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let own = try TokenForge(file: stack.processes.folder + "/data/signing-key.pem")
        // What is forged as it should be is taken: what is refused below is refused for what is wrong with it.
        for aud in [#""chat""#, #"["other","chat"]"#] {
            let good = try own.token(TokenForge.claims(user.userID, aud: aud, more: #","nbf":1"#))
            #expect(try await statuses(stack, roomID, good) == [200, 200, nil, nil, nil])
        }
        for (name, token) in try Self.forged(own, user.userID) {
            #expect(try await statuses(stack, roomID, token) == [401, 401, 4401, 4401, 4401], "\(name)")
        }
    }

    private func statuses(_ stack: SharedStack, _ roomID: String, _ token: String) async throws -> [Int?] {
        let target = "/ws/chat?roomId=\(roomID)"
        var statuses: [Int?] = [
            try await stack.system.get("/api/v1/users/me", as: .token(token)).status,
            try await stack.messages().get("/api/v1/rooms/\(roomID)/events", as: .token(token)).status,
        ]
        for (target, headers) in [
            (target, [("Authorization", "Bearer \(token)")]), ("\(target)&access_token=\(token)", []),
            (target, [("Sec-WebSocket-Protocol", "chat.v1, bearer.\(token)")]),
        ] {
            let socket = try await WebSocketTestClient.connect(port: stack.webSocketPort(), target, headers: headers)
            statuses.append(try await socket.refusal()?.code.map(Int.init))
            socket.drop()
        }
        return statuses
    }
}
