import ChatEvents
import ChatStorage
import CommonUtil
import NIOCore

@testable import ChatWebSocketServer

let hall = RoomID(verified: "hall")

/// An event as it comes from Redis or the log.
/// - Parameter log: events of different logs have different marks.
func event(_ seq: Seq, size: Int = 0, log: Int64 = 0) -> MessageEvent {
    let change = RoomChange.roomUpdated(
        name: String(repeating: "x", count: size), by: UserID(1), at: Timestamp(microseconds: log))
    return MessageEvent(RoomEvent(roomID: hall, seq: seq, change: change))
}

/// An event about a message.
func messageEvent(
    _ seq: Seq, messageID: Int64, change: (Message) -> RoomChange = { .message($0) }
) -> MessageEvent {
    let message = Message(
        messageID: MessageID(messageID), roomID: hall, seq: messageID, senderID: UserID(1), type: .text,
        contentJSON: #"{"text":"x"}"#, sentAt: Timestamp(microseconds: 0))
    return MessageEvent(RoomEvent(roomID: hall, seq: seq, change: change(message)))
}

func events(_ seqs: some Sequence<Seq>, log: Int64 = 0) -> [MessageEvent] { seqs.map { event($0, log: log) } }

/// An event as a program publishes it that knows no marks.
func eventWithoutMark(_ seq: Seq) -> MessageEvent? {
    MessageEvent(json: ByteBuffer(string: #"{"eventType":"note","seq":\#(seq)}"#), of: hall)
}

/// Where a log of ``event(_:size:log:)`` is.
func position(head: Seq, at seq: Seq, log: Int64 = 0) -> LogPosition {
    LogPosition(
        head: head, headMark: head > 0 ? event(head, log: log).mark : nil,
        mark: seq > 0 && seq <= head ? event(seq, log: log).mark : nil)
}

extension [MessageEvent] {
    var seqs: [Seq] { compactMap(\.seq) }
}

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): the same numbers for the same seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

/// A room as it is sent to one of its members.
func listedRoom(_ roomID: RoomID = hall, lastSeq: Seq) -> ListedRoom {
    ListedRoom(
        roomID: roomID, lastSeq: lastSeq, mark: event(lastSeq).mark, lastReadSeq: 0,
        json: RoomJSON(ListedRoomExample(roomID: roomID, lastSeq: lastSeq)))
}

private struct ListedRoomExample: JSONEncodable {
    let roomID: RoomID
    let lastSeq: Seq

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("roomId", roomID.rawValue)
            writer.member("lastSeq", lastSeq)
        }
    }
}
