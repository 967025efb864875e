import ChatLocalStack
import Foundation
import NIOCore
import Synchronization

/// One run: the load, the fault, its end, and the check of the history.
struct FaultRun: Sendable {
    /// The outcome of a run.
    struct Result: Sendable {
        var history: History
        var row: FaultRow
    }

    let fault: Fault
    let stack: FaultStack
    /// The event loop of the clients.
    let eventLoop: any EventLoop
    /// The prefix of the names of rooms and messages, unique for each run.
    var name = "r" + String(UInt32.random(in: 0...UInt32.max), radix: 36)
    /// The factor by which times may exceed their bounds: more than 1 on a busy machine.
    var slack = 1
    /// The time that sessions have to reach the end of the log after the fault was healed.
    var settling = Duration.seconds(20)
    /// The time that client libraries have to send what they kept, and to reach the end of the logs.
    var settlingOfLibraries = Duration.seconds(120)
    /// The time that each reader of the feed of changes has to reach its end.
    var settlingOfFeed = Duration.seconds(60)
    /// The time that the servers have to remove what is left of lost uploads and deleted files.
    var settlingOfFiles = Duration.seconds(30)
    /// Whether all servers must be ready when the fault is healed.
    var expectsReadiness = true

    func run() async throws -> Result {
        let load = FaultLoad(fault.shape, name: name, stack: stack.processes, on: eventLoop)
        let libraryClients = try await LibraryClientLoad(
            fault.shape, name: name, rooms: load.rooms, stack: stack.processes)
        let changeFeed = try await ChangeFeedLoad.start(stack.processes, name: name)
        do {
            return try await run(load, libraryClients, changeFeed)
        } catch {
            // Of its own, since this task may have been cancelled. Clients must not outlive the run.
            await Task {
                await changeFeed.abandon()
                await libraryClients.abandon()
                _ = try? await load.finish()
            }.value
            throw error
        }
    }

    private func run(
        _ load: FaultLoad, _ libraryClients: LibraryClientLoad, _ changeFeed: ChangeFeedLoad
    ) async throws -> Result {
        let stage = FaultStage(stack: stack, load: load, libraryClients: libraryClients, changeFeed: changeFeed)
        let before = stack.proxyCounts
        let storedFiles = try await StoredFiles.begin(stack, prefix: name)
        try await load.connect()
        try await load.addMembers()
        try await libraryClients.start(load)
        try await load.startPosting(prefix: name)
        try await Task.sleep(for: fault.warmUp)

        let begin = ContinuousClock.now
        try await fault.inflict(stage)
        try await fault.heal(stage)
        let outage = ContinuousClock.now - begin
        if expectsReadiness { try await stack.waitUntilReady(within: .seconds(30) * slack) }

        let isPosted = try await load.finishPosting(acknowledged: fault.shape.messages, within: .seconds(120) * slack)
        let (posts, uploads) = (try await load.posts, try await load.uploads)
        async let filesSettled = storedFiles.settle(within: settlingOfFiles * slack)
        let reader = RoomLogReader(port: stack.processes.messageServers[1].port, posts: posts)
        var logs: [String: [RoomLogReader.Event]] = [:]
        for room in try await load.allRooms { logs[room] = try await reader.events(of: room) }
        let isDelivered = try await load.waitForReaders(
            heads: logs.compactMapValues { $0.last?.seq }, within: settling * slack)
        let libraries = try await libraryClients.finish(
            logs: logs.mapValues { $0.map(\.content) }, reader: reader, within: settlingOfLibraries * slack)
        var (history, clients) = try await load.finish()
        history.logs = logs.mapValues { $0.map(reader.entry) }
        var otherLogs: [String: [History.LogEntry]] = [:]
        for room in libraryClients.ownRooms { otherLogs[room] = try await reader.events(of: room).map(reader.entry) }
        let feed = try await changeFeed.finish(
            logs: history.logs.merging(otherLogs) { first, _ in first }, isSetBack: history.logLoss != nil,
            within: settlingOfFeed * slack)
        history.changeFeed = feed.feed
        history.changeFeed?.otherLogs = otherLogs
        clients.feedRefused = feed.refused
        var problems = try await filesSettled + libraries.problems + feed.problems
        history.files = try await storedFiles.read(uploads, history.logs, losesFiles: fault.shape.losesFiles)
        if !isPosted { problems.append("not all messages were posted in time") }
        if !isDelivered { problems.append("sessions did not reach the end of the log in \(settling * slack)") }
        problems += try await stack.problemsWithoutClients(within: .seconds(10) * slack)
        let evidence = await evidence(clients, since: before, stage)
        let measures = try await fault.examine(history, stage)
        var row = FaultRow(
            fault: fault, history: history, evidence: evidence, measures: measures, outage: outage, slack: slack,
            problems: problems)
        for (name, summary, check) in libraries.checks { row.add(check, of: name, summary) }
        return Result(history: history, row: row)
    }

