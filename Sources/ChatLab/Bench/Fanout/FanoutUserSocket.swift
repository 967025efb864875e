import Foundation
import NIOCore

/// One user socket of a fanout bench: every event must be the next of its room. The rooms of a user are consecutive, so
/// that a place is found without hashing.
final class FanoutUserSocket {
    private static let kindKey = Array(#""eventType":""#.utf8)
    private static let unread = -1

    private let roomKey: [UInt8]
    private let firstRoom: Int
    private let rooms: Int
    private let board: FanoutBoard
    private let ready: EventLoopPromise<Void>
    private let send: (String) -> Void
    /// The last `seq` of each room, counted from the first one.
    private var cursors: [Int]
    private var isSynced = false

    /// - Parameters:
    ///   - prefix: begins the rooms' ids, before their numbers.
    ///   - send: sends a text on the socket.
    init(
        prefix: String, firstRoom: Int, rooms: Int, board: FanoutBoard, ready: EventLoopPromise<Void>,
        send: @escaping (String) -> Void
    ) {
        roomKey = Array(#""roomId":"\#(prefix)-"#.utf8)
        self.firstRoom = firstRoom
        self.rooms = rooms
        self.board = board
        self.ready = ready
        self.send = send
        cursors = Array(repeating: Self.unread, count: rooms)
    }

    func handle(_ event: ChatWebSocketClient.Event) {
        switch event {
        case .text(let text): take(text)
        case .closed(let code):
            let reason = "user socket closed with \(code.map(String.init) ?? "no code")"
            ready.fail(ChatWebSocketClient.Refused(description: reason))
            if !board.isDone, board.onProgress == nil || !board.isComplete { board.note(error: reason) }
        }
    }

    private func take(_ text: ByteBuffer) {
        let fields = FrameFields(text)
        // Only events of logs have both while nothing is reset.
        guard isSynced, let seq = fields.seq, let room = roomNumber(of: text) else { return takeOther(text) }
        let place = (room - firstRoom + board.rooms.count) % board.rooms.count
        guard cursors.indices.contains(place) else { return board.note(error: "an event of another user's room") }
        let cursor = cursors[place]
        guard seq > cursor else {
            board.duplicates += 1
            return
        }
        if seq > cursor + 1 { board.note(error: "gap in what a user socket got") }
        cursors[place] = seq
        board.rooms[room].delivered += 1
        board.frameBytes = text.readableBytes + (text.readableBytes > 125 ? 4 : 2)
        if let sent = fields.sentNanos, sent > 0 { board.arrived(sent, in: room) }
        board.onProgress?()
    }

    /// A frame of the handshake, or one that is no event.
    private func takeOther(_ text: ByteBuffer) {
        guard let frame = UserFrame(text) else { return board.note(error: "a frame that cannot be read") }
        switch frame.eventType {
        case "ready":
            for text in UserCall.sync(cursor: nil, rooms: [:]) { send(text) }
        case "rooms":
            for room in frame.rooms ?? [] { list(room) }
        case "synced":
            let listed = cursors.count { $0 != Self.unread }
            if listed < rooms { board.note(error: "\(listed) of \(rooms) rooms were listed") }
            isSynced = true
            ready.succeed()
        case "error":
            board.note(error: "a user socket got an error")
        default:
            break
        }
    }

    private func list(_ room: UserFrame.Room) {
        guard let digits = room.roomId.split(separator: "-").last, let number = Int(digits) else { return }
        let place = (number - firstRoom + board.rooms.count) % board.rooms.count
        guard cursors.indices.contains(place) else { return board.note(error: "another user's room was listed") }
        cursors[place] = room.lastSeq
        board.rooms[number].sockets += 1
    }

    private func roomNumber(of text: ByteBuffer) -> Int? {
        text.withUnsafeReadableBytes { ByteScan.number(after: roomKey, in: $0) }
    }
}

extension FanoutLoad {
    /// Connects user sockets, some at a time, and waits until each is live. User `n` of them has `roomsOfUser` rooms from
    /// number `n × roomsOfUser` on, as ``SeededRooms`` gives them.
    /// - Parameter prefix: begins the rooms' ids.
    func connectUsers(
        _ users: Range<Int>, firstUserID: Int, roomsOfUser: Int, rooms: Int, prefix: String, port: Int, atOnce: Int = 64
    ) async throws {
        for first in stride(from: users.lowerBound, to: users.upperBound, by: atOnce) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in first..<min(first + atOnce, users.upperBound) {
                    group.addTask {
                        try await self.connectUser(
                            firstUserID + number, firstRoom: number * roomsOfUser % rooms, roomsOfUser: roomsOfUser,
                            prefix: prefix, port: port)
                    }
                }
                for try await _ in group {}
            }
        }
    }

    private func connectUser(_ userID: Int, firstRoom: Int, roomsOfUser: Int, prefix: String, port: Int) async throws {
        let ready = eventLoop.makePromise(of: Void.self)
        let (board, eventLoop) = (board, eventLoop)
        let outlet = NIOLoopBoundBox<(any Channel)?>.makeEmptyBox(valueType: (any Channel).self, eventLoop: eventLoop)
        let channel = try await ChatWebSocketClient.connect(
            port: port, path: "/ws/user?userId=\(userID)", on: eventLoop
        ) {
            let socket = FanoutUserSocket(
                prefix: prefix, firstRoom: firstRoom, rooms: roomsOfUser, board: board.value, ready: ready
            ) { text in
                outlet.value?.sendText(text)
            }
            return { socket.handle($0) }
        }.map { channel -> any Channel in
            outlet.value = channel
            return channel
        }.flatMapErrorThrowing { error in
            ready.fail(error)
            throw error
        }.get()
        try await ready.futureResult.get()
        try await eventLoop.submit { board.value.channels.append(channel) }.get()
    }
}
