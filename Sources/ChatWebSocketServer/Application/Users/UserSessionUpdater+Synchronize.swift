import ChatEvents
import ChatStorage
import CommonUtil
import NIOCore

/// The synchronization of a session with what its client has.
extension UserSessionUpdater {
    /// Room ids of `removed` in one frame.
    private static let removedPerFrame = 1_000

    /// Sends the list of rooms, or its changes, and begins in every room at the client's position.
    /// - Returns: the user's version as of the list.
    func synchronize(_ recipient: Recipient, _ request: SyncRequest) async throws -> Int64 {
        // The snapshot is taken before the list is read: what is visible in it is sent below, or was before.
        let snapshotID = try await read(for: recipient) {
            try await cursors.eventLoop.flatSubmit { cursors.value.recent() }.get()
        }
        let list = try await read(for: recipient) {
            try await directory.list(
                of: recipient.userID, since: request.cursor, withSeqAtCursor: request.namesAllRooms)
        }
        var plan = SyncPlan(request, list: list, positions: try await positions(request, list, recipient))
        // Before `sendRooms` reads the heads that listed rooms begin at, or catch up to. The others begin at the older heads of
        // the list, and catch up from there.
        try await open(list.entries.map(\.roomID), for: recipient)
        let (roomsAtHead, lost) = try await sendRooms(&plan, recipient)
        try await sendRoomsAtHead(plan, roomsAtHead, recipient)
        try await resume(plan, list, except: lost, recipient)
        try await send(to: recipient) { shard, session in
            session.user?.syncedCursor = RoomListCursor(userID: recipient.userID, snapshotID: snapshotID)
            shard.settle(session)
        }
        return list.version
    }

    /// What the logs hold at the positions of the client, in rooms of the user.
    private func positions(
        _ request: SyncRequest, _ list: RoomList, _ recipient: Recipient
    ) async throws -> [RoomID: LogPosition] {
        guard !request.rooms.isEmpty else { return [:] }
        var positions: [RoomID: LogPosition] = [:]
        let asked = list.entries.compactMap { entry in
            request.rooms[entry.roomID].map { (roomID: entry.roomID, seq: $0.seq) }
        }
        for chunk in asked.chunks(of: Self.roomsPerTurn) {
            let found = try await read(for: recipient) { try await directory.positions(at: chunk) }
            for (asked, position) in zip(chunk, found) { positions[asked.roomID] = position }
        }
        return positions
    }

    /// Sends `rooms`, and begins in those rooms whose logs the client does not keep.
    /// - Returns: the rooms that begin at their heads, by `room_reset` or `room_skipped`, and the rooms that the user
    ///   has lost since the list was read, which were sent as removed. A comparison of versions finds a later
    ///   membership in one of these.
    private func sendRooms(
        _ plan: inout SyncPlan, _ recipient: Recipient
    ) async throws -> (roomsAtHead: [ListedRoom], lost: Set<RoomID>) {
        var roomsAtHead: [ListedRoom] = []
        var lost: Set<RoomID> = []
        let pieces = plan.listed.chunks(of: Self.roomsPerFrame)
        let removals = plan.removed.chunks(of: Self.removedPerFrame)
        let count = max(1, pieces.count, removals.count)
        for index in 0..<count {
            let piece = index < pieces.count ? pieces[index] : []
            let rooms =
                piece.isEmpty
                ? [] : try await read(for: recipient) { try await directory.rooms(of: recipient.userID, in: piece) }
            // Those of which the user is no member any more, since the list was read.
            lost.formUnion(Set(piece).subtracting(rooms.map(\.roomID)))
            for room in rooms { plan.noteSent(room) }
            roomsAtHead += rooms.filter { plan.starts[$0.roomID]?.beginsAtHead == true }
            let begun = rooms.filter { plan.starts[$0.roomID] == .listed }
            let isAll = plan.isAll
            let isLast = index == count - 1
            let removed = (index < removals.count ? removals[index] : []) + (isLast ? lost : [])
            try await send(to: recipient) { shard, session in
                shard.send(
                    .rooms(rooms.map(\.json), removed: removed, isAll: isAll, isLast: isLast), to: session)
                for room in begun { shard.subscribe(session, to: room) }
            }
        }
        try await release(Array(lost), for: recipient)
        let settled = lost.union(roomsAtHead.map(\.roomID))
        let unread = plan.starts.filter { $0.value.beginsAtHead && !settled.contains($0.key) }.map(\.key)
        for piece in unread.chunks(of: Self.roomsPerFrame) {
            roomsAtHead += try await read(for: recipient) { try await directory.rooms(of: recipient.userID, in: piece) }
        }
        return (roomsAtHead, lost)
    }

    private func sendRoomsAtHead(_ plan: SyncPlan, _ rooms: [ListedRoom], _ recipient: Recipient) async throws {
        for piece in rooms.chunks(of: Self.roomsPerFrame) {
            try await send(to: recipient) { shard, session in
                for room in piece {
                    let isReset = plan.starts[room.roomID] == .reset
                    shard.send(
                        isReset
                            ? .roomReset(room.json, room.roomID, seq: room.lastSeq, mark: room.mark)
                            : .roomSkipped(room.roomID, seq: room.lastSeq, mark: room.mark),
                        to: session)
                    shard.subscribe(session, to: room)
                }
            }
        }
    }

    /// Begins in the rooms that go on where the client is.
    private func resume(
        _ plan: SyncPlan, _ list: RoomList, except lost: Set<RoomID>, _ recipient: Recipient
    ) async throws {
        for chunk in list.entries.filter({ !lost.contains($0.roomID) }).chunks(of: Self.roomsPerTurn) {
            try await send(to: recipient) { shard, session in
                for entry in chunk {
                    switch plan.starts[entry.roomID] {
                    case .head(let seq):
                        shard.subscribe(
                            session, to: entry.roomID, SessionCursor(admissionHead: seq, lastSeq: nil),
                            readSeq: entry.lastReadSeq)
                    case .position(let position, let head):
                        let isBehind = position.seq < head
                        shard.subscribe(
                            session, to: entry.roomID,
                            SessionCursor(
                                admissionHead: max(head, position.seq), lastSeq: isBehind ? position.seq : nil,
                                mark: position.mark),
                            readSeq: entry.lastReadSeq, isAwaited: isBehind)
                    case .listed, .reset, .skip, nil: break
                    }
                }
                shard.advance(session)
            }
        }
    }
}

extension SyncPlan.Start {
    /// Whether the session begins at the room's head, whatever the client has.
    fileprivate var beginsAtHead: Bool { self == .reset || self == .skip }
}
