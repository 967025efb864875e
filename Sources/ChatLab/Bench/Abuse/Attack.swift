import ChatLocalStack
import NIOCore

/// One way to use up what a server has, or what other users have of it.
struct Attack: Sendable {
    /// What an attack is prepared with.
    struct Stage: Sendable {
        let stack: LocalStack
        let setup: BenchSetup
        /// The room of the ordinary clients, of which the attacker is a member.
        let room: String
        /// The attacker's access token.
        let token: String
        /// The attacker's connections live here.
        let eventLoop: any EventLoop

        var message: Int { stack.messageServers[0].port }
        var webSocket: Int { stack.webSocketServers[0].port }
        var system: Int { stack.systemServer.port }

        func connections(_ plan: AttackConnections.Plan) -> AttackConnections {
            AttackConnections(plan, on: eventLoop)
        }
    }

    var name: String
    var summary: String
    /// Megabytes of resident memory by which any server may grow.
    var megabytes: Double
    /// Passwords cost what they do by default. Otherwise they are cheap, so that accounts are made fast.
    var usesDefaultPasswordCost = false
    /// Makes what the attack needs; the memory that this takes is not counted.
    var prepare: @Sendable (Stage) async throws -> [any AttackLoad]

    /// All of them, in the order of the table.
    static let all = unreadAttacks + floodAttacks
}

// MARK: What a client does not read

