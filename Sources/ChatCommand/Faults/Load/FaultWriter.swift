import CommonUtil
import NIOCore

/// Sends one message after another, as a careful client does: with a key, and again with the same key, to whichever
/// message server there is, until there is an answer. Every few messages go without a key, and then only once, and some are
/// edited or deleted afterwards. Lives on its event loop.
final class FaultWriter {
    private static let answerTime = TimeAmount.seconds(5)

    private let number: Int
    private let room: String
    private let shape: LoadShape
    private let prefix: String
    private let board: LoadBoard
    private let eventLoop: any EventLoop
    private let caller: PostRequest.Caller
    private let request: PostRequest
    private let filler: String
    private var client: ChatHTTPClient?
    private var server = 0
    private var count = 0
    private var backoff = Backoff(first: .milliseconds(50), longest: .milliseconds(500))
    private var hasRepeated = false

    init(number: Int, room: String, shape: LoadShape, prefix: String, board: LoadBoard, eventLoop: any EventLoop) {
        self.number = number
        self.room = room
        self.shape = shape
        self.prefix = prefix
        self.board = board
        self.eventLoop = eventLoop
        caller = .userID(number + 1)
        request = PostRequest(caller: caller)
        filler = shape.filler > 0 ? #","filler":"\#(String(repeating: "x", count: shape.filler))""# : ""
    }

    /// Begins somewhere within the first pace, so that the writers are spread.
    func start() {
        later(shape.pace * Double.random(in: 0...1)) { $0.next() }
    }

    func stop() {
        client?.close()
        client = nil
    }

    private func next() {
        guard board.isPosting else { return }
        count += 1
        let isKeyed = shape.unkeyedEvery == 0 || count % shape.unkeyedEvery != 0
        board.posts.append(
            History.Post(
                mark: "\(prefix)-\(number)-\(count)", room: room, writer: number, isKeyed: isKeyed,
                firstSent: NIODeadline.now().uptimeNanoseconds))
        board.busyWriters += 1
        attempt(board.posts.count - 1)
    }

    private func attempt(_ post: Int) {
        guard board.isRetrying else { return finish() }
        if let client { return send(post, client) }
        guard let port = board.messagePorts.randomElement() else { return }
        let me = NIOLoopBound(self, eventLoop: eventLoop)
        ChatHTTPClient.connect(port: port, on: eventLoop) { me.value.client = $0 }
            .assumeIsolated()
            .whenComplete { result in
                self.server = port
                switch result {
                case .success:
                    if let client = self.client { self.send(post, client) }
                case .failure:
                    // Nothing has been sent, so even a message without a key may try another way.
                    self.again(post, evenUnkeyed: true)
                }
            }
    }

    private func send(_ post: Int, _ client: ChatHTTPClient) {
        board.posts[post].attempts += 1
        if board.posts[post].attempts > 1 { board.evidence.retries += 1 }
        let message = board.posts[post]
        let bytes = request.bytes(
            room: room, clientMessageID: message.isKeyed ? message.mark : nil,
            extra: #","mark":"\#(message.mark)"\#(filler)"#)
        let timeout = eventLoop.assumeIsolated().scheduleTask(in: Self.answerTime) { client.close() }
        client.send(bytes) { response in
            timeout.cancel()
            self.answered(post, response)
        }
        if shape.repeatsAnUnkeyedPost, !message.isKeyed, !hasRepeated {
            hasRepeated = true
            client.send(bytes) { _ in }
        }
    }

    private func answered(_ post: Int, _ response: HTTPResponse?) {
        guard let response else {
            board.evidence.unanswered += 1
            client = nil
            return again(post)
        }
        switch response.status {
        case 200, 201:
            let frame = EventFrame(response.body)
            guard let seq = frame.seq, let messageID = frame.messageID else {
                board.evidence.oddities["\(response.status) without a message", default: 0] += 1
                return finish()
            }
            board.posts[post].outcome = .acknowledged(
                .init(seq: seq, messageID: messageID, at: NIODeadline.now().uptimeNanoseconds, server: server))
            board.acknowledged += 1
            if shape.changeEvery > 0, count.isMultiple(of: shape.changeEvery) {
                change(messageID, mark: board.posts[post].mark)
            } else {
                finish()
            }
        case 429, 503:
            board.evidence.refused += 1
            again(post)
        default:
            board.posts[post].outcome = .refused(status: response.status)
            board.evidence.oddities["a post answered with \(response.status)", default: 0] += 1
            finish()
        }
    }

    /// Edits or deletes a message. Asked for once: a change has no key that would make it safe to repeat.
    private func change(_ messageID: Int, mark: String) {
        guard let client else { return finish() }
        let isEdit = (count / shape.changeEvery).isMultiple(of: 2)
        let kind = isEdit ? History.editKind : History.deletionKind
        let index = board.changes.count
        board.changes.append(History.Change(room: room, identity: .init(kind: kind, messageID: messageID)))
        let request: ChangeRequest = isEdit ? .edit(mark: mark) : .delete
        let timeout = eventLoop.assumeIsolated().scheduleTask(in: Self.answerTime) { client.close() }
        client.send(request.bytes(caller: caller, messageID: messageID)) { response in
            timeout.cancel()
            switch response?.status {
            case nil:
                self.board.evidence.unanswered += 1
                self.client = nil
            case 200, 204: self.board.changes[index].isAcknowledged = true
            case 429, 503: self.board.evidence.refused += 1
            case .some(let status):
                self.board.evidence.oddities["a change answered with \(status)", default: 0] += 1
            }
            self.finish()
        }
    }

    /// Tries the same message again, if that is safe.
    private func again(_ post: Int, evenUnkeyed: Bool = false) {
        guard board.isRetrying, board.posts[post].isKeyed || evenUnkeyed else { return finish() }
        later(backoff.next()) { $0.attempt(post) }
    }

    private func finish() {
        backoff.reset()
        board.busyWriters -= 1
        board.progress()
        later(shape.pace * Double.random(in: 0.75...1.25)) { $0.next() }
    }

    private func later(_ time: Duration, _ body: @escaping (FaultWriter) -> Void) {
        eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(time)) { body(self) }
    }
}
