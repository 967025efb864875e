import ChatLocalStack
import ChatTestSupport
import Testing

/// Logs that PostgreSQL came back with after a partial restore, or without its last commits.
@Suite(.timeLimit(.minutes(2))) struct DamagedLogTests {
    private static func run(_ sql: String, on stack: SharedStack) async throws {
        _ = try await stack.processes.postgres.run(sql: sql)
    }

    @Test func `events that a log lacks are skipped by returning and by live sessions`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        for number in 1...4 { try await stack.say("\(number)", in: roomID, as: user) }
        try await Self.run("DELETE FROM messages WHERE room_id = '\(roomID)' AND seq IN (2, 4)", on: stack)
        let returning = try await stack.readySocket(roomID, as: user, lastSeq: 0)
        #expect(try await returning.event(type: "caught_up")["seq"] == 4)
        #expect(returning.events.compactMap { $0["seq"]?.int } == [4, 1, 3, 4])
        try await stack.say("5", in: roomID, as: user)
        #expect(try await returning.log(upTo: 5).compactMap { $0["seq"]?.int } == [1, 3, 5])

        // For a server that did not get the event before, those from Redis are after a gap, too.
        try await Self.run(
            "UPDATE rooms SET last_seq = last_seq + 1 WHERE room_id = '\(roomID)'", on: stack)
        try await stack.say("7", in: roomID, as: user)
        #expect(try await returning.log(upTo: 7).compactMap { $0["seq"]?.int } == [1, 3, 5, 7])
        let metrics = try await stack.webSocket().get("/metrics").text
        #expect(metrics.contains("\nchat_log_holes_total "))
        #expect(!metrics.contains("\nchat_log_holes_total 0\n"))
    }

    @Test func `a log that was set back closes the sessions that got more, and later ones begin with the present log`()
        async throws
    {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let sockets = [
            try await stack.readySocket(roomID, as: user, server: 0),
            try await stack.readySocket(roomID, as: user, server: 1),
        ]
        for number in 1...5 { try await stack.say("\(number)", in: roomID, as: user) }
        for socket in sockets { try await socket.log(upTo: 5) }
        try await Self.run(
            """
            BEGIN;
            DELETE FROM messages WHERE room_id = '\(roomID)' AND seq > 3;
            UPDATE rooms SET last_seq = 3 WHERE room_id = '\(roomID)';
            COMMIT
            """, on: stack)
        for socket in sockets { #expect(try await socket.closeFrame(within: .seconds(20)).code == 4409) }
        let socket = try await stack.readySocket(roomID, as: user, lastSeq: 3)
        try await stack.say("another", in: roomID, as: user)
        let log = try await socket.log(upTo: 4)
        #expect(log == (try await stack.log(of: roomID, as: user, after: 3)))
    }

    @Test func `the first session after a log was set back gets nothing of the old one`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let old = try await stack.readySocket(roomID, as: user)
        for number in 1...5 { try await stack.say("\(number)", in: roomID, as: user) }
        try await old.log(upTo: 5)
        try await Self.run(
            """
            BEGIN;
            DELETE FROM messages WHERE room_id = '\(roomID)' AND seq > 2;
            UPDATE rooms SET last_seq = 2 WHERE room_id = '\(roomID)';
            COMMIT
            """, on: stack)
        // On the same server, most likely before it has compared the heads.
        let socket = try await stack.readySocket(roomID, as: user, lastSeq: 1)
        #expect(try await socket.event(type: "caught_up")["seq"] == 2)
        #expect(try await old.closeFrame(within: .seconds(20)).code == 4409)
        try await stack.say("another", in: roomID, as: user)
        #expect(try await socket.log(upTo: 3) == stack.log(of: roomID, as: user, after: 1))
    }
}
