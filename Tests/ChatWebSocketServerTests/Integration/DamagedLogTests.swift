import ChatLocalStack
import ChatTestSupport
import Testing

/// Logs that PostgreSQL came back with after a partial restore, or without its last commits.
@Suite(.timeLimit(.minutes(2))) struct DamagedLogTests {
    private static func run(_ sql: String, on stack: SharedStack) async throws {
        _ = try await stack.processes.postgres.run(sql: sql)
    }

    /// Sets the log of a room back, as a restored backup does.
    private static func setBack(_ roomID: String, to seq: Int, on stack: SharedStack) async throws {
        try await run(
            """
            BEGIN;
            DELETE FROM messages WHERE room_id = '\(roomID)' AND seq > \(seq);
            UPDATE rooms SET last_seq = \(seq) WHERE room_id = '\(roomID)';
            COMMIT
            """, on: stack)
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
        let stream = try await stack.stream(roomID, as: user)
        try await stream.event(type: "ready")
        for number in 1...5 { try await stack.say("\(number)", in: roomID, as: user) }
        for socket in sockets { try await socket.log(upTo: 5) }
        try await Self.setBack(roomID, to: 3, on: stack)
        for socket in sockets { #expect(try await socket.closeFrame(within: .seconds(20)).code == 4409) }
        #expect(try await stream.closeEvent()["code"] == 4409)
        try await stream.disconnected()
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
        try await Self.setBack(roomID, to: 2, on: stack)
        // On the same server, most likely before it has compared the heads.
        let socket = try await stack.readySocket(roomID, as: user, lastSeq: 1)
        #expect(try await socket.event(type: "caught_up")["seq"] == 2)
        #expect(try await old.closeFrame(within: .seconds(20)).code == 4409)
        try await stack.say("another", in: roomID, as: user)
        #expect(try await socket.log(upTo: 3) == stack.log(of: roomID, as: user, after: 1))
    }

    @Test func `a log that was set back and has grown beyond what was sent closes the sessions that got other events`()
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
        let old = try await sockets[0].log(upTo: 5)
        try await sockets[1].log(upTo: 5)
        try await Self.setBack(roomID, to: 3, on: stack)
        for number in 4...8 { try await stack.say("another \(number)", in: roomID, as: user) }
        for socket in sockets {
            #expect(try await socket.closeFrame(within: .seconds(10)).code == 4409)
            #expect(socket.events.filter { $0["seq"] != nil && $0["eventType"] == "message" } == old)
        }
        let log = try await stack.log(of: roomID, as: user)
        let (kept, lost) = (old[2]["mark"]?.string, old[4]["mark"]?.string)
        #expect(log[2]["mark"]?.string == kept)
        #expect(log[4]["mark"]?.string != lost)

        // A client that returns is recognised by the mark of its last event.
        for (lastSeq, mark) in [(5, lost), (4, lost), (8, kept), (3, "abcdef"), (9, nil)] {
            let returning = try await stack.socket(roomID, as: user, lastSeq: Int64(lastSeq), lastMark: mark)
            #expect(try await returning.closeFrame().code == 4409)
            #expect(returning.events.isEmpty)
        }
        let returning = try await stack.readySocket(roomID, as: user, lastSeq: 3, lastMark: kept)
        #expect(returning.events.first?["mark"] == log[7]["mark"])
        #expect(try await returning.log(upTo: 8) == Array(log.dropFirst(3)))
        let caughtUp = try await returning.event(type: "caught_up")
        #expect(caughtUp["mark"] == log[7]["mark"])
        try await stack.say("9", in: roomID, as: user)
        #expect(try await returning.log(upTo: 9).last == stack.log(of: roomID, as: user, after: 8).last)
    }

    @Test func `a mark is refused before a token, and a stranger learns nothing of a log`() async throws {
        let stack = try await SharedStack.running()
        let (user, stranger) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room(of: user)
        let posted = try await stack.say("1", in: roomID, as: user)
        let mark = posted["mark"]?.string ?? ""
        func code(_ user: TestUser?, _ lastSeq: Int64?, _ mark: String) async throws -> UInt16? {
            try await stack.socket(roomID, as: user, lastSeq: lastSeq, lastMark: mark).closeFrame().code
        }
        for (lastSeq, mark) in [(1, "abc"), (0, mark), (nil, mark)] as [(Int64?, String)] {
            #expect(try await code(nil, lastSeq, mark) == 1007)
        }
        #expect(try await code(nil, 1, "abcdef") == 4401)
        #expect(try await code(stranger, 1, "abcdef") == 4404)
        #expect(try await code(stranger, 1, mark) == 4404)
        #expect(try await code(user, 1, "abcdef") == 4409)
        let socket = try await stack.readySocket(roomID, as: user, lastSeq: 1, lastMark: "")
        #expect(try await socket.event(type: "caught_up")["mark"]?.string == mark)
    }
}
