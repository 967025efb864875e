import ChatEvents
import CommonUtil

@testable import ChatStorage

/// Lines of imports, short.
extension ImportLine {
    static func user(
        _ externalID: String, name: String? = nil, username: String? = nil, disabled: Bool? = nil,
        createdAt: Timestamp? = nil
    ) -> ImportLine {
        .user(
            ImportedUser(
                externalID: ExternalID(verified: externalID), displayName: name, defaultName: externalID,
                username: username, isDisabled: disabled, createdAt: createdAt))
    }

    static func room(
        _ roomID: RoomID = .hall, _ type: RoomType = .group, name: String? = nil, createdAt: Timestamp? = nil
    ) -> ImportLine {
        .room(ImportedRoom(roomID: roomID, name: name ?? roomID.rawValue, type: type, createdAt: createdAt))
    }

    static func member(
        _ user: UserReference, in roomID: RoomID = .hall, _ role: MemberRole? = nil, read: ImportedMember.Read? = nil
    ) -> ImportLine {
        .member(ImportedMember(roomID: roomID, user: user, role: role, read: read))
    }

    static func message(
        _ importID: String, _ text: String = "Hello", by sender: UserReference = .ext("ann"), in roomID: RoomID = .hall,
        at sentAt: Timestamp = .imported, replyTo: String? = nil
    ) -> ImportLine {
        .message(
            ImportedMessage(
                roomID: roomID, importID: importID, sender: sender, type: .text,
                contentJSON: #"{"text":"\#(text)"}"#, sentAt: sentAt, replyToImportID: replyTo))
    }
}

extension UserReference {
    static func ext(_ text: String) -> UserReference { .external(ExternalID(verified: text)) }
}

extension Timestamp {
    /// 2024-02-28T10:00:00Z
    static let imported = Timestamp(microseconds: 1_709_114_400_000_000)

    func adding(seconds: Int64) -> Timestamp { Timestamp(microseconds: microseconds + seconds * 1_000_000) }
}

extension ImportOutcome {
    /// The word for it; of a refused line the code.
    var word: String {
        switch self {
        case .made: "made"
        case .changed: "changed"
        case .same: "same"
        case .refused(let error): error.code.rawValue
        }
    }
}
