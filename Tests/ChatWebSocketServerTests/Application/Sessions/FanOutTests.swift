import ChatEvents
import ChatTestSupport
import CommonUtil
import NIOCore
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(1))) struct FanOutTests {
    private let fanOut = FanOut(metrics: DeliveryMetrics())
    private let room = RoomSessions(position: 0)

    /// Adds a session's subscription to the room.
    private func session(
        admissionHead head: Seq = 0, lastSeq: Seq? = nil, format: EventFormat = .webSocket
    ) throws -> (RoomSubscription, RecordingTransport) {
        let transport = RecordingTransport(format: format)
        let session = ChatSession(admission: try .authorized(lastSeq: lastSeq, head: head), transport: transport)
        let subscription = try #require(session.subscription)
        subscription.cursor.begin(in: room.tail)
        transport.onClose = { [weak subscription] in subscription?.cursor.end() }
        room.insert(subscription)
        return (subscription, transport)
    }

    private func deliver(_ events: [MessageEvent]) {
        fanOut.deliver(RoomDispatch(roomID: hall, events: events), to: room)
    }

    private func event(_ json: String) throws -> MessageEvent {
        try #require(MessageEvent(json: ByteBuffer(string: json), of: hall))
    }

    private func left(_ seq: Seq) throws -> MessageEvent {
        try event(#"{"eventType":"member_left","seq":\#(seq),"roomId":"hall","userId":7}"#)
    }

    @Test func `a batch is one write of one buffer to each session that is up to date`() throws {
        let transports = try (0..<3).map { _ in try session().1 }
        let batch = events(1...3)
        deliver(batch)
        let joined = batch.reduce(into: ByteBuffer()) { $0.writeImmutableBuffer($1.frame) }
        for transport in transports { #expect(transport.frames.all == [joined]) }
        #expect(room.tail.position == 3)
        #expect(room.tail.ring[2]?.seq == 2)
    }

    @Test func `a session ahead of its loop gets what it does not have`() throws {
        let (session, transport) = try session(admissionHead: 2)
        deliver(events(1...3))
        #expect(transport.frames.all == [ChatWebSocketServerTests.event(3).frame])
        #expect(session.cursor.seq == 3)
    }

    @Test func `a dispatch that is repeated sends nothing`() throws {
        let (_, transport) = try session()
        deliver(events(1...2))
        deliver(events(1...2))
        #expect(transport.frames.all.count == 1)
    }

    @Test func `an event without seq is sent to live sessions, except to the one that caused it`() throws {
        let (sender, own) = try session()
        let (_, other) = try session()
        let (_, returning) = try session(lastSeq: 0)
        var typing = try event(#"{"eventType":"typing","roomId":"hall","userId":7,"typing":true}"#)
        typing.senderSessionID = sender.session.id
        deliver([typing])
        #expect(own.frames.all.isEmpty)
        #expect(other.frames.all == [typing.frame])
        #expect(returning.frames.all.isEmpty)
    }

    @Test func `a session whose socket fills catches up from there`() throws {
        let (session, transport) = try session()
        transport.isWritable = false
        deliver(events(1...1))
        deliver(events(2...2))
        #expect(transport.frames.all == [ChatWebSocketServerTests.event(1).frame])
        #expect(session.cursor.phase == .catchingUp)
        #expect(session.cursor.seq == 1)
    }

    @Test func `the event that ends a membership is the last one of its session`() throws {
        let (_, transport) = try session()
        let batch = [try left(1), ChatWebSocketServerTests.event(2)]
        deliver(batch)
        deliver(events(3...3))
        #expect(transport.frames.all == [batch[0].frame])
        #expect(transport.closes.all.map(\.code) == [.notAMember])
    }

    @Test func `the end of a membership closes a session that catches up at once`() throws {
        let (_, transport) = try session(lastSeq: 0)
        deliver([try left(1)])
        #expect(transport.frames.all.isEmpty)
        #expect(transport.closes.all.map(\.code) == [.notAMember])
    }

    @Test func `event streams get the same events in their own format, encoded once`() throws {
        let streams = try (0..<2).map { _ in try session(format: .eventStream).1 }
        let (_, socket) = try session()
        deliver(events(1...2))
        #expect(socket.frames.all.count == 1)
        let json = events(1...2).map { String(decoding: $0.json, as: UTF8.self) }
        let marks = events(1...2).map { $0.mark?.description ?? "" }
        for stream in streams {
            #expect(
                stream.frames.all.map { String(buffer: $0) } == [
                    "id: 1.\(marks[0])\ndata: \(json[0])\n\nid: 2.\(marks[1])\ndata: \(json[1])\n\n"
                ])
        }
    }

    @Test func `a subscription that is not open gets the log and nothing else`() throws {
        let (subscription, transport) = try session()
        subscription.isOpen = false
        let typing = try event(#"{"eventType":"typing","roomId":"hall","userId":8,"typing":true}"#)
        deliver([typing])
        deliver([ChatWebSocketServerTests.event(1), typing])
        #expect(transport.frames.all == [ChatWebSocketServerTests.event(1).frame])
        subscription.isOpen = true
        deliver([typing])
        #expect(transport.frames.all.last == typing.frame)
    }

    @Test func `a session that is removed gets nothing, and the others stay`() throws {
        let sessions = try (0..<4).map { _ in try session() }
        for (session, _) in sessions.prefix(2) { room.remove(session) }
        room.remove(sessions[0].0)
        deliver(events(1...1))
        #expect(sessions.map { $0.1.frames.all.count } == [0, 0, 1, 1])
        #expect(room.subscriptions.count == 2)
    }
}
