import ChatEventBus
import ChatStorage
import ChatTestSupport
import CommonAuth
import CommonUtil
import NIOCore
import Synchronization
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(1))) struct AdmissionQueueTests {
    private typealias Outcome = AdmissionResult

    private let outcomes = EventCollector<Outcome>()

    private func queue(
        _ directory: HeldDirectory, _ fixture: DeliveryFixture, authMode: AuthMode = .token, capacity: Int = 65_536
    ) -> AdmissionQueue {
        AdmissionQueue(
            authMode: authMode, directory: directory, feeds: fixture.feeds, sessions: fixture.sessions,
            capacity: capacity)
    }

    private func append(_ count: Int, lastSeq: Seq? = nil, to queue: AdmissionQueue) throws {
        for _ in 0..<count {
            queue.append(try .authenticated(lastSeq: lastSeq)) { [outcomes] in outcomes.append($0) }
        }
    }

    private func codes(_ count: Int) async throws -> [CloseCode?] {
        try await outcomes.first(count).map { outcome in
            if case .failure(let reason) = outcome { reason.code } else { nil }
        }
    }

    @Test func `admissions that arrive during a query share the next one`() async throws {
        let fixture = try await DeliveryFixture()
        let directory = HeldDirectory()
        let queue = queue(directory, fixture)
        try append(1, to: queue)
        try await directory.queries.first(1)
        try append(600, to: queue)
        // Those are queued before the query is answered.
        try await fixture.eventLoop.submit {}.get()
        directory.release(3)
        #expect(try await codes(601).allSatisfy { $0 == nil })
        #expect(directory.queries.all == [1, AdmissionQueue.batchSize, 600 - AdmissionQueue.batchSize])
    }

    @Test func `an authorized admission carries the head, and its feed has begun there`() async throws {
        let fixture = try await DeliveryFixture()
        let directory = HeldDirectory(head: 7)
        directory.release(1)
        try append(1, lastSeq: 3, to: queue(directory, fixture))
        let admission = try #require(try await outcomes.first(1).first?.get())
        #expect(admission.stage.head == 7)
        #expect(admission.request.lastSeq == 3)
        #expect(admission.stage.user?.userID == UserID(7))
        #expect(try await fixture.position() == 7)
    }

    @Test(arguments: [
        (HeldDirectory(isMember: false), CloseCode.notAMember),
        (HeldDirectory(isPublic: false, isMember: false), .noSuchRoom), (HeldDirectory(exists: false), .noSuchRoom),
        (HeldDirectory(head: 2), .aheadOfLog), (HeldDirectory(isAvailable: false), .tryAgainLater),
    ])
    private func `an admission is refused with the code of what it lacks`(
        directory: HeldDirectory, code: CloseCode
    ) async throws {
        let fixture = try await DeliveryFixture()
        directory.release(1)
        try append(1, lastSeq: 3, to: queue(directory, fixture))
        #expect(try await codes(1) == [code])
    }

    @Test func `beyond the capacity admissions are refused at once, and room is made by those that end`() async throws {
        let fixture = try await DeliveryFixture()
        let directory = HeldDirectory()
        let queue = queue(directory, fixture, capacity: 2)
        try append(3, to: queue)
        #expect(try await codes(1) == [.tryAgainLater])
        directory.release(10)
        #expect(try await codes(3) == [.tryAgainLater, nil, nil])
        try append(1, to: queue)
        #expect(try await codes(4).last == .some(nil))
    }

    @Test func `a trusted server makes a room that is not there, once, and asks again`() async throws {
        let fixture = try await DeliveryFixture()
        let directory = HeldDirectory(exists: false)
        directory.release(10)
        try append(1, to: queue(directory, fixture, authMode: .trusted))
        #expect(try await codes(1) == [nil])
        #expect(directory.queries.all == [1, 1])
        #expect(directory.made.all == [hall])
    }

    @Test func `an admission that is refused releases its slot and its feed`() async throws {
        let fixture = try await DeliveryFixture()
        let released = EventCollector<Int>()
        let directory = HeldDirectory(isMember: false)
        directory.release(1)
        queue(directory, fixture).append(try .authenticated(slot: Lease { released.append(1) })) { _ in }
        try await released.first(1)
    }
}

/// A directory whose queries end when the test releases them.
private final class HeldDirectory: RoomDirectory {
    /// The number of admissions of each query.
    let queries = EventCollector<Int>()
    let made = EventCollector<RoomID>()
    private let released = EventCollector<Int>()
    private let authorization: RoomAuthorization
    private let exists: Bool
    private let isAvailable: Bool

    init(
        isPublic: Bool = true, isMember: Bool = true, head: Seq = 3, exists: Bool = true, isAvailable: Bool = true
    ) {
        authorization = RoomAuthorization(isPublic: isPublic, isMember: isMember, head: head)
        self.exists = exists
        self.isAvailable = isAvailable
    }

    func release(_ count: Int) { released.append(contentsOf: Array(0..<count)) }

    func authorizations(for asked: [RoomAccessQuery]) async throws -> [RoomAuthorization?] {
        queries.append(asked.count)
        try await released.first(queries.all.count)
        guard isAvailable else { throw ChatError(.unavailable) }
        return asked.map { exists || made.all.contains($0.roomID) ? authorization : nil }
    }

    func markRead(_ roomID: RoomID, by userID: UserID, upTo seq: Seq) async throws -> ReadReceipt? { nil }
    func makeOpenRoom(_ roomID: RoomID) async throws { made.append(roomID) }
}
