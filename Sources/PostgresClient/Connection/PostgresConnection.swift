import CLibPQ
import DequeModule
import Glibc

/// A logged-in `PGconn` in pipeline mode and the requests on it
/// (PostgreSQL manual, section 34.5 "Pipeline Mode").
///
/// Not `Sendable`: the pool, whose isolation is the event loop's thread, holds the only reference. That is what keeps
/// two threads off one `PGconn`.
final class PostgresConnection {
    typealias ID = Int

    let id: ID
    private let handle: OpaquePointer
    private let usesTLS: Bool
    private var statements: StatementCache
    private var buffer = ParameterBuffer()
    /// Assigned to this connection, not passed to libpq yet.
    private var outbox = Deque<PipelineRequest>()
    /// Passed to libpq, in order; results are for the first one.
    private var pipeline = Deque<PipelineRequest>()
    /// libpq holds bytes that the socket has not accepted.
    private var wantsToWrite = false
    /// The server has ended the session; it will not run the requests behind the first one.
    private var wasTerminated = false
    /// The server has reported an error after which this connection cannot be used, although it may still be open.
    private(set) var isUnusable = false
    /// The server was out of disk or memory since the last ``takeLackOfResources()``.
    private var lackedResources = false

    init(id: ID, owning handle: OpaquePointer, preparedStatements: Int) {
        self.id = id
        self.handle = handle
        usesTLS = PQsslInUse(handle) == 1
        statements = StatementCache(capacity: preparedStatements)
    }

    deinit {
        PQfinish(handle)
    }

    /// No request is in progress or waits to be sent.
    var isIdle: Bool { pipeline.isEmpty && outbox.isEmpty }

    /// Requests wait to be sent.
    var hasUnsent: Bool { !outbox.isEmpty }

    var requestCount: Int { pipeline.count + outbox.count }

    /// False when a transaction is open or has failed.
    var isOutsideTransaction: Bool { PQtransactionStatus(handle) == PQTRANS_IDLE }

    /// Whether the server has reported that it accepts writes. A pooler may report nothing.
    var isKnownWritable: Bool {
        ["default_transaction_read_only", "in_hot_standby"].allSatisfy { (name: String) in
            PQparameterStatus(handle, name).map { String(cString: $0) } == "off"
        }
    }

    /// An idle connection is watched as well: a server that closes it makes its socket readable.
    var watch: SocketWatch {
        SocketWatch(
            connection: id, descriptor: PQsocket(handle),
            events: wantsToWrite ? SocketWatch.reading | SocketWatch.writing : SocketWatch.reading)
    }

    // MARK: Sending

    /// Takes a request, which the next ``flush()`` sends.
    func enqueue(_ request: PipelineRequest) { outbox.append(request) }

    /// Removes a request.
    /// - Returns: `false` if it has been passed to libpq, or others depend on its preamble.
    func withdraw(_ request: PipelineRequest) -> Bool {
        guard request.preamble.isEmpty, let index = outbox.firstIndex(where: { $0 === request }) else { return false }
        outbox.remove(at: index)
        return true
    }

    /// Sends the enqueued requests.
    ///
    /// libpq 15 writes to the socket at every sync. Corked, the kernel gathers those writes into few segments, so that
    /// the server wakes up once for all requests of a turn.
    ///
    /// - Throws: where the connection can no longer be used.
    func flush() throws(PostgresError) {
        let isBurst = outbox.count > 1
        if isBurst { cork(true) }
        defer { if isBurst { cork(false) } }
        while let request = outbox.first, try send(request) {
            outbox.removeFirst()
        }
        try push()
    }

    /// Passes one request to libpq.
    /// - Returns: `false` if it must wait for those before it.
    private func send(_ request: PipelineRequest) throws(PostgresError) -> Bool {
        if case .script = pipeline.first?.work { return false }
        switch request.work {
        case .lease:
            return true
        case .script(let texts):
            // Simple queries are not allowed in pipeline mode, which can only be left when it is idle.
            guard pipeline.isEmpty else { return false }
            request.steps = texts.map { _ in .script }
            pipeline.append(request)
            try check(PQexitPipelineMode(handle))
            try sendScript(request)
            return true
        case .commands(let commands):
            try send(commands, of: request)
            return true
        case .commit:
            try send([PostgresCommand("COMMIT")], of: request)
            return true
        }
    }

    private func send(_ commands: [PostgresCommand], of request: PipelineRequest) throws(PostgresError) {
        pipeline.append(request)
        for command in request.preamble { try send(command, of: request, isCounted: false) }
        for command in commands { try send(command, of: request, isCounted: true) }
        request.steps.append(.sync)
        try check(PQpipelineSync(handle))
    }

    private func send(
        _ command: PostgresCommand, of request: PipelineRequest, isCounted: Bool
    ) throws(PostgresError) {
        let key = StatementCache.Key(command)
        let count = CInt(command.parameters.count)
        let types = command.parameters.map(\.type.rawValue)
        let plan = statements.plan(key, for: request.id)
        if case .prepare(let name) = plan {
            request.steps.append(.prepare(key))
            try check(PQsendPrepare(handle, name, command.statement.sql, count, types))
        }
        request.steps.append(.execute(key, isCounted: isCounted))
        let handle = handle
        let status = buffer.withParameters(command.parameters) { values, lengths, formats in
            switch plan {
            case .named(let name), .prepare(let name):
                PQsendQueryPrepared(handle, name, count, values, lengths, formats, 1)
            case .unnamed:
                PQsendQueryParams(handle, command.statement.sql, count, types, values, lengths, formats, 1)
            }
        }
        try check(status)
    }

