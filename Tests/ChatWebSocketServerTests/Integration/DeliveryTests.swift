import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct DeliveryTests {
    private static let writerCount = 50
    private static let roomCount = 3
    private static let socketsPerRoom = 20

    /// Writers of several rooms, through both message servers.
    private struct Load {
        let stack: SharedStack
        let writers: [TestUser]
        let rooms: [String]

        /// Every writer posts once in each room, `rounds` times.
        func post(rounds: Int) async throws {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (index, writer) in writers.enumerated() {
                    group.addTask {
                        for round in 0..<rounds {
                            for room in rooms {
                                try await stack.say("\(index)/\(round)", in: room, as: writer, server: index + round)
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
        }

        /// Sockets of all rooms, every other one on the other server.
        func sockets(lastSeq: Int64? = nil) async throws -> [(room: String, socket: WebSocketTestClient)] {
            try await withThrowingTaskGroup(of: (String, WebSocketTestClient).self) { group in
                for room in rooms {
                    for index in 0..<DeliveryTests.socketsPerRoom {
                        group.addTask {
                            let user = writers[index % writers.count]
                            return (room, try await stack.readySocket(room, as: user, lastSeq: lastSeq, server: index))
                        }
                    }
                }
                return try await group.reduce(into: []) { $0.append((room: $1.0, socket: $1.1)) }
            }
        }
    }

    @Test
    func
        `with 50 writers, 3 rooms and 4 servers every socket gets all events in order, and the rest after a reconnect`()
        async throws
    {
        let stack = try await SharedStack.running()
        let writers = try await stack.users(Self.writerCount)
        var rooms: [String] = []
        for _ in 0..<Self.roomCount {
            rooms.append(try await stack.room("group", of: writers[0], with: Array(writers.dropFirst())))
        }
        let load = Load(stack: stack, writers: writers, rooms: rooms)

        // All live.
        let sockets = try await load.sockets()
        try await load.post(rounds: 2)
        let first = Int64(Self.writerCount * 2)
        for (_, socket) in sockets {
            let log = try await socket.log(upTo: first)
            #expect(log.map { $0["seq"]?.int } == (1...first).map { $0 })
            #expect(socket.faults.isEmpty)
        }

        // Returning with a part of it, while the others continue to post.
        let resumedFrom = first / 2
        async let writing: Void = load.post(rounds: 1)
        let resumed = try await load.sockets(lastSeq: resumedFrom)
        try await writing
        let last = first + Int64(Self.writerCount)
        var logs: [String: [JSON]] = [:]
        for room in rooms { logs[room] = try await stack.log(of: room, as: writers[0]) }
        for (room, socket) in resumed {
            let log = try await socket.log(upTo: last)
            #expect(log.map { $0["seq"]?.int } == (resumedFrom + 1...last).map { $0 })
            #expect(log == logs[room]?.suffix(log.count).map { $0 })

            let caughtUp = try await socket.event(type: "caught_up")
            #expect(socket.events.filter { $0["eventType"] == "caught_up" }.count == 1)
            #expect(socket.events.first?["eventType"] == "ready")
            // All events up to its seq are before it, all later ones after it.
            let place = try #require(socket.events.firstIndex(of: caughtUp))
            #expect(socket.events[place - 1]["seq"] == caughtUp["seq"])
            #expect(socket.faults.isEmpty)
        }
        for (room, socket) in sockets {
            let log = try await socket.log(upTo: last)
            #expect(log == logs[room])
        }
    }

    @Test func `a slow reader misses nothing, and the others do not wait for it`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let user = try await stack.user()
        let roomID = Unique.name("slow")
        let quick = try await stack.readySocket(roomID, as: user)
        let slow = try await WebSocketTestClient.connect(
            port: stack.webSocketPort(), "/ws/chat?roomId=\(roomID)", receiveBuffer: 4_096)
        try await slow.event(type: "ready")
        try await slow.stopReading()

        // Some megabytes, more than kernel buffers and the server's own bound.
        let count = 500
        let text = String(repeating: "x", count: 8_000)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<10 {
                group.addTask {
                    for _ in 0..<count / 10 { try await stack.say(text, in: roomID, as: user) }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await quick.log(upTo: Int64(count)).count == count)
        #expect(slow.events.count < count)

        try await slow.resumeReading()
        let log = try await slow.log(upTo: Int64(count))
        #expect(log.map { $0["seq"]?.int } == (1...Int64(count)).map { $0 })
        // It connected without `lastSeq`, so it gets no `caught_up`.
        #expect(!slow.events.contains { $0["eventType"] == "caught_up" })
    }
}
