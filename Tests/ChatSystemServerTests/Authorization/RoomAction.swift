/// What can be done in a room, in the words of docs/security.md. The other member and the other admin are no callers.
enum RoomAction: String, CaseIterable, Sendable {
    case read = "`GET /rooms/{id}`"
    case rename = "`PATCH /rooms/{id}`"
    case archive = "`DELETE /rooms/{id}`"
    case markRead = "`PUT /rooms/{id}/read`"
    case members = "`GET /rooms/{id}/members`"
    case addMember = "`POST /rooms/{id}/members`"
    case addAdmin = "`POST /rooms/{id}/members`, as admin"
    case addOwner = "`POST /rooms/{id}/members`, as owner"
    case promote = "`PATCH /rooms/{id}/members/{userId}`, a member"
    case demote = "`PATCH /rooms/{id}/members/{userId}`, an admin"
    case demoteOwner = "`PATCH /rooms/{id}/members/{userId}`, the owner"
    case removeMember = "`DELETE /rooms/{id}/members/{userId}`, a member"
    case removeAdmin = "`DELETE /rooms/{id}/members/{userId}`, an admin"
    case removeOwner = "`DELETE /rooms/{id}/members/{userId}`, the owner"
    case removeOneself = "`DELETE /rooms/{id}/members/{userId}`, oneself"
    case join = "`POST /rooms/{id}/join`"
    case leave = "`POST /rooms/{id}/leave`"
    case post = "`POST /messages`"
    case message = "`GET /messages/{id}`"
    case edit = "`PATCH /messages/{id}`"
    case delete = "`DELETE /messages/{id}`"
    case history = "`GET /rooms/{id}/messages`"
    case events = "`GET /rooms/{id}/events`"
    case upload = "`POST /files`"
    case fileInfo = "`GET /files/{id}/info`"
    case download = "`GET /files/{id}`"
    case deleteFile = "`DELETE /files/{id}`"

    case connect = "socket: connect"
    case resume = "socket: connect with `lastSeq`"
    case receive = "socket: hear a post"
    case ping = "socket: `ping`"
    case typing = "socket: `typing`"
    case readFrame = "socket: `read`"
    case authOwn = "socket: `auth`, one's own token"
    case authOther = "socket: `auth`, another user's token"
    case authExpired = "socket: `auth`, one's own expired token"
    case authBad = "socket: `auth`, a bad token"

    case connectStream = "stream: connect"
    case resumeStream = "stream: connect with `lastSeq`"
    case receiveStream = "stream: hear a post"

    /// Whether it leaves nothing behind, so that the next caller may try it in the same room.
    var onlyLooks: Bool {
        switch self {
        case .read, .members, .message, .history, .events, .fileInfo, .download, .connect, .resume, .ping, .authOwn,
            .authOther,
            .authExpired, .authBad, .connectStream, .resumeStream:
            true
        default: false
        }
    }

    var isOfFiles: Bool { [.upload, .fileInfo, .download, .deleteFile].contains(self) }
    var isOfSockets: Bool { rawValue.hasPrefix("socket: ") }
    var isOfStreams: Bool { rawValue.hasPrefix("stream: ") }
}
