import ChatLocalStack
import ChatTestSupport
import Foundation
import Testing

@testable import ChatCommand

@Suite(.timeLimit(.minutes(2))) struct PostTests {
    /// The texts and keys of a room's messages.
    private func stored(_ place: ChatProgramPlace, _ room: String) async throws -> [[String]] {
        try await place.stack.log(of: room, as: place.user).map { event in
            let content = Data((event["contentJson"]?.string ?? "").utf8)
            let text = try JSONDecoder().decode([String: String].self, from: content)["text"] ?? ""
            return [event["clientMessageId"]?.string ?? "", text]
        }
    }

    @Test func `lines are stored in order, the key of line n is P-n, empty ones count`() async throws {
        try await ChatProgramPlace.with { place in
            let room = try await place.stack.room(of: place.user)
            let post = try place.chat("post", room, "--key-prefix", "run.1")
            try post.write("one\n\nthree\nfour")
            post.closeInput()
            #expect(await post.end() == .code(0))
            #expect(
                try await stored(place, room) == [["run.1-1", "one"], ["run.1-3", "three"], ["run.1-4", "four"]])
        }
    }

    @Test func `a text is one post, and its report one line`() async throws {
        try await ChatProgramPlace.with { place in
            let room = try await place.stack.room(of: place.user)
            let post = try place.chat("post", room, "a\nb", "--key-prefix", "-k", "--json")
            let line = try #require(try await post.line())
            #expect(line.hasPrefix(#"{"line":1,"key":"-k-1","state":"stored","messageId":"#))
            #expect(await post.end() == .code(0))
            #expect(try await stored(place, room) == [["-k-1", "a\nb"]])
        }
    }

    @Test func `a file is one message with the text as its caption, stored once for a prefix`() async throws {
        try await ChatProgramPlace.with { place in
            let room = try await place.stack.room(of: place.user)
            let path = FileManager.default.temporaryDirectory.appendingPathComponent("chat-\(UUID().uuidString).txt")
                .path
            defer { try? FileManager.default.removeItem(atPath: path) }
            try Data("hello".utf8).write(to: URL(fileURLWithPath: path))
            for _ in 1...2 {
                let post = try place.chat("post", room, "c", "--file", path, "--key-prefix", "k", "--json")
                let line = try #require(try await post.line())
                #expect(line.hasPrefix(#"{"line":1,"key":"k-1","state":"stored","messageId":"#))
                #expect(await post.end() == .code(0))
            }
            let log = try await place.stack.log(of: room, as: place.user)
            try #require(log.count == 1)
            let content = Data((log[0]["contentJson"]?.string ?? "").utf8)
            let payload = try #require(try JSONSerialization.jsonObject(with: content) as? [String: Any])
            #expect(payload["caption"] as? String == "c")
            #expect(payload["fileSize"] as? Int == 5)
            #expect(payload["mimeType"] as? String == "text/plain")
            #expect((payload["fileId"] as? String)?.isEmpty == false)
        }
    }

    @Test func `a file that is refused ends it with 65, one that is not there with 64`() async throws {
        try await ChatProgramPlace.with { place in
            let room = try await place.stack.room(of: place.user)
            let path = FileManager.default.temporaryDirectory.appendingPathComponent("chat-\(UUID().uuidString).txt")
                .path
            let missing = try place.chat("post", room, "--file", path)
            #expect(await missing.end() == .code(64))
            try Data().write(to: URL(fileURLWithPath: path))
            defer { try? FileManager.default.removeItem(atPath: path) }
            let post = try place.chat("post", room, "--file", path)
            #expect(await post.end() == .code(65))
            #expect(try await post.allComplaints().contains { $0.contains("validation_failed") })
            let elsewhere = try place.chat("post", "none", "--file", path)
            #expect(await elsewhere.end() == .code(66))
        }
    }

    @Test func `refused lines are reported with their number, the others go on, and it ends with 65`() async throws {
        try await ChatProgramPlace.with { place in
            let room = try await place.stack.room(of: place.user)
            let post = try place.chat("post", room, "--key-prefix", "r")
            try post.write("a\n" + String(repeating: "x", count: 8001) + "\nb\n")
            try post.write(String(repeating: "x", count: 70_000) + "\nc\n")
            post.closeInput()
            #expect(await post.end() == .code(65))
            let complaints = try await post.allComplaints()
            #expect(complaints.filter { $0.contains("line 2:") }.count == 1)
            #expect(complaints.filter { $0.contains("line 4: too_large") }.count == 1)
            #expect(try await stored(place, room).map { $0[1] } == ["a", "b", "c"])
        }
    }

    @Test func `what was killed and is sent again with its prefix is stored once`() async throws {
        try await ChatProgramPlace.with { place in
            let room = try await place.stack.room(of: place.user)
            let input = (1...300).map { "line \($0)\n" }.joined()
            for stop in [20, 90, 200] {
                let post = try place.chat("post", room, "--key-prefix", "once", "--json")
                try post.write(input)
                for _ in 0..<stop { _ = try await post.line() }
                post.send(signal: SIGKILL)
                #expect(await post.end() == .signal(SIGKILL))
            }
            let last = try place.chat("post", room, "--key-prefix", "once")
            try last.write(input)
            last.closeInput()
            #expect(await last.end() == .code(0))
            #expect(try await stored(place, room) == (1...300).map { ["once-\($0)", "line \($0)"] })
        }
    }

    @Test func `a message server that is away for a while costs nothing but time`() async throws {
        try await ChatProgramPlace.with { place in
            // A stack of its own address book: the message server is one that this test may stop.
            let room = try await place.stack.room(of: place.user)
            let messages = try place.stack.makeServer(.message)
            try await place.stack.withServer(
                .system, ["CHAT_PUBLIC_MESSAGE_URL": ":\(messages.port)"]
            ) { system in
                let post = try place.chat("post", room, "--key-prefix", "w", url: system.url)
                try post.write("1\n2\n")
                try await messages.start(timeout: .seconds(60))
                try post.write("3\n")
                post.closeInput()
                #expect(await post.end() == .code(0))
                try await messages.stop()
            }
            #expect(try await stored(place, room).map { $0[1] } == ["1", "2", "3"])
        }
    }

    @Test func `at most 100 lines are read ahead of what is stored, and the rest is left for others`() async throws {
        try await ChatProgramPlace.with { place in
            let room = try await place.stack.room(of: place.user)
            // The message server never comes: nothing is stored.
            try await place.stack.withServer(
                .system, ["CHAT_PUBLIC_MESSAGE_URL": ":\(FreePort.next())"]
            ) { system in
                let input = Pipe()
                let others = FileHandle(
                    fileDescriptor: fcntl(input.fileHandleForReading.fileDescriptor, F_DUPFD_CLOEXEC, 0),
                    closeOnDealloc: true)
                let post = try place.chat("post", room, url: system.url, input: input)
                try post.write((1...300).map { "\($0)\n" }.joined())
                post.closeInput()
                let left = (101...300).map { "\($0)\n" }.joined()
                let deadline = ContinuousClock.now + .seconds(60)
                // The kernel does not report that somebody has read from a pipe.
                while unreadBytes(others) > left.utf8.count {
                    try #require(ContinuousClock.now < deadline)
                    try await Task.sleep(for: .milliseconds(50))
                }
                // Time to read more, which it must not.
                try await Task.sleep(for: .seconds(1))
                post.send(signal: SIGTERM)
                #expect(await post.end() == .code(143))
                #expect(String(decoding: try others.readToEnd() ?? Data(), as: UTF8.self) == left)
            }
        }
    }

    /// Bytes that were written to a pipe and not read yet.
    private func unreadBytes(_ pipe: FileHandle) -> Int {
        var count: Int32 = 0
        return ioctl(pipe.fileDescriptor, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
    }

    @Test func `what is not stored in time ends it with 69`() async throws {
        try await ChatProgramPlace.with { place in
            let program = try place.chat(
                "post", "a", "b", "--timeout", "0.5", url: "http://127.0.0.1:\(FreePort.next())")
            #expect(await program.end() == .code(69))
            let room = try await place.stack.room(of: place.user)
            // It also waits no longer for lines that do not come.
            let waiting = try place.chat("post", room, "--timeout", "0.5")
            #expect(await waiting.end() == .code(69))
        }
    }

    @Test func `no such room, a room of others and a wrong token have codes of their own`() async throws {
        try await ChatProgramPlace.with { place in
            let owner = try await place.stack.user()
            let open = try await place.stack.room("public", of: owner)
            #expect(try await place.chat("post", "no-such-room", "a").end() == .code(66))
            #expect(try await place.chat("post", open, "a").end() == .code(77))
            let wrong = try ChatProgram(
                ["post", open, "a"], system: place.stack.processes.systemServer.url, folder: place.folder,
                token: "e30.eyJzdWIiOiI3IiwiZXhwIjo5OTk5OTk5OTk5fQ.AAAA")
            #expect(await wrong.end() == .code(77))
        }
    }

    @Test func `a signal ends it`() async throws {
        try await ChatProgramPlace.with { place in
            let room = try await place.stack.room(of: place.user)
            for (signal, code) in [(SIGINT, 130), (SIGTERM, 143)] {
                let post = try place.chat("post", room, "--json")
                try post.write("a\n")
                _ = try await post.line()
                post.send(signal: signal)
                #expect(await post.end() == .code(Int32(code)))
            }
        }
    }
}
