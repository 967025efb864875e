import ChatEvents
import ChatTestSupport
import CommonUtil
import Foundation
import Testing

/// `docs/frames.schema.json` and `docs/asyncapi.yaml`, held against the types that write and read the frames.
@Suite(.timeLimit(.minutes(1))) struct FrameSchemaTests {
    private let schemas: OpenAPIDescription
    private let asyncAPI: OpenAPIDescription

    private let room = RoomID(verified: "general")
    private let user = UserID(5)
    private let at = Timestamp(microseconds: 1_795_366_606_123_999)

    init() throws {
        let docs = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../docs")
        func read(_ name: String) throws -> OpenAPIDescription {
            try OpenAPIDescription(yaml: String(contentsOf: docs.appending(path: name), encoding: .utf8))
        }
        schemas = try read("frames.schema.json")
        asyncAPI = try read("asyncapi.yaml")
    }

    private func message(isFull: Bool) -> Message {
        Message(
            messageID: MessageID(78), roomID: room, seq: 8, senderID: user, type: .richContent, contentJSON: "{}",
            sentAt: at, replyToMessageID: isFull ? MessageID(77) : nil, clientMessageID: isFull ? "key-1" : nil,
            isEdited: isFull)
    }

    /// Every frame that a server can send, where members are optional with and without them.
    private var serverFrames: [any JSONEncodable] {
        let changes: [RoomChange] =
            [true, false].flatMap { isFull in
                [
                    .message(message(isFull: isFull)), .messageEdited(message(isFull: isFull), by: user, at: at),
                    .messageDeleted(message(isFull: isFull), by: user, at: at),
                ]
            } + MemberRole.allCases.map { .memberJoined(user, role: $0, by: user, at: at) } + [
                .memberLeft(user, by: user, at: at), .memberRoleChanged(user, role: .admin, by: user, at: at),
                .roomUpdated(name: "n", by: user, at: at), .roomArchived(name: "n", by: user, at: at),
            ]
        let passing: [EphemeralEvent] = [
            .read(room, user, lastReadSeq: 0, at: at), .typing(room, user, isTyping: true),
        ]
        let session: [SessionEvent] =
            [
                .ready(sessionID: "s", room, user, seq: 0, heartbeatSeconds: 25),
                .ready(sessionID: "s", room, nil, seq: 3, mark: message(isFull: true).mark, heartbeatSeconds: 25),
                .caughtUp(room, seq: 0), .caughtUp(room, seq: 8, mark: message(isFull: true).mark),
                .tokenExpiring(expiresAt: at), .reconnect(afterMs: 0, reason: "r"), .pong,
            ] + FrameError.Code.allCases.map { .error(FrameError($0, "m")) }
        return changes.map { RoomEvent(roomID: room, seq: 9, change: $0) } + passing + session
    }

    /// Every frame that only a user socket is sent.
    private var userFrames: [any JSONEncodable] {
        let listed = RoomJSON(ListedRoomExample())
        let events: [UserSessionEvent] = [
            .ready(sessionID: "s", user, heartbeatSeconds: 25),
            .rooms([listed], removed: [room], isAll: true, isLast: true),
            .rooms([], removed: [], isAll: false, isLast: false),
            .roomReset(listed, room, seq: 3, mark: EventMark("abcdef")), .roomReset(listed, room, seq: 0, mark: nil),
            .roomSkipped(room, seq: 3, mark: EventMark("abcdef")), .roomSkipped(room, seq: 3, mark: nil),
            .synced(cursor: "c"), .roomAdded(listed),
            .roomChanged(room, lastReadSeq: 3, unreadCount: 0, lastSeq: 3), .cursor("c"),
        ]
        return events + UserSessionEvent.RemovalReason.allCases.map { UserSessionEvent.roomRemoved(room, $0) }
    }

    @Test func `every frame of a room socket fits the schema of its type, which has no other members`() throws {
        let types = try check(serverFrames, group: "ServerFrame")
        let others = try check(userFrames, group: "UserServerFrame", isComplete: false)
        // `user_state` is between servers, and `room_created` in the feed of changes alone.
        let elsewhere = [EventType.userState.rawValue, EventType.roomCreated.rawValue]
        #expect(types.union(others).union(elsewhere) == Set(EventType.allCases.map(\.rawValue)))
    }

    /// - Parameter isComplete: whether there is a frame for each type of the group.
    /// - Returns: the types of the frames.
    private func check(_ frames: [any JSONEncodable], group: String, isComplete: Bool = true) throws -> Set<String> {
        let definitions = try definitions(of: group)
        // By name: members that were seen, and how often there was such a frame.
        var members: [String: Set<String>] = [:]
        var always: [String: Set<String>] = [:]
        var types: Set<String> = []
        for frame in frames {
            let value = try JSON(parsing: Data(frame.jsonBytes))
            let type = try #require(value["eventType"]?.string)
            types.insert(type)
            let name = try #require(
                definitions.first { Self.values(of: $1["properties"]?["eventType"]).contains(type) }?.key, "\(type)")
            #expect(schemas.differences(value, toSchema: ["$defs", name]) == [])
            #expect(schemas.differences(value, toSchema: ["$defs", group]) == [])
            let keys = Set((value.object ?? [:]).keys)
            members[name, default: []].formUnion(keys)
            always[name] = always[name].map { $0.intersection(keys) } ?? keys
        }
        // Servers tell each other of a user's state, and no socket.
        let described = Set(definitions.values.flatMap { Self.values(of: $0["properties"]?["eventType"]) })
        #expect(isComplete ? described == types : described.isSuperset(of: types))
        for (name, definition) in definitions where members[name] != nil {
            #expect(Set((definition["properties"]?.object ?? [:]).keys) == members[name], "\(name)")
            #expect(Set((definition["required"]?.array ?? []).compactMap(\.string)) == always[name], "\(name)")
        }
        return types
    }

    @Test func `the schemas of client frames are those that the server accepts`() throws {
        try checkClientFrames("ClientFrame", types: ClientFrame.types) { _ = try ClientFrame(text: $0) }
        try checkClientFrames("UserClientFrame", types: UserFrame.types) { _ = try UserFrame(text: $0) }
    }

    private func checkClientFrames(_ group: String, types: [String], _ read: ([UInt8]) throws -> Void) throws {
        let definitions = try definitions(of: group)
        #expect(definitions.values.flatMap { Self.values(of: $0["properties"]?["type"]) }.sorted() == types.sorted())
        for (name, definition) in definitions {
            let examples = try #require(definition["examples"]?.array)
            for example in examples {
                #expect(schemas.differences(example, toSchema: ["$defs", name]) == [])
                #expect(throws: Never.self) { try read(Array(example.text.utf8)) }
                for required in definition["required"]?.array?.compactMap(\.string) ?? [] {
                    var members = try #require(example.object)
                    members[required] = nil
                    let text = JSON.object(members).text
                    #expect(throws: FrameError.self, "\(text)") { try read(Array(text.utf8)) }
                }
            }
        }
    }

    @Test func `the AsyncAPI description has every frame, in its direction`() throws {
        for (operation, group) in [
            ("sendToClient", "ServerFrame"), ("receiveFromClient", "ClientFrame"), ("sendToUser", "UserServerFrame"),
            ("receiveFromUser", "UserClientFrame"),
        ] {
            let messages = asyncAPI.document["operations"]?[operation]?["messages"]?.array ?? []
            let payloads = messages.compactMap { message -> String? in
                let reference = asyncAPI.resolved(asyncAPI.resolved(message))["payload"]?["$ref"]?.string
                return reference?.split(separator: "/").last.map(String.init)
            }
            #expect(payloads.sorted() == (try definitions(of: group).keys.sorted()))
        }
    }

    private func definitions(of group: String) throws -> [String: JSON] {
        let choices = try #require(schemas.document["$defs"]?[group]?["oneOf"]?.array)
        return Dictionary(
            uniqueKeysWithValues: choices.compactMap { choice in
                guard let name = choice["$ref"]?.string?.split(separator: "/").last.map(String.init) else { return nil }
                return (name, schemas.resolved(choice))
            })
    }

    private static func values(of schema: JSON?) -> [String] {
        (schema?["enum"]?.array ?? [schema?["const"]].compactMap { $0 }).compactMap(\.string)
    }
}

/// A room as a user is sent it, with the members that the schema requires.
private struct ListedRoomExample: JSONEncodable {
    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("roomId", "general")
            writer.member("name", "General")
            writer.member("type", "public")
            writer.member("memberCount", 1)
            writer.member("lastSeq", 3)
            writer.member("createdAt", "2026-11-30T05:00:00.000Z")
            writer.member("lastReadSeq", 0)
            writer.member("unreadCount", 3)
        }
    }
}
