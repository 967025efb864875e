import ChatClient
import ChatLocalStack
import Foundation

/// Sends lines in order, or a file, and reports what became of each.
struct PostRun: Sendable {
    /// How many lines may be read and not be stored yet.
    static let maximumAhead = 100

    /// A line that was put in the client's outbox, or cannot be.
    private enum Sent: Sendable {
        case post(Int, Post)
        case refused(PostReport)
    }

    let room: ChatRoom
    let prefix: KeyPrefix?
    let isJSON: Bool
    let output = StandardOutput()

    /// - Returns: how many lines were refused.
    /// - Throws: ``CommandFailure`` where no line of this room can be stored.
    func send(_ next: @escaping @Sendable () async throws -> LineSplitter.Line?) async throws -> Int {
        // One element a line that may be read.
        let (places, freed) = AsyncStream.makeStream(of: Void.self)
        for _ in 0..<Self.maximumAhead { freed.yield() }
        let (sent, sending) = AsyncStream.makeStream(of: Sent.self)
        return try await withThrowingTaskGroup(of: Int?.self) { group in
            group.addTask {
                defer { sending.finish() }
                for await _ in places {
                    guard let line = try await next() else { break }
                    sending.yield(await post(line))
                }
                return nil
            }
            group.addTask {
                var refused = 0
                for await item in sent {
                    if try await !report(item) { refused += 1 }
                    freed.yield()
                }
                try Task.checkCancellation()
                return refused
            }
            defer { group.cancelAll() }
            while let result = try await group.next() {
                if let result { return result }
            }
            throw CancellationError()
        }
    }

    /// Uploads a file and sends it as one message, which counts as line 1.
    /// - Returns: how many files were refused.
    /// - Throws: ``CommandFailure`` where nothing can be stored in this room.
    func send(file path: String, caption: String?) async throws -> Int {
        let key = prefix?.key(ofLine: 1)
        let sent: Sent
        do {
            sent = .post(1, try await room.sendFile(OutgoingFile(path: path), caption: caption, key: key))
        } catch let error as ChatError where error.code != .closed && error.code != .signedOut {
            sent = .refused(
                PostReport(
                    number: 1, key: key,
                    outcome: .refused(code: error.code.rawValue, message: error.message, isCertain: true)))
        }
        return try await report(sent) ? 0 : 1
    }

    private func post(_ line: LineSplitter.Line) async -> Sent {
        let key = prefix?.key(ofLine: line.number)
        let text: String
        switch line.content {
        case .text(let content): text = content
        case .tooLong:
            return .refused(
                PostReport(
                    number: line.number, key: key,
                    outcome: .refused(
                        code: ChatError.Code.tooLarge.rawValue, message: "The line is too long", isCertain: true)))
        case .notUTF8:
            return .refused(
                PostReport(
                    number: line.number, key: key,
                    outcome: .refused(
                        code: ChatError.Code.invalid.rawValue, message: "The line is not UTF-8", isCertain: true)))
        }
        let post = room.post(MessageContent(text: text), key: key)
        // The next one must come behind it. If it cannot be kept, `stored()` throws the reason, too.
        _ = try? await post.kept()
        return .post(line.number, post)
    }

    /// - Returns: whether it was stored.
    private func report(_ item: Sent) async throws -> Bool {
        let report: PostReport
        switch item {
        case .refused(let refusal): report = refusal
        case .post(let number, let post):
            do {
                let message = try await post.stored()
                report = PostReport(
                    number: number, key: post.key,
                    outcome: .stored(messageID: message.messageID, seq: message.seq))
            } catch let error as ChatError {
                if error.code == .closed { throw error }
                report = PostReport(
                    number: number, key: post.key,
                    outcome: .refused(code: error.code.rawValue, message: error.message, isCertain: post.isCertain))
            }
        }
        if isJSON {
            // Whether somebody reads the report does not matter to what is sent.
            do { try await output.write(line: report.json) } catch is OutputClosed {}
        }
        if let complaint = report.complaint { Terminal.printError(complaint) }
        guard case .refused(let code, _, _) = report.outcome else { return true }
        // Nothing else of this run can be stored either.
        switch ChatError.Code(rawValue: code) {
        case .roomNotFound: throw CommandFailure.noRoom(room.id)
        case .notAMember:
            throw CommandFailure(CommandFailure.notSignedInCode, "you are not in the room \(room.id)")
        default: return false
        }
    }
}
