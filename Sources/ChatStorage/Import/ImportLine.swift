import ChatEvents
import CommonUtil
import Crypto

/// A line of an import whose form has been validated.
public enum ImportLine: Sendable {
    case user(ImportedUser)
    case room(ImportedRoom)
    case member(ImportedMember)
    case message(ImportedMessage)
}

/// The wanted state of a user. `nil` leaves a property unchanged.
public struct ImportedUser: Sendable {
    public let externalID: ExternalID
    public let displayName: String?
    /// The display name of a new user without one.
    public let defaultName: String
    public let username: String?
    public let isDisabled: Bool?
    public let createdAt: Timestamp?

    /// Describes a user.
    public init(
        externalID: ExternalID, displayName: String?, defaultName: String, username: String? = nil,
        isDisabled: Bool? = nil, createdAt: Timestamp? = nil
    ) {
        self.externalID = externalID
        self.displayName = displayName
        self.defaultName = defaultName
        self.username = username
        self.isDisabled = isDisabled
        self.createdAt = createdAt
    }
}

/// The wanted state of a room.
public struct ImportedRoom: Sendable {
    public let roomID: RoomID
    public let name: String
    public let type: RoomType
    /// `nil` if it stays as it is; a new room is made now.
    public let createdAt: Timestamp?

    /// Describes a room.
    public init(roomID: RoomID, name: String, type: RoomType, createdAt: Timestamp? = nil) {
        self.roomID = roomID
        self.name = name
        self.type = type
        self.createdAt = createdAt
    }
}

/// The wanted state of a member.
public struct ImportedMember: Sendable {
    /// How far the member has read. A mark only moves forward.
    public enum Read: Equatable, Sendable {
        case upTo(Seq)
        /// All that is in the room when the import ends.
        case all
    }

    public let roomID: RoomID
    public let user: UserReference
    /// `nil` if it stays as it is; a new member is a `member`.
    public let role: MemberRole?
    public let read: Read?

    /// Describes a member.
    public init(roomID: RoomID, user: UserReference, role: MemberRole? = nil, read: Read? = nil) {
        self.roomID = roomID
        self.user = user
        self.role = role
        self.read = read
    }
}

/// A message of another program's history. A class, since it has many fields and is passed on often.
public final class ImportedMessage: Sendable {
    public let roomID: RoomID
    /// Unique in its room: one id stands for one message, for ever.
    public let importID: String
    /// The installation or a user, who need not be a member.
    public let sender: UserReference
    public let type: MessageType
    /// Canonical JSON text.
    public let contentJSON: String
    public let sentAt: Timestamp
    /// A message of the same room that was imported before.
    public let replyToImportID: String?

    /// Describes a message.
    public init(
        roomID: RoomID, importID: String, sender: UserReference, type: MessageType, contentJSON: String,
        sentAt: Timestamp, replyToImportID: String? = nil
    ) {
        self.roomID = roomID
        self.importID = importID
        self.sender = sender
        self.type = type
        self.contentJSON = contentJSON
        self.sentAt = sentAt
        self.replyToImportID = replyToImportID
    }

    /// SHA-256 of the line, by which a repeated `importId` is recognized as the same message. The sender is hashed as the
    /// line names it, so that a line stays the same when the user is erased.
    var lineHash: [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(contentJSON.utf8.count + 200)
        func append(_ part: String) {
            text.append(contentsOf: part.utf8)
            text.append(0)
        }
        switch sender {
        case .id(let userID): append(userID.description)
        case .external(let externalID): append("ext:\(externalID)")
        }
        append(type.rawValue)
        append(String(sentAt.microseconds))
        append(replyToImportID ?? "")
        append(contentJSON)
        return SHA256.hash(data: text).withUnsafeBytes { Array($0) }
    }
}

/// The result of a line.
public enum ImportOutcome: Equatable, Sendable {
    /// What the line describes was not there.
    case made
    /// It was there, and differed.
    case changed
    /// Nothing differed, and nothing was written.
    case same
    case refused(ChatError)
}
