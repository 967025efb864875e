import ChatStorage
import CommonUtil
import ServiceLifecycle

/// Asks PostgreSQL what those at the door may do: all who came while it was busy with the last question share the next
/// one. So ten thousand sockets that come back at once are a few dozen queries, and nothing is cached: each is told what
/// holds now.
final class SharedRoomAccess: Service {
    private typealias Question = (
        roomID: RoomID, userID: UserID?, answer: CheckedContinuation<RoomAccess?, any Error>
    )

    private static let batchSize = 512

    private let rooms: RoomRepository
    private let questions = BatchQueue<Question>(capacity: 65_536)

    init(rooms: RoomRepository) { self.rooms = rooms }

    /// - Returns: `nil` where there is no such room.
    /// - Throws: `unavailable` where PostgreSQL does not answer, or too many wait.
    func access(to roomID: RoomID, of userID: UserID?) async throws -> RoomAccess? {
        try await withCheckedThrowingContinuation { answer in
            do {
                try questions.append((roomID, userID, answer))
            } catch {
                answer.resume(throwing: ChatError.unavailable("Too many are waiting, or this server is stopping"))
            }
        }
    }

    /// Asks until graceful shutdown; who waits then is still told.
    func run() async throws {
        await withTaskCancellationOrGracefulShutdownHandler {
            while let batch = await questions.next(upTo: Self.batchSize) { await ask(batch) }
        } onCancelOrGracefulShutdown: {
            self.questions.stop()
        }
    }

    private func ask(_ batch: [Question]) async {
        do {
            let found = try await rooms.accesses(batch.map { ($0.roomID, $0.userID) })
            for (question, access) in zip(batch, found) { question.answer.resume(returning: access) }
        } catch {
            for question in batch { question.answer.resume(throwing: error) }
        }
    }
}
