import ChatLocalStack
import ChatTestSupport
import Foundation
import Testing

@testable import ChatCommand

@Suite(.timeLimit(.minutes(2))) struct TailTests {
    private func texts(_ lines: [String?]) throws -> [String] {
        try lines.map { line in
            let event = try JSONDecoder().decode([String: JSON].self, from: Data(try #require(line).utf8))
            let content = try #require(event["contentJson"]?.string)
            return try JSONDecoder().decode([String: String].self, from: Data(content.utf8))["text"] ?? ""
        }
    }

    @Test func `every event after a seq is one line of JSON, old ones and live ones`() async throws {
        try await ChatProgramPlace.with { place in
            let room = try await place.stack.room(of: place.user)
            for number in 1...150 { try await place.stack.say("\(number)", in: room, as: place.user) }
            let tail = try place.chat("tail", room, "--after", "10", "--json")
            var lines: [String?] = []
            for _ in 11...150 { lines.append(try await tail.line()) }
            for number in 151...155 { try await place.stack.say("\(number)", in: room, as: place.user) }
            for _ in 151...155 { lines.append(try await tail.line()) }
            #expect(try texts(lines) == (11...155).map(String.init))
            tail.send(signal: SIGINT)
            #expect(await tail.end() == .code(130))
        }
    }

    @Test func `without a position it begins now`() async throws {
        try await ChatProgramPlace.with { place in
            let room = try await place.stack.room(of: place.user)
            try await place.stack.say("before", in: room, as: place.user)
            let tail = try place.chat("tail", room)
            try await tail.waitForComplaint("reading")
            try await place.stack.say("a\u{1B}b", in: room, as: place.user)
            let line = try #require(try await tail.line())
            #expect(line.hasPrefix("2 20") && line.hasSuffix(": a\u{FFFD}b"))
            tail.send(signal: SIGTERM)
            #expect(await tail.end() == .code(143))
        }
    }

    @Test func `a name goes on where it was killed: the last line at most comes again`() async throws {
        try await ChatProgramPlace.with { place in
            let room = try await place.stack.room(of: place.user)
            var tail = try place.chat("tail", room, "--as", "copy", "--json")
            try await tail.waitForComplaint("reading")
            var seen: [String] = []
            for round in 0..<4 {
                for number in 1...10 { try await place.stack.say("\(round)-\(number)", in: room, as: place.user) }
                var new: [String] = []
                while new.last != "\(round)-7" { new += try texts([try await tail.line()]) }
                tail.send(signal: SIGKILL)
                #expect(await tail.end() == .signal(SIGKILL))
                // It may have written more than was read before it was killed.
                new += try texts(try await tail.lines())
                if let last = seen.last, new.first == last { new.removeFirst() }
                seen += new
                tail = try place.chat("tail", room, "--as", "copy", "--json")
            }
            var rest: [String] = []
            while (rest.last ?? seen.last) != "3-10" { rest += try texts([try await tail.line()]) }
            if rest.first == seen.last { rest.removeFirst() }
            #expect(seen + rest == (0..<4).flatMap { round in (1...10).map { "\(round)-\($0)" } })
        }
    }

    @Test func `a line that was cut off by its end is written again as a whole`() async throws {
        try await ChatProgramPlace.with { place in
            let room = try await place.stack.room(of: place.user)
            let first = try place.chat("tail", room, "--as", "cut", "--json")
            try await first.waitForComplaint("reading")
            try await say(String(repeating: "한", count: 2600), 20, in: room, place)
            // A pipe holds 64 KiB: once it is full a line is cut.
            var held = -1
            while await first.unreadBytes() != held || held < 60_000 {
                held = await first.unreadBytes()
                try await Task.sleep(for: .milliseconds(100))
            }
            first.send(signal: SIGKILL)
            #expect(await first.end() == .signal(SIGKILL))
            let whole = try await first.lines().count
            #expect(whole > 0)
            // At once: the name is free.
            let second = try place.chat("tail", room, "--as", "cut", "--json")
            for seq in whole + 1...20 {
                let line = try #require(try await second.line())
                #expect(line.contains("\"seq\":\(seq),") && line.hasSuffix("}"))
            }
        }
    }

    @Test func `a second reader of a name ends with 75, another name reads beside it`() async throws {
        try await ChatProgramPlace.with { place in
            let room = try await place.stack.room(of: place.user)
            let first = try place.chat("tail", room, "--as", "x")
            try await first.waitForComplaint("reading")
            try await place.stack.say("1", in: room, as: place.user)
            _ = try await first.line()
            let second = try place.chat("tail", room, "--as", "x")
            #expect(await second.end() == .code(75))
            let other = try place.chat("tail", room, "--as", "y")
            try await other.waitForComplaint("reading")
            try await place.stack.say("2", in: room, as: place.user)
            #expect(try await other.line()?.hasSuffix(": 2") == true)
            #expect(try await first.line()?.hasSuffix(": 2") == true)
        }
    }

    @Test func `a reader that is gone ends it with 0, also while nothing happens`() async throws {
        try await ChatProgramPlace.with { place in
            let room = try await place.stack.room(of: place.user)
            let tail = try place.chat("tail", room)
            try await tail.waitForComplaint("reading")
            tail.closeOutput()
            #expect(await tail.end() == .code(0))
        }
    }

    @Test func `a reader that is slow gets every line, and costs no memory`() async throws {
        try await ChatProgramPlace.with { place in
            let room = try await place.stack.room(of: place.user)
            let tail = try place.chat("tail", room, "--json")
            try await tail.waitForComplaint("reading")
            let text = String(repeating: "한", count: 2000)
            let before = try residentBytes(tail.processID)
            try await say(text, 1500, in: room, place)
            // 9 MB were sent, of which a pipe holds 64 KiB and the program 256 events.
            #expect(try residentBytes(tail.processID) - before < 8_000_000)
            for number in 1...1500 {
                let line = try #require(try await tail.line())
                #expect(line.contains("\"seq\":\(number),"))
            }
        }
    }

    @Test func `a signal ends it while it waits for a slow reader`() async throws {
        try await ChatProgramPlace.with { place in
            let room = try await place.stack.room(of: place.user)
            let tail = try place.chat("tail", room)
            try await tail.waitForComplaint("reading")
            try await say(String(repeating: "한", count: 2000), 100, in: room, place)
            tail.send(signal: SIGTERM)
            #expect(await tail.end() == .code(143))
        }
    }

    @Test func `a WebSocket server that is killed and comes back ends nothing, and no event is missing`() async throws {
        try await ChatProgramPlace.with { place in
            let room = try await place.stack.room(of: place.user)
            let sockets = try place.stack.makeServer(.webSocket)
            try await sockets.start(timeout: .seconds(60))
            let addresses = ["CHAT_PUBLIC_WEBSOCKET_URL": ":\(sockets.port)"]
            try await place.stack.withServer(.system, addresses) { system in
                let tail = try place.chat("tail", room, "--json", url: system.url)
                try await tail.waitForComplaint("reading")
                var lines: [String?] = []
                for number in 1...5 { try await place.stack.say("\(number)", in: room, as: place.user) }
                for _ in 1...5 { lines.append(try await tail.line()) }
                try await sockets.kill()
                for number in 6...10 { try await place.stack.say("\(number)", in: room, as: place.user) }
                try await tail.waitForComplaint("no connection")
                try await sockets.start(timeout: .seconds(60))
                for _ in 6...10 { lines.append(try await tail.line()) }
                try await tail.waitForComplaint("connected")
                #expect(try texts(lines) == (1...10).map(String.init))
                tail.send(signal: SIGINT)
                #expect(await tail.end() == .code(130))
            }
            try await sockets.stop()
        }
    }

    @Test(arguments: ["abcdefgh", "-bcdefgh"])
    func `another log is a line and 65`(mark: String) async throws {
        try await ChatProgramPlace.with { place in
            let room = try await place.stack.room(of: place.user)
            try await place.stack.say("1", in: room, as: place.user)
            let tail = try place.chat("tail", room, "--after", "1", "--mark", mark, "--json")
            let line = try #require(try await tail.line())
            #expect(line.hasPrefix(#"{"eventType":"reset","roomId":"\#(room)","seq":1,"mark":""#))
            #expect(await tail.end() == .code(65))
        }
    }

    @Test func `a log that is set back while it is read is a line and 65, with a name and without`() async throws {
        try await ChatProgramPlace.with { place in
            for arguments in [["--json"], ["--as", "x"]] {
                let room = try await place.stack.room(of: place.user)
                let tail = try ChatProgram(
                    ["tail", room] + arguments, system: place.stack.processes.systemServer.url, folder: place.folder,
                    token: place.user.token)
                try await tail.waitForComplaint("reading")
                for number in 1...3 { try await place.stack.say("\(number)", in: room, as: place.user) }
                for _ in 1...3 { _ = try await tail.line() }
                _ = try await place.stack.processes.postgres.run(
                    sql: """
                        BEGIN;
                        DELETE FROM messages WHERE room_id = '\(room)' AND seq > 1;
                        UPDATE rooms SET last_seq = 1 WHERE room_id = '\(room)';
                        COMMIT
                        """)
                let lines = try await tail.lines()
                #expect(lines.count == 1)
                #expect(lines.first?.hasPrefix(#"{"eventType":"reset","roomId":"\#(room)","seq":1,"mark":""#) == true)
                #expect(await tail.end() == .code(65))
            }
        }
    }

    @Test func `a removal ends it with 77, after the last event that may be read`() async throws {
        try await ChatProgramPlace.with { place in
            let owner = try await place.stack.user()
            let room = try await place.stack.room(of: owner, with: [place.user])
            let tail = try place.chat("tail", room)
            try await tail.waitForComplaint("reading")
            let path = "/api/v1/rooms/\(room)/members/\(place.user.userID)"
            _ = try await place.stack.system.send(.delete, path, as: owner.credentials).require(204, "remove")
            #expect(try await tail.lines().allSatisfy { $0.hasSuffix(" left") })
            #expect(await tail.end() == .code(77))
        }
    }

    @Test func `rooms that are not there, and rooms of others, have codes of their own`() async throws {
        try await ChatProgramPlace.with { place in
            let owner = try await place.stack.user()
            let hidden = try await place.stack.room("private", of: owner)
            let open = try await place.stack.room("public", of: owner)
            for (room, code) in [("no-such-room", 66), (hidden, 66), (open, 77)] {
                let tail = try place.chat("tail", room)
                #expect(await tail.end() == .code(Int32(code)), "\(room)")
            }
        }
    }

    @Test(arguments: [
        ["tail"], ["tail", "a b"], ["tail", "a", "--mark", "abcdef"], ["tail", "a", "--after", "-1"],
        ["tail", "a", "--after", "1", "--mark", "a.b.c.d"],
        ["tail", "a", "--after", "1", "--as", "x"], ["tail", "a", "--as", ""], ["post", "a", ""],
        ["post", "a", "b", "--key-prefix", "c d"], ["post", "a", "b", "--timeout", "0"], ["rooms", "--url", "x"],
    ])
    func `wrong usage ends with 64`(arguments: [String]) async throws {
        let program = try ChatProgram(arguments, system: "http://127.0.0.1:1", folder: "/nonexistent", token: "t")
        #expect(await program.end() == .code(64))
    }

    /// Posts some at a time, in any order. Holds no answer against the description: of this many that takes longest.
    private func say(_ text: String, _ count: Int, in room: String, _ place: ChatProgramPlace) async throws {
        let messages = RESTClient(baseURL: place.stack.processes.messageServers[0].url)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<10 {
                group.addTask {
                    for _ in 0..<count / 10 {
                        try await messages.post(
                            "/api/v1/messages", SharedStack.post("\(worker) \(text)", in: room),
                            as: place.user.credentials
                        ).require(201, "post")
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func residentBytes(_ processID: Int32) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(processID)/statm", encoding: .utf8)
        return (Int(text.split(separator: " ")[1]) ?? 0) * 4096
    }
}
