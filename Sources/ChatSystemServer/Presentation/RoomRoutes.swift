import ChatEvents
import ChatStorage
import CommonAuth
import CommonServer
import CommonUtil
import Hummingbird

/// The REST routes of rooms and their members.
enum RoomRoutes {
    static func add(
        to routes: inout Routes, _ rooms: RoomService, _ members: MemberService, _ directory: UserResolver,
        _ limits: ChangeLimits
    ) {
        addRooms(to: &routes, rooms, directory, limits)
        addMembers(to: &routes, members, directory, limits)
    }

    private static func addRooms(
        to routes: inout Routes, _ rooms: RoomService, _ directory: UserResolver, _ limits: ChangeLimits
    ) {
        routes.post("/api/v1/rooms", authenticated: true, scope: .rooms) { request, context in
            let userID = try await limits.admitChange(context)
            let new = try NewRoomRequest(try await request.fields(context), external: context.key != nil)
            let memberIDs = try await directory.userIDs(new.members, field: NewRoomRequest.membersField)
            let (room, isNew) = try await rooms.make(new.room(with: memberIDs), by: userID)
            return Response(json: room, status: isNew ? .created : .ok)
        }
        routes.get("/api/v1/rooms", authenticated: true, scope: .rooms, isPage: true) { request, context in
            var query = QueryReader(request)
            let cursor = query.optionalCursor(of: RoomService.myList, partCount: 2)
            let limit = query.pageLimit()
            try query.finish()
            return Response(
                json: try await rooms.myRooms(context.requireUser().userID, cursor: cursor, limit: limit))
        }
        routes.get("/api/v1/rooms/public", authenticated: true, scope: .rooms) { request, _ in
            var query = QueryReader(request)
            let text = query.nameQuery(length: RoomRules.nameLength)
            let list = text == nil ? RoomService.publicList : RoomService.publicSearch
            let cursor = query.optionalCursor(of: list, partCount: 2)
            let limit = query.pageLimit()
            try query.finish()
            guard let text else { return Response(json: try await rooms.publicRooms(cursor: cursor, limit: limit)) }
            return Response(json: try await rooms.publicRooms(finding: text, cursor: cursor, limit: limit))
        }
        routes.get("/api/v1/rooms/{id}", authenticated: true, scope: .rooms) { _, context in
            Response(json: try await rooms.room(context.roomID(), for: context.requireUser().userID))
        }
        routes.patch("/api/v1/rooms/{id}", authenticated: true, scope: .rooms) { request, context in
            let userID = try await limits.admitChange(context)
            var fields = try await request.fields(context)
            let name = fields.string("name", length: RoomRules.nameLength)
            try fields.finish()
            guard let name else { throw fields.incomplete }
            return Response(json: try await rooms.rename(context.roomID(), to: name, by: userID))
        }
        routes.delete("/api/v1/rooms/{id}", authenticated: true, scope: .rooms) { _, context in
            let userID = try await limits.admitChange(context)
            return Response(json: try await rooms.archive(context.roomID(), by: userID))
        }
        routes.put("/api/v1/rooms/{id}/read", authenticated: true, scope: .rooms) { request, context in
            let userID = try await limits.admitReadMark(context)
            var fields = try await request.fields(context)
            let seq = fields.integer(EventKey.seq, in: 0...Seq.max)
            try fields.finish()
            guard let seq else { throw fields.incomplete }
            let roomID = try context.roomID()
            let lastReadSeq = try await rooms.markRead(roomID, by: userID, upTo: seq)
            return Response(json: ReadMarkResponse(roomID: roomID, lastReadSeq: lastReadSeq))
        }
    }

