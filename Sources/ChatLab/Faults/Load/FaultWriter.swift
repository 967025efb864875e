import CommonUtil
import NIOCore

/// Sends one message after another, as a careful client does: with a key, and again with the same key, to whichever
/// message server there is, until there is an answer. Every few messages go without a key, and then only once, and some are
/// edited or deleted afterwards. Confined to its event loop.
final class FaultWriter {
    private let number: Int
    private let room: String
    private let shape: LoadShape
    private let prefix: String
    private let board: LoadBoard
    private let eventLoop: any EventLoop
    private let caller: PostCall.Caller
    private let request: PostCall
    private let filler: String
    private let connection: FaultCaller
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
        request = PostCall(caller: caller)
        connection = FaultCaller(ports: board.messagePorts, eventLoop: eventLoop)
        filler = shape.filler > 0 ? #","filler":"\#(String(repeating: "x", count: shape.filler))""# : ""
    }

    /// Begins somewhere within the first pace, so that the writers are spread.
    func start() {
        later(shape.pace * Double.random(in: 0...1)) { $0.next() }
    }

    func stop() {
        connection.close()
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
        let message = board.posts[post]
        let bytes = request.bytes(
            room: room, clientMessageID: message.isKeyed ? message.mark : nil,
            extra: #","mark":"\#(message.mark)"\#(filler)"#)
        connection.call(bytes) { client in
            self.board.posts[post].attempts += 1
            if self.board.posts[post].attempts > 1 { self.board.evidence.retries += 1 }
            if self.shape.repeatsAnUnkeyedPost, !message.isKeyed, !self.hasRepeated {
                self.hasRepeated = true
                client.send(bytes) { _ in }
            }
        } then: { outcome in
            switch outcome {
            case .answered(let response):
                self.answered(post, response)
            case .unanswered:
                self.board.evidence.unanswered += 1
                self.again(post)
            case .unreached:
                // Nothing has been sent, so even a message without a key may try another way.
                self.again(post, evenUnkeyed: true)
            }
        }
    }

    private func answered(_ post: Int, _ response: HTTPResponse) {
        switch response.status {
        case 200, 201:
            let frame = EventFrame(response.body)
            guard let seq = frame.seq, let messageID = frame.messageID else {
                board.evidence.oddities["\(response.status) without a message", default: 0] += 1
                return finish()
            }
            board.posts[post].outcome = .acknowledged(
                .init(
                    seq: seq, messageID: messageID, at: NIODeadline.now().uptimeNanoseconds, server: connection.server))
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
        let isEdit = (count / shape.changeEvery).isMultiple(of: 2)
        let kind = isEdit ? History.editKind : History.deletionKind
        let index = board.changes.count
        board.changes.append(History.Change(room: room, identity: .init(kind: kind, messageID: messageID)))
        let request: ChangeCall = isEdit ? .edit(mark: mark) : .delete
        connection.call(request.bytes(caller: caller, messageID: messageID)) { outcome in
            switch outcome {
            case .unanswered: self.board.evidence.unanswered += 1
            case .unreached: break
            case .answered(let response):
                switch response.status {
                case 200, 204: self.board.changes[index].isAcknowledged = true
                case 429, 503: self.board.evidence.refused += 1
                default: self.board.evidence.oddities["a change answered with \(response.status)", default: 0] += 1
                }
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