    private func evidence(
        _ clients: ClientEvidence, since before: FaultStack.ProxyCounts, _ stage: FaultStage
    ) async -> FaultEvidence {
        let now = stack.proxyCounts
        return FaultEvidence(
            clients: clients, redisOfMessageServers: now.redisOfMessageServers - before.redisOfMessageServers,
            redisOfWebSocketServers: now.redisOfWebSocketServers - before.redisOfWebSocketServers,
            publishFailures: await stack.total(
                "chat_events_publish_failures_total", of: stack.processes.messageServers),
            eventsFromLog: await stack.total(
                "chat_events_received_total", labelled: #"from="log""#, of: stack.processes.webSocketServers),
            postgresReconnects: await stack.total(
                "chat_postgres_reconnects_total", of: stack.processes.messageServers + stack.processes.webSocketServers),
            notes: stage.notes)
    }
}

extension FaultStack {
    struct ProxyCounts: Sendable {
        var redisOfMessageServers: FaultProxy.Counts
        var redisOfWebSocketServers: FaultProxy.Counts
    }

    var proxyCounts: ProxyCounts {
        ProxyCounts(
            redisOfMessageServers: redisOfMessageServers.counts,
            redisOfWebSocketServers: redisOfWebSocketServers.counts)
    }
}

/// The context of a fault: the running stack, the load, and counts and times that the fault records.
final class FaultStage: Sendable {
    let stack: FaultStack
    let load: FaultLoad
    let libraryClients: LibraryClientLoad
    let changeFeed: ChangeFeedLoad
    private let state = Mutex<(notes: [String: Int], times: [String: NIODeadline])>(([:], [:]))

    init(stack: FaultStack, load: FaultLoad, libraryClients: LibraryClientLoad, changeFeed: ChangeFeedLoad) {
        self.stack = stack
        self.load = load
        self.libraryClients = libraryClients
        self.changeFeed = changeFeed
    }

    var processes: LocalStack { stack.processes }

    /// Adds to a count that proves that the fault took effect.
    func note(_ label: String, _ count: Int = 1) {
        state.withLock { $0.notes[label, default: 0] += count }
    }

    var notes: [String: Int] { state.withLock { $0.notes } }

    /// Records the time of an event.
    func mark(_ label: String) {
        state.withLock { $0.times[label] = .now() }
    }

    func time(_ label: String) -> NIODeadline? { state.withLock { $0.times[label] } }

    // MARK: All clients

    /// Has all clients begin nothing new, and waits until everything that was begun has its outcome.
    /// - Throws: `LocalStackError` if something has none in time.
    func pausePosting() async throws {
        try await load.pausePosting()
        try await libraryClients.pausePosting(logReader)
    }

    /// Lets all clients go on after ``pausePosting()``.
    func resumePosting() async throws {
        try await load.resumePosting()
        try libraryClients.resumePosting()
    }

    /// The last `seq` of each room.
    func heads() async throws -> [String: Int] {
        var heads: [String: Int] = [:]
        for room in load.rooms + libraryClients.ownRooms {
            heads[room] = try await logReader.events(of: room).last?.seq ?? 0
        }
        return heads
    }

    private var logReader: RoomLogReader { RoomLogReader(port: processes.messageServers[0].port, posts: []) }

    /// Notes the message servers whose readiness shows the fault within 30 s.
    func noteReadiness(_ label: String, where isShown: (HTTPProbe.Answer) -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        for server in processes.messageServers
        where try await stack.waitForReadiness(of: server, until: deadline, where: isShown) { note(label) }
    }

    /// Waits while the fault lasts.
    func last(_ time: Duration) async throws {
        try await Task.sleep(for: time)
    }
}
