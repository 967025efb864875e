import ChatStorage
import CommonServer
import CommonUtil
import Hummingbird

/// The REST routes of a backend that has users of its own.
enum ManagedUserRoutes {
    private static let path = "/api/v1/admin/users"

    static func add(to routes: inout Routes, _ users: ManagedUserService) {
        routes.put("\(path)/{user}", forKeysWith: .users) { request, context in
            guard let externalID = ExternalID(try context.pathParameter("user")) else {
                throw ChatError.invalid("user", "must have 1–\(ExternalID.length.upperBound) characters")
            }
            var fields = try await request.fields(context)
            let displayName = fields.optionalString("displayName", length: AccountRules.displayNameLength)
            let username = AccountRules.optionalUsername(&fields)
            let isDisabled = fields.optionalBool("disabled")
            try fields.finish()
            let (user, isNew) = try await users.put(
                externalID, .init(displayName: displayName, username: username, isDisabled: isDisabled))
            return Response(json: user, status: isNew ? .created : .ok)
        }
        routes.get(path, forKeysWith: .users) { request, _ in
            var query = QueryReader(request)
            let cursor = query.optionalCursor(of: ManagedUserService.list, partCount: 1)
            let limit = query.pageLimit()
            try query.finish()
            return Response(json: try await users.all(cursor: cursor, limit: limit))
        }
        routes.delete("\(path)/{user}", forKeysWith: .users) { _, context in
            try await users.erase(context.userReference("user"))
            return .noContent
        }
        routes.post("\(path)/{user}/tokens", forKeysWith: .users) { request, context in
            var fields = try await request.optionalFields(context)
            let lifetime = fields.optionalInteger("ttlSeconds", in: ManagedUserService.tokenLifetime)
            try fields.finish()
            let token = try await users.issueToken(
                for: context.userReference("user"), lifetimeSeconds: lifetime.map(Int.init))
            return Response(json: token, status: .created)
        }
        routes.post("\(path)/{user}/sign-out", forKeysWith: .users) { _, context in
            try await users.signOut(context.userReference("user"))
            return .noContent
        }
    }
}
