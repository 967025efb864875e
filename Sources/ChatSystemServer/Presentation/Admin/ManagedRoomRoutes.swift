import ChatEvents
import ChatStorage
import CommonServer
import CommonUtil
import Hummingbird

/// The REST routes of a backend that knows the rooms and their members.
enum ManagedRoomRoutes {
    private static let path = "/api/v1/admin/rooms"
    /// Maximum size of a body: about 200,000 members.
    private static let maximumBodyBytes = 8 * 1_024 * 1_024

    static func add(to routes: inout Routes, _ rooms: ManagedRoomService, _ directory: UserResolver) {
        routes.get(path, forKeysWith: .rooms) { request, _ in
            var query = QueryReader(request)
            let cursor = query.optionalCursor(of: ManagedRoomService.list, partCount: 1)
            let limit = query.pageLimit()
            try query.finish()
            return Response(json: try await rooms.all(cursor: cursor, limit: limit))
        }
        routes.put("\(path)/{roomId}", forKeysWith: .rooms) { request, context in
            let roomID = try context.roomID("roomId")
            let wanted = try WantedRoom(try await request.fields(context, maximumBytes: maximumBodyBytes))
            let (room, isNew) = try await rooms.put(roomID, try await wanted.resolved(by: directory))
            return Response(json: room, status: isNew ? .created : .ok)
        }
    }
}

/// The body of `PUT /admin/rooms/{roomId}`: `{name?, type?, members?: [{userId, role?}]}`.
private struct WantedRoom {
    private static let membersField = "members"

    private let name: String?
    private let type: RoomType?
    private let members: [(user: UserReference, role: MemberRole)]?

    /// - Throws: `validation_failed`, which names each invalid field.
    init(_ fields: FieldReader) throws(ChatError) {
        var fields = fields
        name = fields.optionalString(EventKey.name, length: RoomRules.nameLength)
        type = fields.optionalChoice("type", RoomType.self)
        members = fields.optionalObjects(Self.membersField) { member in
            let user = member.user(EventKey.userID, external: true)
            let role = member.optionalChoice(EventKey.role, MemberRole.self) ?? .member
            return user.map { (user: $0, role: role) }
        }
        if let members, members.count(where: { $0.role == .owner }) > 1 {
            fields.note(Self.membersField, "a room has one owner at most")
        }
        try fields.finish()
    }

    /// - Throws: `validation_failed` for an external id that no user has, and for a user who is named twice.
    func resolved(by directory: UserResolver) async throws -> ManagedRoomService.Wanted {
        var roles: [UserID: MemberRole]?
        if let members {
            let userIDs = try await directory.userIDs(members.map(\.user), field: Self.membersField)
            roles = [:]
            for (userID, member) in zip(userIDs, members) {
                guard roles?.updateValue(member.role, forKey: userID) == nil else {
                    throw ChatError.invalid(Self.membersField, "names user \(userID) twice")
                }
            }
        }
        return ManagedRoomService.Wanted(name: name, type: type, members: roles)
    }
}
