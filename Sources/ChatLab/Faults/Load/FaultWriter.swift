import CommonUtil
import NIOCore

/// Sends one message after another (``FaultPoster``). Every few messages go without a key, and some are edited or deleted
/// afterwards. Confined to its event loop.
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
    private let poster: FaultPoster
    private var count = 0
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
        poster = FaultPoster(board: board, eventLoop: eventLoop)
        filler = shape.filler > 0 ? #","filler":"\#(String(repeating: "x", count: shape.filler))""# : ""
    }

    /// Begins somewhere within the first pace, so that the writers are spread.
    func start() {
        later(shape.pace * Double.random(in: 0...1)) { $0.next() }
    }

    func stop() {
        poster.close()
    }

    private func next() {
        guard board.isPosting else { return }
        count += 1
        let mark = "\(prefix)-\(number)-\(count)"
        let isKeyed = shape.unkeyedEvery == 0 || count % shape.unkeyedEvery != 0
        board.posts.append(
            History.Post(
                mark: mark, room: room, writer: number, isKeyed: isKeyed,
                firstSent: NIODeadline.now().uptimeNanoseconds))
        board.busyWriters += 1
        let bytes = request.bytes(
            room: room, clientMessageID: isKeyed ? mark : nil, extra: #","mark":"\#(mark)"\#(filler)"#)
        poster.post(board.posts.count - 1, bytes) { client in
            guard self.shape.repeatsAnUnkeyedPost, !isKeyed, !self.hasRepeated else { return }
            self.hasRepeated = true
            client.send(bytes) { _ in }
        } then: { messageID in
            guard let messageID, self.shape.changeEvery > 0, self.count.isMultiple(of: self.shape.changeEvery) else {
                return self.finish()
            }
            self.change(messageID, mark: mark)
        }
    }

    private func change(_ messageID: Int, mark: String) {
        let isEdit = (count / shape.changeEvery).isMultiple(of: 2)
        let request: ChangeCall = isEdit ? .edit(mark: mark) : .delete
        poster.change(
            messageID, in: room, isEdit ? History.editKind : History.deletionKind,
            request.bytes(caller: caller, messageID: messageID)
        ) {
            self.finish()
        }
    }

    private func finish() {
        board.busyWriters -= 1
        board.progress()
        later(shape.pace * Double.random(in: 0.75...1.25)) { $0.next() }
    }

    private func later(_ time: Duration, _ body: @escaping (FaultWriter) -> Void) {
        eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(time)) { body(self) }
    }
}
