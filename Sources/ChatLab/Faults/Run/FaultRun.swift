import ChatLocalStack
import NIOCore

/// One run: clients at work, the fault, its end, and the judgement.
struct FaultRun: Sendable {
    /// Everything that came of it.
    struct Result: Sendable {
        var history: History
        var row: FaultRow
    }

    let fault: Fault
    let stack: FaultStack
    /// Where its clients live.
    let eventLoop: any EventLoop
    /// Makes the names of rooms and messages its own.
    var name = "r" + String(UInt32.random(in: 0...UInt32.max), radix: 36)
    /// How many times the time may be taken that is allowed: more than once for a machine that has other things to do.
    var slack = 1
    /// How long sessions may take to reach the end of the log after everything was healed.
    var settling = Duration.seconds(20)
    /// Whether all servers must be ready when the fault is healed.
    var expectsReadiness = true

    func run() async throws -> Result {
        let load = FaultLoad(fault.shape, name: name, stack: stack.processes, on: eventLoop)
        let stage = FaultStage(stack: stack, load: load)
        let before = stack.proxyCounts
        try await load.connect()
        try await load.moveIn()
        try await load.startPosting(prefix: name)
        try await Task.sleep(for: fault.warmUp)

        let begin = ContinuousClock.now
        try await fault.inflict(stage)
        try await fault.heal(stage)
        let outage = ContinuousClock.now - begin
        if expectsReadiness { try await stack.waitUntilReady(within: .seconds(30) * slack) }

        let isPosted = try await load.finishPosting(acknowledged: fault.shape.messages, within: .seconds(120) * slack)
        let posts = try await load.posts
        let reader = RoomLogReader(port: stack.processes.messageServers[1].port, posts: posts)
        var logs: [String: [History.LogEntry]] = [:]
        for room in load.rooms { logs[room] = try await reader.log(of: room) }
        let isDelivered = try await load.waitForReaders(
            heads: logs.compactMapValues { $0.last?.seq }, within: settling * slack)
        var (history, clients) = try await load.finish()
        history.logs = logs

        var problems: [String] = []
        if !isPosted { problems.append("not all messages were posted in time") }
        if !isDelivered { problems.append("sessions did not reach the end of the log in \(settling * slack)") }
        problems += try await stack.problemsWithoutClients(within: .seconds(10) * slack)
        let evidence = await evidence(clients, since: before, stage)
        let measures = try await fault.examine(history, stage)
        return Result(
            history: history,
            row: FaultRow(
                fault: fault, history: history, evidence: evidence, measures: measures, outage: outage,
                slack: slack, problems: problems))
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
