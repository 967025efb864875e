import ChatEvents
import ChatStorage
import CommonUtil

/// The text of a place in the feed of changes. Opaque to clients; it is stored by them, so every release reads it.
///
/// URL-safe base64 of a version, 1, and the run, the `seq` and the mark of ``ChangePosition``, highest byte first.
enum ChangeCursor {
    private static let version: UInt8 = 1
    private static let byteCount = 25

    /// Writes a place.
    static func text(of place: ChangePosition) -> String {
        var bytes = [version]
        bytes.reserveCapacity(byteCount)
        for number in [place.run, place.seq, place.mark] {
            withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
        }
        return Base64URL.encode(bytes)
    }

    /// Reads a place.
    /// - Returns: `nil` for text that ``text(of:)`` cannot have made.
    static func position(of text: String) -> ChangePosition? {
        guard let bytes = Base64URL.decode(text), bytes.count == byteCount, bytes[0] == version else { return nil }
        func number(at offset: Int) -> Int64 {
            bytes[offset..<offset + 8].reduce(0) { $0 << 8 | Int64($1) }
        }
        let place = ChangePosition(run: number(at: 1), seq: number(at: 9), mark: number(at: 17))
        guard place.run >= 0, place.seq >= 0 else { return nil }
        return place
    }
}

/// Where a reader of the feed begins.
enum ChangeStart: Equatable {
    /// The oldest event.
    case begin
    /// What comes from now on.
    case now
    case after(ChangePosition)

    /// The requirement on the text, for error messages.
    static let requirement = "must be begin, now, or a cursor of this feed"

    /// Reads `begin`, `now` or a cursor.
    /// - Returns: `nil` for any other text.
    init?(text: String) {
        switch text {
        case "begin": self = .begin
        case "now": self = .now
        default:
            guard let place = ChangeCursor.position(of: text) else { return nil }
            self = .after(place)
        }
    }
}

extension ChangeFilter {
    /// Rooms, and types of events, that a reader can name.
    static let maximumCount = 100
    /// The names of all types, for error messages.
    static let typeNames = Change.types.map(\.rawValue).joined(separator: ", ")

    /// A type of event that the feed has.
    static func type(_ name: String) -> EventType? {
        EventType(rawValue: name).flatMap { Change.types.contains($0) ? $0 : nil }
    }
}
