import ChatEvents
import ChatStorage
import CommonUtil
import Testing

@testable import ChatSystemServer

/// What a line has to be.
@Suite(.timeLimit(.minutes(1))) struct ImportLineReaderTests {
    private static let now = Timestamp(microseconds: 1_709_114_400_000_000)

    private func read(_ text: String, scopes: Set<KeyScope> = [.users, .rooms, .messages]) throws -> ImportLine {
        try ImportLineReader(scopes: scopes).read(Array(text.utf8), now: Self.now)
    }

    private func refusal(_ text: String, scopes: Set<KeyScope> = [.users, .rooms, .messages]) -> ChatError? {
        #expect(throws: ChatError.self) { try read(text, scopes: scopes) }
    }

    private static func message(_ fields: String) -> String {
        #"{"message": {"roomId": "r", "importId": "1", "senderId": "ext:a/b", "messageType": "text", "#
            + #""payload": {"text": "Hi"}, "sentAt": "2024-02-28T10:00:00Z"\#(fields)}}"#
    }

    @Test func `each kind of line is read with all it has`() throws {
        guard
            case .user(let user) = try read(
                #"{"user": {"externalId": "a/b", "displayName": "Ann", "username": "ANN", "disabled": true, "createdAt": "2019-04-01T09:00:00.5Z"}}"#
            )
        else { throw ChatError(.internalError) }
        #expect(user.externalID.rawValue == "a/b" && user.displayName == "Ann" && user.username == "ann")
        #expect(user.isDisabled == true && user.createdAt?.description == "2019-04-01T09:00:00.500Z")
        guard case .user(let bare) = try read(#"{"user": {"externalId": "x\u0007y", "displayName": null}, "other": 1}"#)
        else { throw ChatError(.internalError) }
        #expect(bare.displayName == nil && bare.defaultName == "xy" && bare.isDisabled == nil)

        guard case .room(let room) = try read(#"{"room": {"roomId": "r", "name": "Room", "type": "private"}}"#) else {
            throw ChatError(.internalError)
        }
        #expect(room.roomID.rawValue == "r" && room.type == .private && room.createdAt == nil)

        guard
            case .member(let member) = try read(
                #"{"member": {"roomId": "r", "userId": 7, "role": "admin", "lastReadSeq": 3, "readAll": false}}"#)
        else { throw ChatError(.internalError) }
        #expect(member.user == .id(UserID(7)) && member.role == .admin && member.read == .upTo(3))
        guard case .member(let reader) = try read(#"{"member": {"roomId": "r", "userId": "ext:a", "readAll": true}}"#)
        else { throw ChatError(.internalError) }
        #expect(reader.role == nil && reader.read == .all)

        guard case .message(let message) = try read(Self.message(#", "replyToImportId": "0""#)) else {
            throw ChatError(.internalError)
        }
        #expect(message.contentJSON == #"{"text":"Hi"}"# && message.sentAt == Self.now)
        #expect(message.importID == "1" && message.replyToImportID == "0" && message.type == .text)
    }

    @Test(arguments: [
        ("", ErrorCode.malformedJSON), ("{", .malformedJSON), ("[]", .malformedJSON), ("\"user\"", .malformedJSON),
        ("{}", .validationFailed), (#"{"guest": {}}"#, .validationFailed), (#"{"user": 1}"#, .validationFailed),
        (#"{"user": null}"#, .validationFailed), (#"{"user": {}, "room": {}}"#, .validationFailed),
        (#"{"user": {}}"#, .validationFailed), (#"{"user": {"externalId": ""}}"#, .validationFailed),
        (#"{"user": {"externalId": "a\u0000b"}}"#, .validationFailed),
        (#"{"user": {"externalId": "a", "username": "?!"}}"#, .validationFailed),
        (#"{"user": {"externalId": "a", "disabled": "no"}}"#, .validationFailed),
        (#"{"user": {"externalId": "a", "createdAt": "yesterday"}}"#, .validationFailed),
        (#"{"user": {"externalId": "a", "createdAt": "2023-02-30T00:00:00Z"}}"#, .validationFailed),
        (#"{"user": {"externalId": "a", "createdAt": "1969-12-31T23:59:59Z"}}"#, .validationFailed),
        (#"{"user": {"externalId": "a", "createdAt": 1700000000}}"#, .validationFailed),
        (#"{"room": {"roomId": "r", "name": "R"}}"#, .validationFailed),
        (#"{"room": {"roomId": "a b", "name": "R", "type": "group"}}"#, .validationFailed),
        (#"{"room": {"roomId": "r", "name": "R", "type": "club"}}"#, .validationFailed),
        (#"{"member": {"roomId": "r", "userId": "7"}}"#, .validationFailed),
        (#"{"member": {"roomId": "r", "userId": 0}}"#, .validationFailed),
        (#"{"member": {"roomId": "r", "userId": 1, "lastReadSeq": -1}}"#, .validationFailed),
        (#"{"member": {"roomId": "r", "userId": 1, "lastReadSeq": 1, "readAll": true}}"#, .validationFailed),
    ])
    func `other lines are refused`(text: String, code: ErrorCode) {
        #expect(refusal(text)?.code == code)
    }

    @Test func `text that is not UTF-8 is refused`() {
        let bytes = Array(#"{"user": {"externalId": ""#.utf8) + [0xFF, 0xFE] + Array(#""}}"#.utf8)
        let error = #expect(throws: ChatError.self) {
            try ImportLineReader(scopes: [.users]).read(bytes, now: Self.now)
        }
        #expect(error?.code == .validationFailed)
    }

    @Test func `messages are held to what can be posted`() {
        func refused(_ old: String, _ new: String) -> Bool {
            let text = Self.message("").replacing(old, with: new)
            return text != Self.message("") && refusal(text)?.code == .validationFailed
        }
        #expect(refused(#"{"text": "Hi"}"#, #"{"text": ""}"#))
        #expect(refused(#"{"text": "Hi"}"#, #"{"text": "\#(String(repeating: "x", count: 8_001))"}"#))
        #expect(refused(#"{"text": "Hi"}"#, #"{"text": "Hi", "x": \#(String(repeating: "1", count: 65))}"#))
        #expect(refused(#""messageType": "text""#, #""messageType": "shout""#))
        #expect(refused(#""messageType": "text""#, #""messageType": "system""#))
        #expect(refused("10:00:00Z", "10:00:00.001Z"), "the future")
        #expect(refused(#""importId": "1""#, #""importId": """#))
        #expect(refused(#""importId": "1""#, #""importId": "\#(String(repeating: "x", count: 65))""#))
        #expect(refused(#", "sentAt": "2024-02-28T10:00:00Z""#, ""))
    }

    @Test func `system messages are the installation's`() throws {
        let text = Self.message("").replacing(#""ext:a/b""#, with: "0")
        for text in [text, text.replacing(#""messageType": "text""#, with: #""messageType": "system""#)] {
            guard case .message(let message) = try read(text) else { throw ChatError(.internalError) }
            #expect(message.sender == .id(.installation))
        }
    }

    @Test func `a line needs the scope of what it describes`() throws {
        let lines: [(String, KeyScope)] = [
            (#"{"user": {"externalId": "a"}}"#, .users),
            (#"{"room": {"roomId": "r", "name": "R", "type": "group"}}"#, .rooms),
            (#"{"member": {"roomId": "r", "userId": 1}}"#, .rooms), (Self.message(""), .messages),
        ]
        for (line, scope) in lines {
            _ = try read(line, scopes: [scope])
            #expect(refusal(line, scopes: Set(KeyScope.allCases).subtracting([scope]))?.code == .scope)
        }
    }
}
