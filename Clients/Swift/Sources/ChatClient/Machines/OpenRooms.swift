/// The rooms that are open on the connection, so that the server sends their typing and receipts. The server allows 50:
/// the one that was opened first is closed before another is opened. Pure: each input returns the frames to send.
struct OpenRooms: Sendable {
    enum Action: Sendable, Equatable {
        case open(String)
        case close(String)
    }

    static let maximum = 50

    /// In the order in which they were opened.
    private(set) var ids: [String] = []

    /// Another consumer listens to the room.
    mutating func open(_ id: String) -> [Action] {
        if let index = ids.firstIndex(of: id) {
            ids.append(ids.remove(at: index))
            return []
        }
        var actions: [Action] = []
        if ids.count == Self.maximum { actions.append(.close(ids.removeFirst())) }
        ids.append(id)
        return actions + [.open(id)]
    }

    /// The last consumer has ended.
    mutating func close(_ id: String) -> [Action] {
        guard let index = ids.firstIndex(of: id) else { return [] }
        ids.remove(at: index)
        return [.close(id)]
    }
}
