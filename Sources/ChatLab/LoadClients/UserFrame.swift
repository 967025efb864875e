import Foundation
import NIOCore

/// A frame of a user socket that is no event of a room's log, as far as load clients look at it. The events of logs are
/// scanned instead (``EventFrame``), since there are far more of them.
struct UserFrame: Decodable, Equatable {
    /// A room as `GET /rooms` lists it.
    struct Room: Decodable, Equatable {
        var roomId: String
        var lastSeq: Int
        var mark: String?
    }

    var eventType: String
    var rooms: [Room]?
    var removed: [String]?
    var isAll: Bool?
    var isLast: Bool?
    var room: Room?
    var roomId: String?
    var seq: Int?
    var mark: String?
    var reason: String?
    var cursor: String?

    /// The kinds that this type describes.
    static let kinds: Set<String> = [
        "ready", "rooms", "caught_up", "room_reset", "room_skipped", "synced", "room_added", "room_removed",
        "room_changed", "cursor",
    ]

    /// - Returns: nil for a text that is no such frame.
    init?(_ text: ByteBuffer) {
        guard let frame = try? JSONDecoder().decode(Self.self, from: Data(text.readableBytesView)) else { return nil }
        self = frame
    }

    init(_ eventType: String) {
        self.eventType = eventType
    }
}

/// The frames that a client of a user socket sends.
enum UserCall {
    /// How far a client has a room's log.
    struct Place: Equatable, Sendable {
        var seq: Int
        var mark: String?

        init(_ seq: Int, _ mark: String? = nil) {
            self.seq = seq
            self.mark = mark
        }
    }

    /// Below the 64 KiB that a frame may have, with room for its other members.
    private static let roomBytes = 48 * 1024

    /// The texts of a `sync`: several where one would be too long. The rooms are in the order of their ids.
    static func sync(cursor: String?, rooms: [String: Place], maxMissed: Int? = nil) -> [String] {
        var parts: [[String]] = [[]]
        var bytes = 0
        for (room, place) in rooms.sorted(by: { $0.key < $1.key }) {
            // A room without events has nothing to go on from; 0 stands for its beginning and has no mark.
            let mark = place.seq > 0 ? place.mark.map { #","mark":"\#($0)""# } ?? "" : ""
            let entry = #""\#(room)":{"seq":\#(place.seq)\#(mark)}"#
            if bytes + entry.utf8.count > roomBytes {
                parts.append([])
                bytes = 0
            }
            bytes += entry.utf8.count + 1
            parts[parts.count - 1].append(entry)
        }
        return parts.enumerated().map { number, entries in
            var text = #"{"type":"sync""#
            if number == 0 {
                if let cursor { text += #","cursor":"\#(cursor)""# }
                if let maxMissed { text += #","maxMissed":\#(maxMissed)"# }
            }
            if !entries.isEmpty { text += #","rooms":{\#(entries.joined(separator: ","))}"# }
            if number < parts.count - 1 { text += #","more":true"# }
            return text + "}"
        }
    }

    static func open(_ room: String) -> String { #"{"type":"open","roomId":"\#(room)"}"# }

    static func read(_ room: String, seq: Int) -> String { #"{"type":"read","roomId":"\#(room)","seq":\#(seq)}"# }
}
