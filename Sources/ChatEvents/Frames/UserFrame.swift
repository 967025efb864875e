import CommonUtil

/// A frame that a client sends over a user socket.
public enum UserFrame: Equatable, Sendable {
    case ping
    /// A fresh token for the open socket.
    case auth(token: String)
    /// What the client has, and what it wants to know.
    case sync(SyncFrame)
    /// The user starts or stops typing.
    case typing(RoomID, Bool)
    /// The user has read a room up to this `seq`.
    case read(RoomID, Seq)
    /// Events of the room without a `seq` are wanted.
    case open(RoomID)
    /// They are no longer wanted.
    case close(RoomID)

    private enum Kind: String, CaseIterable {
        case ping, auth, sync, typing, read, open, close
    }

    /// All values of `type`.
    public static var types: [String] { Kind.allCases.map(\.rawValue) }

    /// Whether the frame is accepted before `sync`.
    public var needsNoSync: Bool {
        switch self {
        case .ping, .auth, .sync: true
        case .typing, .read, .open, .close: false
        }
    }

    /// Reads a text frame.
    /// - Throws: the error for the `error` event; `bad_message` for a malformed `sync`.
    public init(text: [UInt8]) throws(FrameError) {
        var (fields, kind) = try FrameFields.read(text, Kind.self)
        let frame: UserFrame? =
            switch kind {
            case .ping: .ping
            case .auth: FrameFields.token(&fields).map { .auth(token: $0) }
            case .sync: .sync(try SyncFrame(&fields))
            case .typing:
                if let roomID = fields.roomID(EventKey.roomID), let typing = fields.bool(EventKey.typing) {
                    .typing(roomID, typing)
                } else {
                    nil
                }
            case .read:
                if let roomID = fields.roomID(EventKey.roomID), let seq = fields.integer(EventKey.seq, in: 0...Seq.max)
                {
                    .read(roomID, seq)
                } else {
                    nil
                }
            case .open: fields.roomID(EventKey.roomID).map { .open($0) }
            case .close: fields.roomID(EventKey.roomID).map { .close($0) }
            }
        guard let frame, fields.errors.isEmpty else { throw FrameError(.invalidField, fields.incomplete.detail) }
        self = frame
    }
}

/// A `sync` frame: `{cursor?, rooms?: {"<roomId>": {seq, mark?}}, maxMissed?, more?}`.
public struct SyncFrame: Equatable, Sendable {
    /// How far a client has the log of a room.
    public struct Position: Equatable, Sendable {
        public let seq: Seq
        /// The mark of that event; `nil` if the client keeps none.
        public let mark: EventMark?

        /// Describes a position.
        public init(seq: Seq, mark: EventMark?) {
            self.seq = seq
            self.mark = mark
        }
    }

    /// Bounds of `maxMissed`.
    private static let maxMissed: ClosedRange<Int64> = 1...10_000

    /// The last cursor that a former session gave.
    public let cursor: String?
    /// The rooms whose logs the client keeps.
    public let rooms: [RoomID: Position]
    /// A room of which more events are missing is skipped to its head.
    public let maxMissed: Int?
    /// Whether another `sync` follows.
    public let hasMore: Bool

    /// Describes a frame.
    public init(cursor: String? = nil, rooms: [RoomID: Position] = [:], maxMissed: Int? = nil, hasMore: Bool = false) {
        self.cursor = cursor
        self.rooms = rooms
        self.maxMissed = maxMissed
        self.hasMore = hasMore
    }

    init(_ fields: inout FieldReader) throws(FrameError) {
        cursor = fields.optionalString(EventKey.cursor, length: 0...65_536)
        maxMissed =
            fields.optionalValue(EventKey.maxMissed) == nil
            ? nil : fields.integer(EventKey.maxMissed, in: Self.maxMissed).map(Int.init)
        hasMore = fields.optionalValue(EventKey.more) == nil ? false : fields.bool(EventKey.more) ?? false
        var rooms: [RoomID: Position] = [:]
        if fields.optionalValue(EventKey.rooms) != nil, let members = fields.object(EventKey.rooms) {
            rooms.reserveCapacity(members.count)
            for (key, value) in members {
                guard let roomID = RoomID(key.text), case .object(let position) = value else {
                    fields.note(EventKey.rooms, "must be an object of rooms, each with seq and mark")
                    continue
                }
                var reader = FieldReader(position)
                rooms[roomID] = Self.position(&reader)
                for error in reader.errors { fields.note("\(EventKey.rooms).\(roomID).\(error.field)", error.message) }
            }
        }
        self.rooms = rooms
        guard fields.errors.isEmpty else { throw FrameError(.badMessage, fields.incomplete.detail) }
    }

    private static func position(_ fields: inout FieldReader) -> Position? {
        let seq = fields.integer(EventKey.seq, in: 0...Seq.max)
        var mark: EventMark?
        if let text = fields.optionalString(EventKey.mark, length: 0...64), !text.isEmpty {
            mark = EventMark(text)
            if mark == nil { fields.note(EventKey.mark, "must be \(EventMark.rule)") }
            if seq == 0 { fields.note(EventKey.mark, "needs a seq above 0") }
        }
        return seq.map { Position(seq: $0, mark: mark) }
    }
}

/// What the frames of room sockets and of user sockets share.
enum FrameFields {
    /// Length limit of a token, in characters.
    private static let maximumTokenLength = 4096

    /// Reads an object and its `type`.
    static func read<Kind: RawRepresentable<String> & CaseIterable>(
        _ text: [UInt8], _: Kind.Type
    ) throws(FrameError) -> (FieldReader, Kind) {
        let fields: FieldReader
        do {
            fields = try FieldReader(body: text)
        } catch {
            throw FrameError(.malformedFrame, error.detail)
        }
        guard case .string(let name)? = fields.optionalValue(EventKey.type), let kind = Kind(rawValue: name) else {
            let types = Kind.allCases.map(\.rawValue).joined(separator: ", ")
            throw FrameError(.unknownType, "\(EventKey.type) must be one of \(types)")
        }
        return (fields, kind)
    }

    /// Reads the token of `auth`.
    static func token(_ fields: inout FieldReader) -> String? {
        fields.string(EventKey.token, length: 1...maximumTokenLength)
    }
}
