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

    private func line(_ number: Int) -> String {
        guard number >= users else {
            return #"{"user":{"externalId":"user/\#(number)","displayName":"User \#(number)","createdAt":"2019-04-01T09:00:00Z"}}"#
        }
        let afterUsers = number - users
        guard afterUsers >= rooms else {
            return #"{"room":{"roomId":"import-\#(afterUsers)","name":"Room \#(afterUsers)","type":"group","createdAt":"2019-04-01T09:00:00Z"}}"#
        }
        let afterRooms = afterUsers - rooms
        guard afterRooms >= rooms * membersOfRoom else {
            let (room, member) = (afterRooms / membersOfRoom, afterRooms % membersOfRoom)
            return #"{"member":{"roomId":"import-\#(room)","userId":"ext:user/\#(user(member, of: room))"\#(member.isMultiple(of: 2) ? #","readAll":true"# : "")}}"#
        }
        let message = afterRooms - rooms * membersOfRoom
        // Rooms are written to in runs, as histories are read from other programs.
        let room = message / 50 % rooms
        let reply = message % 50 % 10 == 9 ? #","replyToImportId":"\#(message - 1)""# : ""
        let second = message % 60
        return #"{"message":{"roomId":"import-\#(room)","importId":"\#(message)","senderId":"ext:user/\#(user(message % membersOfRoom, of: room))","messageType":"text","payload":{"text":"The quick brown fox jumps over the lazy dog, \#(message)"},"sentAt":"2024-02-28T10:00:\#(second < 10 ? "0" : "")\#(second)Z"\#(reply)}}"#
    }

    private func user(_ member: Int, of room: Int) -> Int { (room * 7 + member * 13) % users }
}
