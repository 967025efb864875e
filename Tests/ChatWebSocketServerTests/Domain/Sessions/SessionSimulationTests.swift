import ChatEvents
import CommonUtil
import NIOCore
import Testing

@testable import ChatWebSocketServer

/// The whole way of events to sessions without I/O: a log, Redis, a feed, an event loop, and sockets that stall.
@Suite(.timeLimit(.minutes(2))) struct SessionSimulationTests {
    /// Events get lost on Redis, arrive late or twice; rows are missing in the log; pages arrive late, twice or never;
    /// sockets fill and drain; clients connect and leave; dispatches reach the loop late or twice.
    @Test(arguments: 0..<200 as Range<UInt64>)
    func `in any order of inputs a session gets each event once, in order, and caught_up once`(seed: UInt64) {
        var simulation = Simulation(seed: seed)
        for _ in 0..<600 { simulation.step() }
        simulation.finish()
        for client in simulation.clients { simulation.check(client) }
    }
}

private struct Simulation {
    struct Page {
        var events: [MessageEvent]
        var isLast: Bool
        var mark: EventMark?
    }

    struct Client {
        var cursor: SessionCursor
        let lastSeq: Seq?
        var isWritable = true
        var hasLeft = false
        /// Whether its cursor found another log. There is one log here, so none may.
        var wasReset = false
        /// The page that is being read, as the log was when it was read.
        var page: Page?
        var isPaused = false
        /// `seq` of the events that were sent.
        var sent: [Seq] = []
        /// `caught_up` frames: `seq` and the number of events sent before.
        var announcements: [(seq: Seq, sentBefore: Int)] = []
    }

    private var random: SeededGenerator
    private let last: Seq
    /// Rows that the log lacks.
    private let missing: Set<Seq>
    private var committed: Seq = 0
    /// Published events on their way to the feed.
    private var onRedis: [Seq] = []
    private var feed = RoomFeed()
    private var feedPage: Page?
    private var feedGap = LogGap()
    /// Dispatches on their way to the event loop.
    private var dispatches: [[MessageEvent]] = []
    private var tail = RoomTail(position: 0)
    private(set) var clients: [Client] = []

    init(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let last = Seq.random(in: 1...80, using: &random)
        let damage = Int.random(in: 0..<4, using: &random) == 0 ? 8 : 0
        missing = Set((1...last).filter { _ in Int.random(in: 0..<100, using: &random) < damage })
        self.last = last
        self.random = random
        _ = feed.start(at: 0, mark: nil)
    }

    private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    // MARK: Steps

    mutating func step() {
        switch Int.random(in: 0..<12, using: &random) {
        case 0, 1: commit()
        case 2, 3: if !onRedis.isEmpty { arrive(onRedis.remove(at: .random(in: onRedis.indices, using: &random))) }
        case 4: readFeed()
        case 5: if chance(20) { feed.noteHead(committed) }
        case 6, 7: dispatchNext()
        case 8: if chance(30), clients.count < 8 { connect() }
        case 9: if chance(5) { tail.emptyRing() }
        default:
            guard let index = clients.indices.randomElement(using: &random) else { return }
            change(index) { $0.disturb(&$1) }
        }
    }

    private mutating func commit() {
        guard committed < last else { return }
        committed += 1
        guard !missing.contains(committed) else { return }
        if !chance(15) { onRedis.append(committed) }
        if chance(10) { onRedis.append(committed) }
    }

    private mutating func arrive(_ seq: Seq) {
        if case .deliver(let line) = feed.receive(event(seq), seq: seq) { enqueue(line) }
    }

    private mutating func readFeed() {
        if let page = feedPage {
            feedPage = nil
            let result = feed.fill(page.events, after: page.mark, isLast: page.isLast)
            enqueue(result.events)
            if let end = result.gapEnd, let position = feed.position, feedGap.found(after: position) == .stepOver {
                enqueue(feed.stepOver(upTo: end))
            }
        } else if let seq = feed.beginReading() {
            feedPage = page(after: seq, limit: 7)
        }
    }

    private func page(after seq: Seq, limit: Int) -> Page {
        let later = (seq + 1..<max(committed, seq) + 1).filter { !missing.contains($0) }
        return Page(events: events(later.prefix(limit)), isLast: later.count <= limit, mark: mark(at: seq))
    }

    private func mark(at seq: Seq) -> EventMark? {
        seq == 0 || seq > committed || missing.contains(seq) ? nil : event(seq).mark
    }

    private mutating func enqueue(_ line: [MessageEvent]) {
        if !line.isEmpty { dispatches.append(line) }
    }

