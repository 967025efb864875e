import CommonUtil
import Foundation
import NIOCore

/// Uploads one file after another, as a careful client does: with a key, and again with the same key, to whichever message
/// server there is, until there is an answer. Most of the files are then named by a message; of those some messages are
/// deleted. Some files are deleted, and some stay as they are. Confined to its event loop.
final class FaultUploader {
    /// A moment in the life of a file at which a server can be killed.
    enum Moment: CaseIterable, Sendable {
        /// Some of the bytes are sent.
        case sending
        /// All are sent, and there is no answer yet.
        case sent
        /// It is stored, and no message names it yet.
        case stored
    }

    private struct File: Decodable {
        var fileId: String
        var fileSize: Int
        var sha256: String
    }

    private static let firstUserID = 7001
    /// Its posts are distinguished from those of other writers by numbers from here on.
    static let firstWriter = 10_000
    /// One in this many files is large, and sent in pieces that take a while.
    private static let largeEvery = 8
    private static let small = 64...32_768
    private static let large = (1 << 20)...UploadContent.largest
    private static let pieceBytes = 256 * 1024
    private static let pieceTime = TimeAmount.milliseconds(25)
    private static let answerTime = TimeAmount.seconds(15)
    /// What becomes of the files, by turns.
    private static let turns = 6

    private let number: Int
    private let room: String
    private let shape: LoadShape
    private let prefix: String
    private let board: LoadBoard
    private let eventLoop: any EventLoop
    private let caller: PostCall.Caller
    private let connection: FaultCaller
    private let poster: FaultPoster
    private var backoff = Backoff(first: .milliseconds(50), longest: .milliseconds(500))
    private var turn: Scheduled<Void>?
    private var count = 0
    private var content: UploadContent?
    /// Counts what begins and ends a request, so that pieces of an earlier one are not sent any more.
    private var exchange = 0
    private(set) var moment: Moment?
    /// The place of the present file among the uploads of the board.
    private(set) var upload = 0

    init(number: Int, room: String, shape: LoadShape, prefix: String, board: LoadBoard, eventLoop: any EventLoop) {
        self.number = number
        self.room = room
        self.shape = shape
        self.prefix = prefix
        self.board = board
        self.eventLoop = eventLoop
        caller = .userID(Self.firstUserID + number)
        connection = FaultCaller(ports: board.messagePorts, eventLoop: eventLoop, answerTime: Self.answerTime)
        poster = FaultPoster(board: board, eventLoop: eventLoop)
    }

    /// The port of the server that has the present file.
    var server: Int { connection.server }

    /// Begins somewhere within the first pace, so that the uploads are spread. May be called again after a pause.
    func start() {
        later(shape.uploadPace * Double.random(in: 0...1)) { $0.next() }
    }

    func stop() {
        connection.close()
        poster.close()
    }

    // MARK: The upload

    private func next() {
        guard board.isPosting else { return }
        count += 1
        let mark = "\(prefix)-f\(number)-\(count)"
        let isLarge = (count + number).isMultiple(of: Self.largeEvery)
        let content = UploadContent(mark: mark, size: .random(in: isLarge ? Self.large : Self.small))
        self.content = content
        upload = board.uploads.count
        board.uploads.append(
            History.Upload(mark: mark, room: room, size: content.bytes.readableBytes, sha256: content.sha256))
        board.busyWriters += 1
        attempt()
    }

    private func attempt() {
        guard board.isRetrying, let content else { return finish() }
        var rest = content.bytes
        var bytes = UploadCall(caller: caller).head(
            room: room, name: board.uploads[upload].mark, key: board.uploads[upload].mark, size: rest.readableBytes)
        if var piece = rest.readSlice(length: min(rest.readableBytes, Self.pieceBytes)) { bytes.writeBuffer(&piece) }
        exchange += 1
        let exchange = exchange
        connection.call(bytes) { client in
            self.send(rest, of: exchange, client)
        } then: { outcome in
            self.exchange += 1
            // What is left of a body would be taken for the next request.
            if self.moment == .sending { self.connection.close() }
            self.moment = nil
            switch outcome {
            case .answered(let response): self.answered(response)
            case .unanswered:
                self.board.evidence.uploadsUnanswered += 1
                self.again()
            case .unreached: self.again()
            }
        }
    }

