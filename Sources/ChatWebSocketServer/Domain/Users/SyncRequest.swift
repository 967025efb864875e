import ChatEvents
import ChatStorage
import CommonUtil
import NIOCore

/// What the client of a user session wants to know: its `sync` frames together.
struct SyncRequest: Equatable, Sendable {
    /// The last cursor that a former session gave; `nil` if there is none that can be read.
    var cursor: RoomListCursor?
    /// The rooms whose logs the client keeps.
    var rooms: [RoomID: SyncFrame.Position] = [:]
    /// A room of which more events are missing is skipped to its head; `nil` for no limit.
    var maxMissed: Int?
    /// Whether every room is resumed from the cursor, as if the client had named each (event streams).
    var namesAllRooms = false
}

/// Collects the `sync` frames of a session. Pure: no I/O.
struct SyncCollector {
    /// Rooms that a client may name, in all frames together.
    static let maximumRooms = 10_000
    /// Time for the first frame, and for each that was announced by `more`.
    static let frameTimeout = TimeAmount.seconds(10)
    /// Time for all frames.
    static let totalTimeout = TimeAmount.seconds(60)

    private var request = SyncRequest()
    private var frameCount = 0
    private let end: NIODeadline
    /// When the session is closed, unless another frame comes before; `nil` once all came.
    private(set) var deadline: NIODeadline?

    /// Begins to collect.
    init(now: NIODeadline) {
        end = now + Self.totalTimeout
        deadline = now + Self.frameTimeout
    }

    /// A session that starts with an empty request, without a frame.
    static let finished: SyncCollector = {
        var collector = SyncCollector(now: .uptimeNanoseconds(0))
        collector.deadline = nil
        return collector
    }()

    /// Whether all frames have come.
    var isFinished: Bool { deadline == nil }

    /// Takes a frame.
    /// - Returns: the request, with its last frame.
    /// - Throws: `already_synced`; `too_many_rooms`, after which the session is closed.
    mutating func take(_ frame: SyncFrame, now: NIODeadline) throws(FrameError) -> SyncRequest? {
        guard !isFinished else { throw FrameError(.alreadySynced, "this session is synchronized already") }
        if frameCount == 0 {
            request.cursor = frame.cursor.flatMap { RoomListCursor(text: $0) }
            request.maxMissed = frame.maxMissed
        }
        frameCount += 1
        request.rooms.merge(frame.rooms) { $1 }
        guard request.rooms.count <= Self.maximumRooms else {
            throw FrameError(.tooManyRooms, "a sync names at most \(Self.maximumRooms) rooms")
        }
        guard !frame.hasMore else {
            deadline = min(now + Self.frameTimeout, end)
            return nil
        }
        deadline = nil
        defer { request = SyncRequest() }
        return request
    }
}
