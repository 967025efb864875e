import NIOCore

/// The lines of an import: users, rooms, members, then messages, in pieces of some kilobytes. The same each time.
struct ImportLoad: AsyncSequence, Sendable {
    let users: Int
    let rooms: Int
    let messages: Int
    /// Members of each room, of whom every second reads all.
    let membersOfRoom = 20

    var lines: Int { users + rooms + rooms * membersOfRoom + messages }

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let load: ImportLoad
        fileprivate var next = 0

        mutating func next() async -> ByteBuffer? {
            guard next < load.lines else { return nil }
            let end = Swift.min(next + 200, load.lines)
            var bytes = ByteBuffer()
            for number in next..<end {
                bytes.writeString(load.line(number))
                bytes.writeStaticString("\n")
            }
            next = end
            return bytes
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(load: self) }

    private static let createdAt = #""createdAt":"2019-04-01T09:00:00Z""#

    private func line(_ number: Int) -> String {
        guard number >= users else {
            return #"{"user":{"externalId":"user/\#(number)","displayName":"User \#(number)",\#(Self.createdAt)}}"#
        }
        let afterUsers = number - users
        guard afterUsers >= rooms else {
            return #"{"room":{"roomId":"import-\#(afterUsers)","name":"Room \#(afterUsers)","type":"group","#
                + "\(Self.createdAt)}}"
        }
        let afterRooms = afterUsers - rooms
        guard afterRooms >= rooms * membersOfRoom else {
            let (room, member) = (afterRooms / membersOfRoom, afterRooms % membersOfRoom)
            let read = member.isMultiple(of: 2) ? #","readAll":true"# : ""
            return #"{"member":{"roomId":"import-\#(room)","userId":"ext:user/\#(user(member, of: room))"\#(read)}}"#
        }
        return message(afterRooms - rooms * membersOfRoom)
    }

    /// Rooms are written to in runs of 50, as histories are read from other programs. A tenth are replies.
    private func message(_ number: Int) -> String {
        let room = number / 50 % rooms
        let reply = number % 10 == 9 ? #","replyToImportId":"\#(number - 1)""# : ""
        let second = number % 60
        return #"{"message":{"roomId":"import-\#(room)","importId":"\#(number)","#
            + #""senderId":"ext:user/\#(user(number % membersOfRoom, of: room))","messageType":"text","#
            + #""payload":{"text":"The quick brown fox jumps over the lazy dog, \#(number)"},"#
            + #""sentAt":"2024-02-28T10:00:\#(second < 10 ? "0" : "")\#(second)Z"\#(reply)}}"#
    }

    /// Members of a room are different users.
    private func user(_ member: Int, of room: Int) -> Int { (room * 7 + member) % users }
}
