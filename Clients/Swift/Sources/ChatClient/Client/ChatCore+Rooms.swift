/// The calls of the application that concern rooms.
extension ChatCore {
    // MARK: Readers

    /// The head of a room's log as this process got it from the server.
    ///
    /// The head that an earlier process stored is no start for "from now on": a reader may have got events after it
    /// that were read from the log before they were stored, and would get them again.
    nonisolated func head(of id: String) -> LogPosition? {
        guard isListCurrent.value else { return nil }
        return roomLists.value.first { $0.roomID == id }?.head
    }

    func events(of id: String, after position: LogPosition) async throws -> (items: [ChatEvent], hasMore: Bool) {
        var path = "/api/v1/rooms/\(id.percentEncoded)/events?after=\(position.seq)&limit=100"
        if let mark = position.mark, position.seq > 0 { path += "&mark=\(mark.percentEncoded)" }
        let json = try await rest(.get, .messages, path)
        let items = (json["items"]?.array ?? []).compactMap { $0.object.flatMap(ChatEvent.init(json:)) }
        return (items, json["hasMore"]?.bool ?? false)
    }

    func takeName(_ name: String, roomID: String, reader: String) async throws -> LogPosition? {
        let position = try await ownStorage().takeName(name, room: roomID, reader: reader) { [feeds] in
            feeds.isReading($0)
        }
        names[reader] = (name, roomID)
        return position
    }

    func moveName(_ name: String, roomID: String, reader: String, to position: LogPosition) async throws {
        try await ownStorage().moveName(name, room: roomID, reader: reader, to: position)
    }

    func releaseName(_ name: String, roomID: String, reader: String) async {
        guard names.removeValue(forKey: reader) != nil else { return }
        try? await storage?.releaseName(name, room: roomID, reader: reader)
    }

    private func ownStorage() async throws -> ClientStorage {
        if storage == nil, let userID = configuration.userID { await input { core in await core.adopt(userID) } }
        if storage == nil { _ = try await rest(.get, .system, "/api/v1/users/me") }
        guard let storage else { throw ChatError(.signedOut, "It is not known yet whose data these are") }
        return storage
    }

    func forget(evenUnsent: Bool) async throws {
        guard effects == nil else { throw ChatError(.inUse, "The client runs") }
        let storage = try await ownStorage()
        try await storage.forget(evenUnsent: evenUnsent)
        await input { core in
            await core.handle(core.outbox.forget())
            for id in Array(core.rooms.keys) { core.handle(core.rooms[id]?.log.removed() ?? [], of: id) }
            core.changes = []
            core.readMarks = ReadMarks(now: System.monotonicClock)
            core.list = RoomList(userID: core.list.userID)
            core.isListChanged = true
        }
    }

    // MARK: History

    /// Time to wait for a connection that reports the head of the room's log, in milliseconds.
    private static let headTimeout: Int64 = 20_000

    /// Returns whether there are older messages.
    func loadOlder(_ id: String, limit: Int) async throws -> Bool {
        await input { core in await core.open(id) }
        try await waitForHead(of: id)
        guard var page = rooms[id]?.log.timeline?.loadOlder(min(max(limit, 1), 100)) else {
            try await waitForPage(of: id)
            return rooms[id]?.log.timeline?.hasMore ?? false
        }
        while true {
            do {
                let path = "/api/v1/rooms/\(id.percentEncoded)/messages?before=\(page.before)&limit=\(page.limit)"
                let json = try await rest(.get, .messages, path)
                let items = (json["items"]?.array ?? []).compactMap { $0.object.flatMap(Message.init(json:)) }
                let next = LatestValue<Timeline.Page?>(nil)
                await input { [page] core in
                    next.set(
                        core.rooms[id]?.log.timeline?.page(items, hasMore: json["hasMore"]?.bool ?? false, of: page))
                    core.changedRooms.insert(id)
                }
                guard let nextPage = next.value else { return rooms[id]?.log.timeline?.hasMore ?? false }
                page = nextPage
            } catch {
                await input { [page] core in
                    core.rooms[id]?.log.timeline?.pageFailed(page)
                    core.changedRooms.insert(id)
                }
                throw error
            }
        }
    }