    private static func addMembers(
        to routes: inout Routes, _ members: MemberService, _ directory: UserResolver, _ limits: ChangeLimits
    ) {
        let path = "/api/v1/rooms/{id}/members"
        routes.get(path, authenticated: true, scope: .rooms) { request, context in
            var query = QueryReader(request)
            let cursor = query.optionalCursor(of: MemberService.list, partCount: 1)
            let limit = query.pageLimit()
            try query.finish()
            return Response(
                json: try await members.members(
                    of: context.roomID(), for: context.requireUser().userID, cursor: cursor, limit: limit))
        }
        routes.post(path, authenticated: true, scope: .rooms) { request, context in
            let actorID = try await limits.admitChange(context)
            var fields = try await request.fields(context)
            let user = fields.user(EventKey.userID, external: context.key != nil)
            let role = fields.optionalChoice(EventKey.role, MemberRole.self) ?? .member
            try fields.finish()
            guard let user, let userID = try await directory.userIDs([user], field: EventKey.userID).first else {
                throw fields.incomplete
            }
            let member = try await members.add(userID, as: role, to: context.roomID(), by: actorID)
            return Response(json: member, status: .created)
        }
        routes.delete("\(path)/{userId}", authenticated: true, scope: .rooms) { _, context in
            let actorID = try await limits.admitChange(context)
            let userID = try await directory.userID(context.userReference("userId"))
            try await members.remove(userID, from: context.roomID(), by: actorID)
            return .noContent
        }
        routes.patch("\(path)/{userId}", authenticated: true, scope: .rooms) { request, context in
            let actorID = try await limits.admitChange(context)
            var fields = try await request.fields(context)
            let role = fields.choice(EventKey.role, MemberRole.self)
            try fields.finish()
            guard let role else { throw fields.incomplete }
            let userID = try await directory.userID(context.userReference("userId"))
            return Response(
                json: try await members.setRole(role, of: userID, in: context.roomID(), by: actorID))
        }
        routes.post("/api/v1/rooms/{id}/join", authenticated: true, scope: .rooms) { _, context in
            let userID = try await limits.admitChange(context)
            return Response(json: try await members.join(context.roomID(), userID))
        }
        routes.post("/api/v1/rooms/{id}/leave", authenticated: true, scope: .rooms) { _, context in
            let userID = try await limits.admitChange(context)
            try await members.leave(context.roomID(), userID)
            return .noContent
        }
    }
}

extension QueryReader {
    /// The `query` of a search for names; `nil` if all are requested.
    mutating func nameQuery(length: ClosedRange<Int>) -> String? {
        let text = optionalString("query", length: 0...length.upperBound) ?? ""
        let sought = text.drop(while: \.isWhitespace)
        return sought.isEmpty ? nil : String(sought)
    }
}

/// The response to `PUT /rooms/{id}/read`.
private struct ReadMarkResponse: JSONEncodable {
    let roomID: RoomID
    let lastReadSeq: Seq

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member(EventKey.roomID, roomID.rawValue)
            writer.member(EventKey.lastReadSeq, lastReadSeq)
        }
    }
}

/// The body of `POST /rooms`: `{name, type, roomId?, memberIds?}`; a `direct` room needs no name.
private struct NewRoomRequest {
    static let membersField = "memberIds"

    let roomID: RoomID?
    let name: String
    let type: RoomType
    let members: [UserReference]

    /// - Parameter external: whether the caller may name users by external ids.
    /// - Throws: `validation_failed`, which names each invalid field.
    init(_ fields: FieldReader, external: Bool) throws(ChatError) {
        var fields = fields
        let type = fields.choice("type", RoomType.self)
        let name =
            type == .direct
            ? fields.optionalString(EventKey.name, length: RoomRules.nameLength) ?? RoomType.direct.rawValue
            : fields.string(EventKey.name, length: RoomRules.nameLength)
        roomID = fields.optionalRoomID(EventKey.roomID)
        members = fields.users(
            Self.membersField, maximumCount: RoomRules.maximumFirstMembers, external: external)
        try fields.finish()
        guard let type, let name else { throw fields.incomplete }
        self.type = type
        self.name = name
    }

    func room(with memberIDs: [UserID]) -> RoomService.NewRoom {
        RoomService.NewRoom(roomID: roomID, name: name, type: type, memberIDs: memberIDs)
    }
}
