import ChatStorage
import CommonAuth
import CommonServer
import CommonUtil
import Hummingbird

/// The REST routes of users' profiles.
struct UserRoutes {
    // The names of the lists in their cursors.
    private static let list = "users"
    private static let search = "users found"

    let accounts: AccountService
    let directory: UserResolver
    /// Who sees external ids.
    let externalIDs: ExternalIDVisibility
    let limits: ChangeLimits

    func add(to routes: inout Routes) {
        addOwnProfile(to: &routes)
        routes.get("/api/v1/users/{id}", authenticated: true, scope: .users) { _, context in
            let userID = try await directory.userID(context.userReference())
            return Response(json: shown(try await accounts.profile(of: userID), context))
        }
        routes.get("/api/v1/users/by-external-id/{externalId}", authenticated: true, scope: .users) { _, context in
            guard let externalID = ExternalID(try context.pathParameter("externalId")),
                let user = try await accounts.users.user(externalID: externalID),
                shown(user, context).externalID != nil
            else { throw ChatError(.userNotFound) }
            return Response(json: user)
        }
        routes.get("/api/v1/users", authenticated: true, scope: .users) { request, context in
            var query = QueryReader(request)
            let text = query.nameQuery(length: AccountRules.displayNameLength)
            let cursor =
                text == nil
                ? query.optionalCursor(of: Self.list, partCount: 1)
                : query.optionalCursor(of: Self.search, partCount: 2)
            let limit = query.pageLimit()
            try query.finish()
            guard let text else { return Response(json: try await all(after: cursor, limit: limit, context)) }
            return Response(json: try await found(text, after: cursor, limit: limit, context))
        }
    }

    private func addOwnProfile(to routes: inout Routes) {
        routes.get("/api/v1/users/me", authenticated: true) { _, context in
            Response(json: try await accounts.ownProfile(of: context.requireUser().userID))
        }
        routes.patch("/api/v1/users/me", authenticated: true) { request, context in
            let userID = try await limits.admitChange(context)
            var fields = try await request.fields(context)
            let displayName = fields.optionalString("displayName", length: AccountRules.displayNameLength)
            let whoMayAdd = fields.optionalChoice("whoMayAdd", WhoMayAdd.self)
            try fields.finish()
            guard displayName != nil || whoMayAdd != nil else {
                throw ChatError.invalid("displayName", "is required where whoMayAdd is absent")
            }
            return Response(
                json: try await accounts.change(userID, displayName: displayName, whoMayAdd: whoMayAdd))
        }
    }

    private func all(after cursor: Cursor?, limit: Int, _ context: ChatRequestContext) async throws -> Page<User> {
        let last = try cursor.map { cursor throws(ChatError) in
            guard let position = UserRepository.ListPosition(cursorPart: cursor.parts[0]) else {
                throw ChatError.notFromThisList
            }
            return position
        }
        let users = try await accounts.users.users(after: last, limit: limit + 1)
        return Page(
            fetched: users, limit: limit, item: { shown($0, context) },
            cursor: { Cursor(of: Self.list, [UserRepository.ListPosition($0).cursorPart]) })
    }

    private func found(
        _ text: String, after cursor: Cursor?, limit: Int, _ context: ChatRequestContext
    ) async throws -> Page<User> {
        let last = try cursor.map { cursor throws(ChatError) in
            guard let userID = UserID(text: cursor.parts[1]) else { throw ChatError.notFromThisList }
            return (suffix: cursor.parts[0], userID: userID)
        }
        let found = try await accounts.users.users(finding: text, after: last, limit: limit + 1)
        return Page(
            fetched: found, limit: limit, item: { shown($0.item, context) },
            cursor: { Cursor(of: Self.search, [$0.suffix, $0.item.userID.description]) })
    }

    /// The user as this caller may see it.
    private func shown(_ user: User, _ context: ChatRequestContext) -> User {
        let seesExternalID =
            externalIDs == .all || context.key != nil || context.user?.userID == user.userID
        return seesExternalID ? user : user.withoutExternalID
    }
}

extension UserRepository.ListPosition {
    /// No username holds it.
    private static let unnamedMark = "#"

    init(_ user: User) { self = user.username.map { .username($0) } ?? .unnamed(user.userID) }

    /// Reads the part of a cursor.
    /// - Returns: `nil` for text that ``cursorPart`` cannot have made.
    init?(cursorPart: String) {
        guard cursorPart.hasPrefix(Self.unnamedMark) else {
            self = .username(cursorPart)
            return
        }
        guard let userID = UserID(text: String(cursorPart.dropFirst())) else { return nil }
        self = .unnamed(userID)
    }

    var cursorPart: String {
        switch self {
        case .username(let name): name
        case .unnamed(let userID): Self.unnamedMark + userID.description
        }
    }
}
