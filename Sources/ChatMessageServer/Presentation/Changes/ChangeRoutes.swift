import ChatEvents
import ChatStorage
import CommonAuth
import CommonServer
import CommonUtil
import Hummingbird

/// The routes of the feed of changes.
enum ChangeRoutes {
    static func add(to routes: inout Routes, _ changes: ChangeService, keys: ServerKeyList) {
        routes.get("/api/v1/changes", forKeysWith: .changes) { request, context in
            let caller = try context.requireKey()
            let asked = try read(request)
            return Response(
                json: try await changes.changes(
                    asked,
                    mayWait: {
                        try await keys.requireInForce(caller.key)
                        // A client that has left would keep its place among the waiting calls of the key.
                        return await !context.hasClientLeft
                    },
                    waiting: { wait in try await caller.call.waiting(for: .change, wait) }))
        }
    }

    /// Reads `after`, `limit`, `wait`, `roomId` and `eventType`.
    static func read(_ request: Request) throws(ChatError) -> ChangeService.Request {
        var query = QueryReader(request, repeatable: [EventKey.roomID, EventKey.eventType])
        let limit = query.optionalInteger("limit", in: 1...1_000) ?? 100
        let wait = query.optionalInteger("wait", in: 0...60) ?? 0
        let after = query.optionalString("after", length: 0...Int.max)
        let start = after.flatMap { ChangeStart(text: $0) }
        if start == nil { query.note("after", ChangeStart.requirement) }
        var filter = ChangeFilter()
        let rooms = query.strings(EventKey.roomID, maximumCount: ChangeFilter.maximumCount)
        if !rooms.isEmpty { filter.roomIDs = Set(rooms.compactMap { RoomID($0) }) }
        if rooms.contains(where: { RoomID($0) == nil }) { query.note(EventKey.roomID, "must be \(RoomID.rule)") }
        let types = query.strings(EventKey.eventType, maximumCount: ChangeFilter.maximumCount)
        if !types.isEmpty { filter.types = Set(types.compactMap(ChangeFilter.type)) }
        if types.contains(where: { ChangeFilter.type($0) == nil }) {
            query.note(EventKey.eventType, "must be one of \(ChangeFilter.typeNames)")
        }
        try query.finish()
        guard let start else { throw ChatError(invalid: query.errors) }
        return ChangeService.Request(start: start, filter: filter, limit: limit, wait: .seconds(wait))
    }
}