    private func sendScript(_ request: PipelineRequest) throws(PostgresError) {
        guard case .script(let texts) = request.work, texts.indices.contains(request.position) else { return }
        try check(PQsendQuery(handle, texts[request.position]))
        try push()
    }

    private func push() throws(PostgresError) {
        let status = PQflush(handle)
        guard status >= 0 else { throw .connectionLost(outcomeUnknown: true) }
        wantsToWrite = status == 1
    }

    private func check(_ status: CInt) throws(PostgresError) {
        guard status == 1 else { throw .connectionLost(outcomeUnknown: true) }
    }

    private func cork(_ isOn: Bool) {
        // Fails on a Unix socket, where it is not needed.
        var value: CInt = isOn ? 1 : 0
        setsockopt(PQsocket(handle), CInt(IPPROTO_TCP), TCP_CORK, &value, socklen_t(MemoryLayout<CInt>.size))
    }

    // MARK: Receiving

    /// Reads results, and calls `finished` with each request that is complete.
    /// - Throws: where the connection can no longer be used.
    func receive(_ finished: (PipelineRequest) -> Void) throws(PostgresError) {
        if wantsToWrite { try push() }
        // OpenSSL may hold back part of a record that `poll` knows nothing of; one record is at most three reads.
        var isAlive = true
        for _ in 0..<(usesTLS ? 3 : 1) where isAlive { isAlive = PQconsumeInput(handle) == 1 }
        // Results that came before the end still count.
        try readResults(finished)
        guard isAlive, PQstatus(handle) == CONNECTION_OK else { throw .connectionLost(outcomeUnknown: true) }
    }

    private func readResults(_ finished: (PipelineRequest) -> Void) throws(PostgresError) {
        var strayEnds = 0
        while let request = pipeline.first, PQisBusy(handle) == 0 {
            if let result = PQgetResult(handle) {
                strayEnds = 0
                try take(PostgresResult(owning: result), for: request, finished)
            } else if request.hasStepResult {
                try endStep(of: request, finished)
            } else {
                // An error in place of the sync ends like a step does. More of these, and the results are out of step.
                strayEnds += 1
                guard strayEnds < 4 else { throw .connectionLost(outcomeUnknown: true) }
            }
        }
    }

    private func take(
        _ result: PostgresResult, for request: PipelineRequest, _ finished: (PipelineRequest) -> Void
    ) throws(PostgresError) {
        switch result.status {
        case PGRES_PIPELINE_SYNC:
            pipeline.removeFirst()
            finished(request)
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
            if case .prepare(let key) = request.step { statements.confirm(key) }
            if case .execute(_, isCounted: true) = request.step { request.collect(result) }
            request.hasStepResult = true
        case PGRES_FATAL_ERROR:
            // Without an error code of the server, libpq reports the end of the connection.
            guard let error = result.serverError else { throw .connectionLost(outcomeUnknown: true) }
            refuse(request, error)
        case PGRES_PIPELINE_ABORTED:
            if case .prepare(let key) = request.step { statements.forget(key) }
            request.hasStepResult = true
        default:
            // COPY needs a protocol of its own. The server may still carry it out, and the statements after it.
            request.fail(.unsupported("COPY", outcomeUnknown: true))
            throw .connectionLost(outcomeUnknown: true)
        }
    }

    /// Whether the server was out of disk or memory since the last call.
    func takeLackOfResources() -> Bool {
        defer { lackedResources = false }
        return lackedResources
    }

    private func refuse(_ request: PipelineRequest, _ error: PostgresServerError) {
        wasTerminated = wasTerminated || error.isFatal
        isUnusable = isUnusable || error.makesConnectionUnusable
        lackedResources = lackedResources || error.isLackOfResources
        switch request.step {
        case .prepare(let key):
            statements.forget(key)
        case .execute(let key, _):
            if error.isStalePlan { statements.forget(key) }
            if error.isFatal, case .commit = request.work {
                // The session ended in the middle of a commit.
                request.fail(.connectionLost(outcomeUnknown: true))
            }
        case .sync:
            // The commit itself failed, e.g. a deferred constraint. But if the session ended here it may have been
            // after the commit.
            request.fail(error.isFatal ? .connectionLost(outcomeUnknown: true) : .server(error))
            return
        case .script, nil:
            break
        }
        request.fail(.server(error))
        request.hasStepResult = true
    }

    private func endStep(
        of request: PipelineRequest, _ finished: (PipelineRequest) -> Void
    ) throws(PostgresError) {
        request.position += 1
        request.hasStepResult = false
        guard case .script = request.work else { return }
        if request.step != nil, request.error == nil {
            try sendScript(request)
        } else {
            try check(PQenterPipelineMode(handle))
            pipeline.removeFirst()
            finished(request)
        }
    }

    // MARK: Ending

    /// Fails all requests, each with what is known about its outcome.
    /// - Returns: these requests.
    func abandon() -> [PipelineRequest] {
        // An error ahead of the sync is final: the server stores nothing of that request.
        for request in pipeline { request.fail(.connectionLost(outcomeUnknown: !wasTerminated)) }
        for request in outbox { request.fail(.connectionLost(outcomeUnknown: false)) }
        defer {
            pipeline.removeAll()
            outbox.removeAll()
        }
        return Array(pipeline) + Array(outbox)
    }
}