    /// Waits until the head of the room's log is known, or it is known that there is none.
    /// - Throws: ``ChatError`` with code `timeout`, or `closed`.
    private func waitForHead(of id: String) async throws {
        guard !isHeadKnown(id) else { return }
        let changes = LatestValues(source: sources.of(id).changes)
        try await untilEnd {
            try await withDeadline(milliseconds: Self.headTimeout) {
                for await _ in changes {
                    if await self.isHeadKnown(id) { return }
                }
                throw CancellationError()
            }
        }
    }

    private func isHeadKnown(_ id: String) -> Bool { rooms[id]?.log.timeline != nil || rooms[id]?.log.state == .gone }

    /// Waits for the end of a page that another call has requested. That call has a deadline.
    /// - Throws: `CancellationError`.
    private func waitForPage(of id: String) async throws {
        for await _ in LatestValues(source: sources.of(id).changes) {
            if rooms[id]?.log.timeline?.isLoading != true { return }
        }
        throw CancellationError()
    }

    func toEnd(_ id: String) async {
        await input { core in
            core.rooms[id]?.log.timeline?.toEnd()
            core.setPosts(of: id)
        }
    }

    /// Applies the response to an edit, which may come before its event.
    func changed(_ message: Message) async {
        await input { core in
            core.rooms[message.roomID]?.log.timeline?.change(message)
            core.changedRooms.insert(message.roomID)
        }
    }

    // MARK: Deleted messages

    private static let maximumDeletions = 100

    /// Asks for the place of a deleted message in the log. If there are too many at a time, the unread count is
    /// corrected by the next list of the server.
    func locate(_ message: Message) {
        guard deletions.count < Self.maximumDeletions else { return }
        deletions.append(RoomList.Deletion(roomID: message.roomID, messageID: message.messageID, seq: message.seq))
        if deletions.count == 1 { effects?.yield(.locate(deletions[0])) }
    }

    /// The question for the place of a deleted message has ended, with or without a response.
    func located(_ deletion: RoomList.Deletion, at seq: Int64?) {
        guard !deletions.isEmpty else { return }
        deletions.removeFirst()
        if let seq {
            list.deleted(deletion, at: seq)
            isListChanged = true
        }
        if let next = deletions.first { effects?.yield(.locate(next)) }
    }

    // MARK: Read marks and typing

    func markRead(_ id: String, _ seq: Int64?) async {
        await input { core in
            guard let seq = seq ?? core.list.room(id)?.lastSeq, seq > core.readMarks.all[id] ?? 0 else { return }
            guard seq > core.list.room(id)?.lastReadSeq ?? 0 else { return }
            core.changes.append(.read(room: id, seq))
            core.list.read(id, through: seq)
            core.isListChanged = true
            core.send(core.readMarks.read(id, through: seq))
        }
    }

    func send(_ marks: [ReadMarks.Mark]) {
        for mark in marks {
            if connection.transport == .webSocket {
                send(["type": "read", "roomId": .string(mark.roomID), "seq": JSONValue(mark.seq)])
            } else {
                effects?.yield(.read(room: mark.roomID, seq: mark.seq))
            }
        }
    }

    func readReported(_ id: String, _ seq: Int64) {
        if readMarks.reported(id, through: seq) { changes.append(.read(room: id, nil)) }
    }

    func typing(_ id: String, _ isTyping: Bool) {
        guard connection.state == .live, connection.transport == .webSocket else { return }
        send(["type": "typing", "roomId": .string(id), "typing": .bool(isTyping)])
    }

    /// Counts the consumers of a room's typing and receipts, which the server sends for open rooms only.
    func listen(_ id: String, by change: Int) async {
        await input { core in
            let room = core.room(id)
            let before = room.listeners
            room.listeners = max(before + change, 0)
            if change > 0 { core.send(core.openRooms.open(id)) }
            if before > 0, room.listeners == 0 { core.send(core.openRooms.close(id)) }
        }
    }

    private func send(_ actions: [OpenRooms.Action]) {
        for action in actions {
            switch action {
            case .open(let id): sendRoomCommand("open", room: id)
            case .close(let id): sendRoomCommand("close", room: id)
            }
        }
    }

    /// Opens or closes a room on the socket. For a room that is not, or not yet, the user's this would be an error;
    /// such a room is opened once it is added.
    func sendRoomCommand(_ type: String, room id: String) {
        guard connection.state == .live, connection.transport == .webSocket, list.room(id) != nil else { return }
        send(["type": .string(type), "roomId": .string(id)])
    }
}
