import ChatEvents
import ChatLocalStack
import ChatTestSupport
import CommonUtil
import Foundation
import PostgresClient
import Testing

@testable import ChatStorage

/// Which cursors a database knows.
@Suite(.timeLimit(.minutes(2))) struct ListSnapshotTests {
    private func state(_ store: Store, _ cursor: RoomListCursor?, of userID: UserID = ann) async throws
        -> RoomList.CursorState
    {
        let list = try await store.lists.list(of: userID, since: cursor, withSeqAtCursor: true)
        let tellsAll = list.entries.allSatisfy { $0.isChanged && $0.seqAtCursor == nil } && list.removed == []
        #expect(list.isAll == (list.cursorState != .valid))
        #expect(tellsAll || !list.isAll)
        return list.cursorState
    }

    @Test func `a cursor of another user is as none, and one that nobody gave as too old`() async throws {
        try await withStore { store in
            for roomID in [RoomID.hall, .attic] { try await store.makeRoom(roomID) }
            let cursor = try await store.cursor(of: bob)
            #expect(try await state(store, cursor, of: bob) == .valid)
            #expect(try await state(store, cursor) == .none)
            #expect(try await state(store, nil) == .none)
            let forged = RoomListCursor(userID: ann, snapshotID: ListSnapshotID(1))
            #expect(try await state(store, forged) == .setBackOrOld)
        }
    }

    // MARK: Age

    /// A snapshot that was taken some time ago.
    private func cursor(_ store: Store, takenBefore age: String) async throws -> RoomListCursor {
        let snapshotID = ListSnapshotID.random()
        try await store.client.script(
            """
            INSERT INTO list_snapshots (snapshot_id, snapshot, xid, system_id, taken_at)
            SELECT \(snapshotID), pg_current_snapshot(), pg_current_xact_id(), system_identifier,
                now() - interval '\(age)' FROM pg_control_system()
            """)
        return RoomListCursor(userID: ann, snapshotID: snapshotID)
    }

    @Test func `a cursor is taken for 30 days`() async throws {
        try await withStore { store in
            try await store.makeRoom()
            #expect(try await state(store, cursor(store, takenBefore: "29 days 23 hours 59 minutes")) == .valid)
            #expect(try await state(store, cursor(store, takenBefore: "30 days")) == .setBackOrOld)
        }
    }

    @Test func `snapshots that are too old are removed, some by each new one`() async throws {
        try await withStore { store in
            let kept = try await cursor(store, takenBefore: "29 days")
            for _ in 0..<20 { _ = try await cursor(store, takenBefore: "31 days") }
            var left: [Int] = []
            for _ in 0..<3 {
                _ = try await store.lists.takeSnapshot()
                left.append(
                    try await store.client.number(
                        "SELECT count(*) FROM list_snapshots WHERE taken_at < now() - interval '30 days'"))
            }
            #expect(left == [4, 0, 0])
            #expect(try await state(store, kept) == .valid)
        }
    }

    @Test func `servers that take snapshots at once do not wait for each other`() async throws {
        try await withStore { store in
            for _ in 0..<40 { _ = try await cursor(store, takenBefore: "31 days") }
            let taken = try await withThrowingTaskGroup(of: ListSnapshotID.self) { group in
                for _ in 0..<16 { group.addTask { try await store.lists.takeSnapshot() } }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(taken.count == 16)
            #expect(try await store.client.number("SELECT count(*) FROM list_snapshots") == 16)
        }
    }

    // MARK: A time that was set back

    @Test func `after a dump was restored no cursor from before is taken`() async throws {
        try await withStore { store in
            for roomID in [RoomID.hall, .attic] { try await store.makeRoom(roomID, .public) }
            var cursors: [RoomListCursor] = []
            for _ in 0..<5 { cursors.append(try await store.cursor(of: ann)) }
            let restored = try await SharedEngines.database()
            try await shell(
                #"set -o pipefail; pg_dump --no-owner "$0" | psql -qX -v ON_ERROR_STOP=1 "$1""#, store.url, restored)
            try await withClient(restored) { client in
                let copy = Store(url: restored, client: client)
                #expect(try await ChatSchema.migrate(client) == [])
                #expect(try await client.number("SELECT count(*) FROM list_snapshots") == 5)
                for cursor in cursors { #expect(try await state(copy, cursor) == .setBackOrOld) }
                // Cursors of this time are.
                let cursor = try await copy.cursor(of: ann)
                #expect(try await state(copy, cursor) == .valid)
                _ = try await copy.rooms.withLockedRoom(.hall) { try await $0.leave(ann, by: ann) }
                #expect(try await copy.lists.list(of: ann, since: cursor).removed == [.hall])
            }
            for cursor in cursors { #expect(try await state(store, cursor) == .valid) }
        }
    }

    /// A new cluster counts its transactions from the start, so the ids of a restored row can agree.
    @Test func `a snapshot of another cluster is none of this one`() async throws {
        try await withStore { store in
            let cursor = RoomListCursor(userID: ann, snapshotID: ListSnapshotID.random())
            try await store.client.script(
                """
                INSERT INTO list_snapshots (snapshot_id, snapshot, xid, system_id, taken_at)
                VALUES (\(cursor.snapshotID), pg_current_snapshot(), pg_current_xact_id(), 1, now())
                """)
            #expect(try await state(store, cursor) == .setBackOrOld)
        }
    }

    @Test func `after a folder was put back, cursors from before its copy are taken, and later ones are not`()
        async throws
    {
        let folder = try PrivateFolder.temporary(prefix: "chat-set-back")
        let engine = try LocalPostgres(
            .init(folder: folder, port: FreePort.next(), durability: .relaxed, authentication: .trust), logger: quiet)
        defer { PrivateFolder.remove(folder) }
        let data = "\(folder)/data"
        func run<Result: Sendable>(_ body: (Store) async throws -> Result) async throws -> Result {
            try await engine.start()
            do {
                let result = try await withClient(engine.url) { client in
                    try await ChatSchema.migrate(client)
                    return try await body(Store(url: engine.url, client: client))
                }
                try await engine.stop()
                return result
            } catch {
                try? await engine.stop()
                throw error
            }
        }
        let early = try await run { store in
            for roomID in [RoomID.hall, .attic] { try await store.makeRoom(roomID) }
            return try await store.cursor(of: ann)
        }
        try await shell(#"cp -a "$0" "$0.copy""#, data)
        let late = try await run { store in
            _ = try await store.rooms.withLockedRoom(.hall) { try await $0.rename(to: "lost", by: ann) }
            return try await store.cursor(of: ann)
        }
        try await shell(#"rm -r "$0" && mv "$0.copy" "$0""#, data)
        try await run { store in
            #expect(try await store.lists.list(of: ann, since: early).changed == [])
            _ = try await store.rooms.withLockedRoom(.attic) { try await $0.rename(to: "other", by: ann) }
            #expect(try await state(store, early) == .valid)
            #expect(try await store.lists.list(of: ann, since: early).changed == [.attic])
            #expect(try await state(store, late) == .setBackOrOld)
        }
    }

    /// Runs a bash script with arguments from `$0` on.
    private func shell(_ script: String, _ arguments: String...) async throws {
        let log = FileManager.default.temporaryDirectory.appending(path: "shell-\(UUID().uuidString)").path()
        defer { unlink(log) }
        let process = try LocalProcess(.init("/bin/bash", ["-c", script] + arguments, logFile: log))
        let status = try await process.waitForExit()
        try #require(status == .exited(0), "\(process.logTail().joined(separator: "\n"))")
    }

    // MARK: The ids of transactions

    /// `xmin` has the lower half of an id.
    @Test(arguments: [
        // Of this epoch, and of the one before.
        (xmin: "100", latest: 0x3_0000_0200, xid: 0x3_0000_0064),
        (xmin: "4294967290", latest: 0x3_0000_0200, xid: 0x2_FFFF_FFFA),
        (xmin: "512", latest: 0x3_0000_0200, xid: 0x3_0000_0200),
        (xmin: "513", latest: 0x3_0000_0200, xid: 0x2_0000_0201),
        (xmin: "3", latest: 3, xid: 3),
    ])
    func `a row's transaction is the nearest one that is not above the present`(
        xmin: String, latest: Int64, xid: Int64
    ) async throws {
        try await withStore { store async throws in
            /// Whether the row is new in a snapshot that sees transactions below this one.
            func isNew(below end: Int64) async throws -> Bool {
                let statement = PostgresStatement(
                    """
                    SELECT \(RoomListRepository.isNew("x.xmin")) FROM (
                        SELECT \(latest)::bigint AS latest, \(end)::bigint AS oldest, '\(end):\(end):'::pg_snapshot AS snapshot
                    ) AS since, (SELECT '\(xmin)'::xid AS xmin) AS x
                    """)
                return try #require(try await store.client.query(statement).first).decode(Bool.self)
            }
            #expect(try await isNew(below: xid))
            #expect(try await !isNew(below: xid + 1))
        }
    }
}