    private mutating func dispatchNext() {
        guard let line = dispatches.first else { return }
        // A dispatch that comes twice adds nothing.
        if !chance(5) { dispatches.removeFirst() }
        let before = tail.position
        let areNew = tail.append(line)
        for index in clients.indices {
            if areNew, clients[index].cursor.takeBatch(after: before, upTo: tail.position, mark: tail.mark) {
                change(index) { $0.send(line, to: &$1) }
            } else {
                for event in line where clients[index].cursor.takeDispatched(event) == .send {
                    change(index) { $0.send([event], to: &$1) }
                }
            }
        }
    }

    private mutating func send(_ line: [MessageEvent], to client: inout Client) {
        client.sent += line.seqs
        if chance(10) { client.isWritable = false }
        if !client.isWritable { client.cursor.socketFilled() }
    }

    // MARK: Clients

    private mutating func change(_ index: Int, _ body: (inout Simulation, inout Client) -> Void) {
        var client = clients[index]
        body(&self, &client)
        clients[index] = client
    }

    private mutating func connect() {
        let lastSeq: Seq? = chance(70) ? .random(in: 0...committed, using: &random) : nil
        var client = Client(
            cursor: SessionCursor(
                admissionHead: committed, lastSeq: lastSeq, mark: mark(at: lastSeq ?? committed)), lastSeq: lastSeq)
        // The feed's head is known from the same read.
        feed.noteHead(committed)
        client.cursor.begin(in: tail)
        advance(&client)
        clients.append(client)
    }

    private mutating func disturb(_ client: inout Client) {
        switch Int.random(in: 0..<10, using: &random) {
        case 0:
            if chance(5) {
                client.cursor.end()
                client.hasLeft = true
            }
        case 1, 2:
            client.isWritable.toggle()
            if client.isWritable { advance(&client) }
        case 3:
            guard client.page != nil else { return }
            client.page = nil
            client.isPaused = true
        default:
            proceed(&client)
        }
    }

    /// Completes what a client waits for.
    private mutating func proceed(_ client: inout Client) {
        if client.isPaused {
            client.isPaused = false
            client.cursor.retry()
        } else if let page = client.page {
            // Sometimes it is completed twice.
            if !chance(10) { client.page = nil }
            take(page, &client)
        }
        advance(&client)
    }

    private mutating func take(_ page: Page, _ client: inout Client) {
        switch client.cursor.pageRead(from: page.events.first?.seq, mark: page.mark, position: tail.position) {
        case .send:
            for event in page.events where client.isWritable {
                if client.cursor.take(event) { queue(event, &client) }
            }
        case .readAgain:
            client.page = nil
            client.isPaused = true
        case .otherLog:
            client.wasReset = true
        case .skipGap, .ignore:
            break
        }
    }

    private mutating func advance(_ client: inout Client) {
        for _ in 0..<1_000 where client.isWritable {
            switch client.cursor.next(in: tail) {
            case .send(let event): queue(event, &client)
            case .readLog(let seq): client.page = page(after: seq, limit: 5)
            case .goLive(let announces):
                if announces { client.announcements.append((client.cursor.seq, client.sent.count)) }
            case .otherLog:
                client.wasReset = true
                return
            case .wait: return
            }
        }
    }

    private mutating func queue(_ event: MessageEvent, _ client: inout Client) {
        client.sent += [event].seqs
        if chance(10) { client.isWritable = false }
    }

    // MARK: The end

    /// Lets everything arrive that is still to come.
    mutating func finish() {
        while committed < last { commit() }
        for seq in onRedis { arrive(seq) }
        onRedis = []
        feed.noteHead(last)
        for _ in 0..<2_000 {
            readFeed()
            dispatchNext()
            for index in clients.indices {
                clients[index].isWritable = true
                change(index) { $0.proceed(&$1) }
            }
        }
    }

    func check(_ client: Client) {
        let first = (client.lastSeq ?? client.cursor.admissionHead) + 1
        let expected = (first..<max(last + 1, first)).filter { !missing.contains($0) }
        if client.hasLeft {
            #expect(client.sent == Array(expected.prefix(client.sent.count)))
            #expect(client.announcements.count <= 1)
            return
        }
        #expect(!client.wasReset)
        #expect(client.cursor.isLive)
        #expect(client.sent == expected)
        #expect(client.announcements.count == (client.lastSeq == nil ? 0 : 1))
        for announcement in client.announcements {
            #expect(announcement.seq >= client.cursor.admissionHead)
            #expect(client.sent.prefix(announcement.sentBefore).allSatisfy { $0 <= announcement.seq })
            #expect(client.sent.dropFirst(announcement.sentBefore).allSatisfy { $0 > announcement.seq })
        }
    }
}
