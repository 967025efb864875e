import ChatStorage
import CommonAuth
import CommonServer
import CommonUtil
import Hummingbird

/// The REST routes of servers' keys.
enum KeyRoutes {
    private static let path = "/api/v1/admin/keys"

    static func add(to routes: inout Routes, _ keys: KeyService) {
        routes.post(path, forKeysWith: .keys) { request, context in
            var fields = try await request.fields(context)
            let name = fields.keyName("name")
            let scopes = fields.choices("scopes", KeyScope.self)
            let expiresAt = fields.optionalTime("expiresAt")
            try fields.finish()
            guard let name, let scopes else { throw fields.incomplete }
            let made = try await keys.make(
                name, scopes: Set(scopes), expiresAt: expiresAt, by: context.requireKey().key)
            return Response(json: made, status: .created)
        }
        routes.get(path, forKeysWith: .keys) { _, _ in
            Response(json: Page(items: try await keys.keys.all(), nextCursor: nil))
        }
        routes.delete("\(path)/{name}", forKeysWith: .keys) { _, context in
            guard let name = KeyName(try context.pathParameter("name")) else { throw ChatError(.keyNotFound) }
            try await keys.revoke(name, by: context.requireKey().key)
            return .noContent
        }
    }
}

extension FieldReader {
    /// Reads the name of a key.
    fileprivate mutating func keyName(_ field: String) -> KeyName? {
        guard let text = string(field, length: 0...Int.max) else { return nil }
        guard let name = KeyName(text) else {
            note(field, "must be \(KeyName.rule)")
            return nil
        }
        return name
    }
}
