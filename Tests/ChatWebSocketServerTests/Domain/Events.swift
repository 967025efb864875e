import ChatEvents
import CommonUtil
import NIOCore

@testable import ChatWebSocketServer

let hall = RoomID(verified: "hall")

/// An event as it comes from Redis or the log.
func event(_ seq: Seq, size: Int = 0) -> MessageEvent {
    let change = RoomChange.roomUpdated(
        name: String(repeating: "x", count: size), by: UserID(1), at: Timestamp(microseconds: 0))
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

func events(_ seqs: some Sequence<Seq>) -> [MessageEvent] { seqs.map { event($0) } }

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
