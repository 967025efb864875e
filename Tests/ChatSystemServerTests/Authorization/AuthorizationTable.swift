/// Who may do what: the table of docs/security.md, each cell of which is a test.
enum AuthorizationTable {
    /// One who asks for something in a room, in the order of the table's columns.
    enum Caller: String, CaseIterable, Sendable {
        case noToken = "no token"
        case badToken = "bad token"
        case stranger
        case removed = "removed member"
        case member
        case sender
        case admin
        case owner
    }

    /// One thing to do and what comes of it: a status, a close code, or `ready` for a socket that opens.
    struct Row: Sendable {
        let action: Action
        /// In the order of the callers, in a `group` room, which is hidden from strangers.
        let hidden: [String]
        /// The same in a `public` room.
        let open: [String]

        /// The second list is for rows that differ in a public room.
        init(_ action: Action, _ hidden: String, public open: String? = nil) {
            self.action = action
            self.hidden = hidden.split(separator: " ").map(String.init)
            self.open = (open ?? hidden).split(separator: " ").map(String.init)
        }

        func expected(_ caller: Caller, inPublicRoom isPublic: Bool) -> String {
            let place = Caller.allCases.firstIndex(of: caller) ?? 0
            return (isPublic ? open : hidden)[place]
        }
    }

    /// What can be done in a room. The message is the sender's; the other member and the other admin are no callers.
    enum Action: String, CaseIterable, Sendable {
        case read = "`GET /rooms/{id}`"
        case rename = "`PATCH /rooms/{id}`"
        case archive = "`DELETE /rooms/{id}`"
        case markRead = "`PUT /rooms/{id}/read`"
        case members = "`GET /rooms/{id}/members`"
        case addMember = "`POST /rooms/{id}/members`"
        case addAdmin = "`POST /rooms/{id}/members`, an admin"
        case changeRole = "`PATCH /rooms/{id}/members/{userId}`"
        case removeMember = "`DELETE /rooms/{id}/members/{userId}`, a member"
        case removeAdmin = "`DELETE /rooms/{id}/members/{userId}`, an admin"
        case join = "`POST /rooms/{id}/join`"
        case leave = "`POST /rooms/{id}/leave`"
        case post = "`POST /messages`"
        case message = "`GET /messages/{id}`"
        case edit = "`PATCH /messages/{id}`"
        case delete = "`DELETE /messages/{id}`"
        case history = "`GET /rooms/{id}/messages`"
        case events = "`GET /rooms/{id}/events`"
        case connect = "socket: connect"
    }

    static let rows: [Row] = [
        Row(.read, "401 401 404 404 200 200 200 200", public: "401 401 200 200 200 200 200 200"),
        Row(.rename, "401 401 404 404 403 403 200 200", public: "401 401 403 403 403 403 200 200"),
        Row(.archive, "401 401 404 404 403 403 403 200", public: "401 401 403 403 403 403 403 200"),
        Row(.markRead, "401 401 404 404 200 200 200 200", public: "401 401 403 403 200 200 200 200"),
        Row(.members, "401 401 404 404 200 200 200 200", public: "401 401 200 200 200 200 200 200"),
        Row(.addMember, "401 401 404 404 403 403 201 201", public: "401 401 403 403 403 403 201 201"),
        Row(.addAdmin, "401 401 404 404 403 403 403 201", public: "401 401 403 403 403 403 403 201"),
        Row(.changeRole, "401 401 404 404 403 403 403 200", public: "401 401 403 403 403 403 403 200"),
        Row(.removeMember, "401 401 404 404 403 403 204 204", public: "401 401 403 403 403 403 204 204"),
        Row(.removeAdmin, "401 401 404 404 403 403 403 204", public: "401 401 403 403 403 403 403 204"),
        Row(.join, "401 401 404 404 200 200 200 200", public: "401 401 200 200 200 200 200 200"),
        Row(.leave, "401 401 404 404 204 204 204 204", public: "401 401 403 403 204 204 204 204"),
        Row(.post, "401 401 404 404 201 201 201 201", public: "401 401 403 403 201 201 201 201"),
        Row(.message, "401 401 404 404 200 200 200 200", public: "401 401 200 200 200 200 200 200"),
        Row(.edit, "401 401 404 404 403 200 403 403", public: "401 401 403 403 403 200 403 403"),
        Row(.delete, "401 401 404 404 403 204 204 204", public: "401 401 403 403 403 204 204 204"),
        Row(.history, "401 401 404 404 200 200 200 200", public: "401 401 200 200 200 200 200 200"),
        Row(.events, "401 401 404 404 200 200 200 200", public: "401 401 200 200 200 200 200 200"),
        Row(
            .connect, "4401 4401 4404 4404 ready ready ready ready",
            public: "4401 4401 4403 4403 ready ready ready ready"),
    ]

    /// The table as docs/security.md has it.
    static func markdown(inPublicRoom isPublic: Bool) -> String {
        let head = ["action"] + Caller.allCases.map(\.rawValue)
        let lines =
            [head, head.map { _ in "---" }]
            + rows.map { row in [row.action.rawValue] + (isPublic ? row.open : row.hidden) }
        return lines.map { "| " + $0.joined(separator: " | ") + " |" }.joined(separator: "\n")
    }
}
