import ChatStorage
import CommonUtil

/// Which rooms a user may read.
struct RoomReader: Sendable {
    let rooms: RoomRepository
    let authMode: AuthMode

    /// - Throws: `room_not_found` where there is no such room, or none that this user may know of.
    func requireReadable(_ roomID: RoomID, by userID: UserID) async throws {
        var access = try await rooms.access(to: roomID, of: userID)
        if access == nil, authMode == .trusted {
            try await rooms.makeOpenRoom(roomID)
            access = try await rooms.access(to: roomID, of: userID)
        }
        guard let access, access.isVisible else { throw ChatError(.roomNotFound) }
    }
}