extension Attack {
    private static let unreadAttacks = [
        Attack(
            name: "unread-refusals",
            summary: "Pipelined posts that are refused, small ones and large ones; no answer is read",
            megabytes: 40,
            prepare: { stage in
                let small = RequestBytes.http("POST", "/api/v1/messages", token: stage.token, body: "{")
                let large = RequestBytes.http("POST", "/api/v1/messages", token: stage.token, body: "{\(manyErrors)}")
                return [
                    stage.connections(
                        .init(port: stage.message, connections: 4, chunks: [small.repeated(64)], reads: false)),
                    stage.connections(
                        .init(
                            port: stage.message, connections: 1, chunks: [large], interval: .milliseconds(11),
                            reads: false)),
                ]
            }),
        Attack(
            name: "unread-pages",
            summary: "30 connections to each of two servers ask for large pages twice and read nothing",
            // 64 MiB for all large answers that wait (`LargeResponses`), and pages of 6 MB under construction.
            megabytes: 160,
            prepare: { stage in
                let rooms = try await stage.setup.makeRooms(largeRooms, token: stage.token)
                for room in rooms {
                    try await stage.setup.post(1, to: room, as: .token(stage.token), message: largeMessage)
                }
                try await stage.setup.post(100, to: rooms[0], as: .token(stage.token), message: largeMessage)
                func plan(_ port: Int, _ path: String) -> AttackConnections.Plan {
                    let request = RequestBytes.http("GET", path, token: stage.token)
                    return .init(
                        port: port, connections: 30, opening: request.repeated(2), reads: false, isReopened: false)
                }
                return [
                    stage.connections(plan(stage.message, "/api/v1/rooms/\(rooms[0])/messages?limit=100")),
                    stage.connections(plan(stage.system, "/api/v1/rooms?limit=100")),
                ]
            }),
        Attack(
            name: "unread-errors",
            summary: "10 sockets send frames of 60 KB that are refused, and pings; no answer is read",
            megabytes: 20,
            prepare: { stage in
                let frames = [
                    ReceivedFrameReader.clientFrame(
                        ReceivedFrame.text, ByteBuffer(string: #"{"type":"ping",\#(manyErrors)}"#)),
                    ReceivedFrameReader.clientFrame(ReceivedFrame.ping, ByteBuffer(repeating: 1, count: 125)),
                ]
                return [
                    stage.connections(
                        .init(
                            port: stage.webSocket, connections: 10,
                            opening: RequestBytes.handshake(room: stage.room, token: stage.token), chunks: frames,
                            interval: allowedFrames, reads: false))
                ]
            }),
        Attack(
            name: "full-rings",
            summary: "40 rooms with a socket each get messages of 60 KB as fast as they are accepted",
            megabytes: 100,
            prepare: { stage in
                let rooms = try await stage.setup.makeRooms(largeRooms, token: stage.token)
                let posts = rooms.map { room in
                    let body = #"{"roomId":"\#(room)",\#(largeMessage)}"#
                    return RequestBytes.http("POST", "/api/v1/messages", token: stage.token, body: body)
                }
                return rooms.map { room in
                    let handshake = RequestBytes.handshake(room: room, token: stage.token)
                    return stage.connections(.init(port: stage.webSocket, connections: 1, opening: handshake))
                } + [
                    stage.connections(
                        .init(port: stage.message, connections: 4, chunks: posts, interval: .milliseconds(30)))
                ]
            }),
    ]

    /// As many as the changes of a user allow at once.
    private static let largeRooms = 40
    private static let largeMessage =
        #""messageType":"rich_content","payload":{"t":"\#(String(repeating: "x", count: 60_000))"}"#
    /// Just below `CHAT_LIMIT_FRAMES`.
    private static let allowedFrames = TimeAmount.milliseconds(55)

    /// 3,600 members with U+0000, each of which is an error of its own.
    private static let manyErrors = (0..<3_600).map { #""m\#($0)":"\u0000""# }.joined(separator: ",")
}

// MARK: What a client does too often

extension Attack {
    private static let floodAttacks = [
        Attack(
            name: "frame-flood",
            summary: "20 sockets send pongs, or empty continuations, as fast as the server takes them",
            megabytes: 20,
            prepare: { stage in
                let handshake = RequestBytes.handshake(room: stage.room, token: stage.token)
                var fragmented = handshake
                fragmented.writeImmutableBuffer(
                    ReceivedFrameReader.clientFrame(ReceivedFrame.text, ByteBuffer(string: "{"), isFinal: false))
                let pong = ReceivedFrameReader.clientFrame(ReceivedFrame.pong)
                let continuation = ReceivedFrameReader.clientFrame(ReceivedFrame.continuation, isFinal: false)
                return [(handshake, pong), (fragmented, continuation)].map { opening, frame in
                    stage.connections(
                        .init(port: stage.webSocket, connections: 10, opening: opening, chunks: [frame.repeated(200)]))
                }
            }),
        Attack(
            name: "typing-flood", summary: "30 sockets of one user start and stop typing in the room of the others",
            megabytes: 20,
            prepare: { stage in
                let frames = ["true", "false"].map { value in
                    ReceivedFrameReader.clientFrame(
                        ReceivedFrame.text, ByteBuffer(string: #"{"type":"typing","typing":\#(value)}"#))
                }
                return [
                    stage.connections(
                        .init(
                            port: stage.webSocket, connections: 30,
                            opening: RequestBytes.handshake(room: stage.room, token: stage.token), chunks: frames,
                            interval: allowedFrames))
                ]
            }),
        Attack(
            name: "change-flood",
            summary: "One user joins and leaves the room of the others, and renames an own one, over and over",
            megabytes: 20,
            prepare: { stage in
                let own = try await stage.setup.makeRooms(1, token: stage.token)[0]
                var changes: [ByteBuffer] = []
                for number in 0..<16 {
                    let action = number.isMultiple(of: 2) ? "leave" : "join"
                    changes.append(
                        RequestBytes.http(
                            "POST", "/api/v1/rooms/\(stage.room)/\(action)", token: stage.token, body: "{}"))
                    changes.append(
                        RequestBytes.http(
                            "PATCH", "/api/v1/rooms/\(own)", token: stage.token, body: #"{"name":"n\#(number)"}"#))
                }
                return [
                    stage.connections(
                        .init(port: stage.system, connections: 4, chunks: changes, interval: .milliseconds(4)))
                ]
            }),
        Attack(
            name: "login-flood",
            summary: "40 connections of one address log in with wrong passwords, 160 times a second",
            // A hash under way takes 128 MiB (scrypt with N = 2^17, r = 8).
            megabytes: 300, usesDefaultPasswordCost: true,
            prepare: { stage in
                let logins = (0..<50).map { number in
                    RequestBytes.http(
                        "POST", "/api/v1/auth/login",
                        body: #"{"username":"nobody-\#(number)","password":"a wrong one"}"#)
                }
                return [
                    stage.connections(
                        .init(port: stage.system, connections: 40, chunks: logins, interval: .milliseconds(250)))
                ]
            }),
        Attack(
            name: "connections",
            summary: "One address opens 1,200 connections to each server and keeps all that it gets",
            megabytes: 40,
            prepare: { stage in
                [stage.system, stage.message, stage.webSocket].map {
                    HeldConnections(port: $0, count: 1_200, on: stage.eventLoop)
                }
            }),
    ]
}
