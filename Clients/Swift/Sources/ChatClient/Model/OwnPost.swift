/// The states of a post.
public enum PostState: String, Sendable, Hashable {
    /// Not in the store yet.
    case new
    /// In the store, and waiting for its turn.
    case queued
    /// An attempt to send it is under way.
    case sending
    /// The server has it.
    case stored
    /// It is not stored; ``OwnPost/error`` says why.
    case refused
}

/// An own message that may not be stored by the server yet.
public struct OwnPost: Sendable, Hashable {
    /// The `clientMessageId`.
    public let key: String
    /// The room's id.
    public let roomID: String
    /// `text`, `image`, …
    public let messageType: String
    /// The content.
    public internal(set) var payload: JSONValue
    /// The message that this one answers.
    public let replyToMessageID: Int64?
    /// When it was written, milliseconds since 1970.
    public let createdAt: Int64

    /// The state of the post.
    public internal(set) var state: PostState
    /// The code of the refusal.
    public internal(set) var errorCode: String?
    /// The HTTP status of the refusal.
    public internal(set) var errorStatus: Int?
    /// Whether the refusal means for certain that nothing was stored.
    public internal(set) var isCertain = true
    /// The message's place in the log, once it is stored.
    public internal(set) var seq: Int64?
    /// The message's id, once it is stored.
    public internal(set) var messageID: Int64?

    /// Whether an attempt was begun, so that the server may have stored it.
    var isTried = false
    /// Whether an attempt was begun before the present one.
    var wasTried = false
    /// Whether it is to be given up as soon as the present attempt has ended.
    var isUnwanted = false
    /// Whether the server failed at it, and has answered no other call since.
    var isSuspect = false
    var serverErrors = 0

    init(
        key: String, roomID: String, messageType: String = "text", payload: JSONValue, replyToMessageID: Int64? = nil,
        createdAt: Int64 = 0, state: PostState = .new
    ) {
        self.key = key
        self.roomID = roomID
        self.messageType = messageType
        self.payload = payload
        self.replyToMessageID = replyToMessageID
        self.createdAt = createdAt
        self.state = state
    }

    /// Whether it may be changed or given up: no attempt is under way, nor was there one that may have been stored.
    var isOpen: Bool { state == .refused || ((state == .new || state == .queued) && !isTried) }

    /// Why it was refused.
    public var error: ChatError? {
        guard state == .refused else { return nil }
        let code = ChatError.Code(rawValue: errorCode ?? "not_stored")
        return ChatError(code, "The post was refused", status: errorStatus, isTemporary: code == .serverError)
    }

    func hasSameContent(as other: OwnPost) -> Bool {
        roomID == other.roomID && messageType == other.messageType && replyToMessageID == other.replyToMessageID
            && payload == other.payload
    }
}

extension OwnPost {
    /// The stored form of a post.
    var kept: JSONObject {
        var object: JSONObject = [
            "key": .string(key), "roomId": .string(roomID), "messageType": .string(messageType), "payload": payload,
            "createdAt": JSONValue(createdAt), "state": state == .refused ? "refused" : "queued",
            "isTried": .bool(isTried),
        ]
        if let replyToMessageID { object["replyToMessageId"] = JSONValue(replyToMessageID) }
        guard state == .refused else { return object }
        var error = JSONObject()
        if let errorCode { error["code"] = .string(errorCode) }
        if let errorStatus { error["status"] = JSONValue(errorStatus) }
        if self.error?.isTemporary == true { error["isTemporary"] = true }
        object["error"] = .object(error)
        object["isCertain"] = .bool(isCertain)
        return object
    }

    /// Reads the stored form of a post; `nil` if it is invalid.
    init?(kept: JSONValue) {
        guard let key = kept["key"]?.string, let roomID = kept["roomId"]?.string, let payload = kept["payload"],
            let messageType = kept["messageType"]?.string
        else { return nil }
        self.init(
            key: key, roomID: roomID, messageType: messageType, payload: payload,
            replyToMessageID: kept["replyToMessageId"]?.integer, createdAt: kept["createdAt"]?.integer ?? 0,
            state: kept["state"]?.string == "refused" ? .refused : .queued)
        isTried = kept["isTried"]?.bool ?? false
        guard state == .refused else { return }
        errorCode = kept["error"]?["code"]?.string
        errorStatus = kept["error"]?["status"]?.integer.map { Int($0) }
        isCertain = kept["isCertain"]?.bool ?? true
    }
}

/// The place of a post that the server has stored.
struct StoredPosition: Sendable, Equatable {
    let messageID: Int64
    let seq: Int64
    var mark: String?

    init?(json: JSONValue?) {
        guard let messageID = json?["messageId"]?.integer, let seq = json?["seq"]?.integer else { return nil }
        self.messageID = messageID
        self.seq = seq
        mark = json?["mark"]?.string
    }

    init(messageID: Int64, seq: Int64, mark: String? = nil) {
        self.messageID = messageID
        self.seq = seq
        self.mark = mark
    }
}

/// A post that has left the outbox.
struct DonePost: Sendable, Equatable {
    /// Number of stored posts, and of those that were given up, that the store remembers.
    static let maximum = 100

    let key: String
    /// `nil` if it was given up.
    let place: StoredPosition?

    init(key: String, place: StoredPosition?) {
        self.key = key
        self.place = place
    }

    init?(json: JSONValue) {
        guard let key = json["key"]?.string else { return nil }
        self.init(key: key, place: StoredPosition(json: json))
    }

    var json: JSONValue {
        guard let place else { return ["key": .string(key)] }
        return ["key": .string(key), "messageId": JSONValue(place.messageID), "seq": JSONValue(place.seq)]
    }
}

extension [DonePost] {
    /// The last outcome of a key, which may have been used again after it was given up.
    func outcome(of key: String) -> DonePost? { last { $0.key == key } }

    /// Whether so many posts have left the store that the outcome of this one may no longer be remembered.
    func hasForgotten(_ key: String) -> Bool {
        count >= DonePost.maximum && outcome(of: key) == nil
    }
}
