import CommonUtil
import NIOCore

/// Sends a message until it has an outcome, as a careful client does: with a key, and again with the same key, to whichever
/// message server there is. One without a key is sent once. Confined to its event loop.
final class FaultPoster {
    private let board: LoadBoard
    private let eventLoop: any EventLoop
    private let connection: FaultCaller
    private var backoff = Backoff(first: .milliseconds(50), longest: .milliseconds(500))

    init(board: LoadBoard, eventLoop: any EventLoop) {
        self.board = board
        self.eventLoop = eventLoop
        connection = FaultCaller(ports: board.messagePorts, eventLoop: eventLoop)
    }

    func close() {
        connection.close()
    }

    /// Sends a post of the board.
    /// - Parameters:
    ///   - post: its place among the posts.
    ///   - bytes: the request.
    ///   - onSent: called with each attempt that is on its way.
    ///   - completion: called when nothing more is tried, with the message's id if it is acknowledged.
    func post(
        _ post: Int, _ bytes: ByteBuffer, onSent: @escaping (ChatHTTPClient) -> Void = { _ in },
        then completion: @escaping (_ messageID: Int?) -> Void
    ) {
        guard board.isRetrying else { return finish(nil, completion) }
        connection.call(bytes) { client in
            self.board.posts[post].attempts += 1
            if self.board.posts[post].attempts > 1 { self.board.evidence.retries += 1 }
            onSent(client)
        } then: { outcome in
            var isSafe = self.board.posts[post].isKeyed
            switch outcome {
            case .answered(let response):
                guard self.isRefused(post, response) else {
                    return self.finish(self.board.posts[post].acknowledgement?.messageID, completion)
                }
            case .unanswered:
                self.board.evidence.unanswered += 1
            case .unreached:
                // Nothing has been sent, so even a message without a key may try another way.
                isSafe = true
            }
            guard self.board.isRetrying, isSafe else { return self.finish(nil, completion) }
            self.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(self.backoff.next())) {
                self.post(post, bytes, onSent: onSent, then: completion)
            }
        }
    }

    /// Notes an answer to a post.
    /// - Returns: whether the post was refused for now.
    private func isRefused(_ post: Int, _ response: HTTPResponse) -> Bool {
        switch response.status {
        case 200, 201:
            let frame = EventFrame(response.body)
            guard let seq = frame.seq, let messageID = frame.messageID else {
                board.note("\(response.status) without a message")
                return false
            }
            board.posts[post].outcome = .acknowledged(
                .init(
                    seq: seq, messageID: messageID, at: NIODeadline.now().uptimeNanoseconds, server: connection.server))
            board.acknowledged += 1
        case 429, 503:
            board.evidence.refused += 1
            return true
        case 422 where board.expectsLogLoss:
            // The file that it names can be among what PostgreSQL lost.
            board.posts[post].outcome = .refused(status: response.status)
        default:
            board.posts[post].outcome = .refused(status: response.status)
            board.note("a post answered with \(response.status)")
        }
        return false
    }

    /// Edits or deletes a message. Asked for once: a change has no key that would make it safe to repeat.
    func change(
        _ messageID: Int, in room: String, _ kind: String, _ bytes: ByteBuffer, then completion: @escaping () -> Void
    ) {
        let index = board.changes.count
        board.changes.append(History.Change(room: room, identity: .init(kind: kind, messageID: messageID)))
        connection.call(bytes) { outcome in
            switch outcome {
            case .unanswered: self.board.evidence.unanswered += 1
            case .unreached: break
            case .answered(let response):
                switch response.status {
                case 200, 204: self.board.changes[index].isAcknowledged = true
                case 429, 503: self.board.evidence.refused += 1
                default: self.board.note("a change answered with \(response.status)")
                }
            }
            completion()
        }
    }

    private func finish(_ messageID: Int?, _ completion: (Int?) -> Void) {
        backoff.reset()
        completion(messageID)
    }
}