    /// Sends what is left of a body, a piece at a time.
    private func send(_ rest: ByteBuffer, of exchange: Int, _ client: ChatHTTPClient) {
        guard exchange == self.exchange else { return }
        moment = rest.readableBytes > 0 ? .sending : .sent
        board.progress()
        guard rest.readableBytes > 0 else { return }
        eventLoop.assumeIsolated().scheduleTask(in: Self.pieceTime) {
            guard exchange == self.exchange else { return }
            var rest = rest
            if let piece = rest.readSlice(length: min(rest.readableBytes, Self.pieceBytes)) { client.write(piece) }
            self.send(rest, of: exchange, client)
        }
    }

    private func answered(_ response: HTTPResponse) {
        switch response.status {
        case 200, 201:
            let upload = board.uploads[upload]
            guard let file = try? JSONDecoder().decode(File.self, from: Data(response.body.readableBytesView)),
                file.sha256 == upload.sha256, file.fileSize == upload.size
            else {
                board.note("an upload answered with another file")
                return finish()
            }
            board.uploads[self.upload].outcome = .acknowledged(
                fileID: file.fileId, at: NIODeadline.now().uptimeNanoseconds)
            board.evidence.uploadsStored += 1
            moment = .stored
            board.progress()
            later(.milliseconds(.random(in: 0...100))) { $0.use(file.fileId) }
        case 429, 503:
            board.evidence.uploadsRefused += 1
            board.progress()
            if response.retryAfter == nil { board.note("an upload refused with \(response.status) and no Retry-After") }
            again()
        case 409 where String(buffer: response.body).contains("upload_in_progress"):
            // The server has not given up an attempt yet that this client has.
            again()
        default:
            board.note("an upload answered with \(response.status)")
            finish()
        }
    }

    private func again() {
        guard board.isRetrying else { return finish() }
        later(backoff.next()) { $0.attempt() }
    }

    // MARK: The file

    private func use(_ fileID: String) {
        // The first files of four uploaders go each of these ways, so that all are taken in the shortest run.
        switch (count - 1 + number) % Self.turns {
        case 0: finish()
        case 1 where shape.changeEvery > 0: remove(fileID)
        case 2: post(fileID, isDeleted: shape.changeEvery > 0)
        default: post(fileID, isDeleted: false)
        }
    }

    /// Names the file in a message.
    private func post(_ fileID: String, isDeleted: Bool) {
        let mark = board.uploads[upload].mark
        board.posts.append(
            History.Post(
                mark: mark, room: room, writer: Self.firstWriter + number, isKeyed: true,
                firstSent: NIODeadline.now().uptimeNanoseconds))
        let bytes = PostCall(caller: caller).bytes(room: room, clientMessageID: mark, fileID: fileID, mark: mark)
        poster.post(board.posts.count - 1, bytes) { messageID in
            self.moment = nil
            guard let messageID, isDeleted else { return self.finish() }
            self.poster.change(
                messageID, in: self.room, History.deletionKind,
                ChangeCall.delete.bytes(caller: self.caller, messageID: messageID)
            ) {
                self.finish()
            }
        }
    }

    /// Deletes the file. Asked for once.
    private func remove(_ fileID: String) {
        moment = nil
        board.uploads[upload].deletion = .asked
        connection.call(UploadCall(caller: caller).deletion(of: fileID)) { outcome in
            if case .answered(let response) = outcome {
                switch response.status {
                case 204: self.board.uploads[self.upload].deletion = .acknowledged
                case 429, 503: self.board.evidence.uploadsRefused += 1
                default: self.board.note("the deletion of a file answered with \(response.status)")
                }
            }
            self.finish()
        }
    }

    private func finish() {
        backoff.reset()
        moment = nil
        board.busyWriters -= 1
        board.progress()
        later(shape.uploadPace * Double.random(in: 0.75...1.25)) { $0.next() }
    }

    private func later(_ time: Duration, _ body: @escaping (FaultUploader) -> Void) {
        turn?.cancel()
        turn = eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(time)) { body(self) }
    }
}
