import Synchronization

/// Names a request from its making to its end, and carries the news that its caller has given up.
final class RequestToken: Sendable {
    private static let lastID = Atomic<UInt64>(0)

    let id = RequestToken.lastID.wrappingAdd(1, ordering: .relaxed).newValue
    private let cancelled = Atomic(false)

    /// A cancellation may overtake the request on its way to the pool; this is where it is found then.
    var isCancelled: Bool { cancelled.load(ordering: .acquiring) }

    func cancel() { cancelled.store(true, ordering: .releasing) }
}

/// One caller's request on its way through the pool: what to do, until when, and whom to answer, once.
///
/// Not `Sendable`: it is made and used on the event loop only.
final class PipelineRequest {
    enum Work: Sendable {
        /// Statements up to one sync: one implicit transaction, unless a transaction is open.
        case commands([PostgresCommand])
        /// SQL text with any number of statements, sent outside the pipeline.
        case script([String])
        /// A connection for oneself.
        case lease(Lease.Kind)
        /// The end of a lease's transaction, if it has begun.
        case commit
    }

    enum Answer: Sendable {
        case rows(CheckedContinuation<Result<[PostgresRows], PostgresError>, Never>)
        case lease(CheckedContinuation<Result<LeaseID, PostgresError>, Never>)
        /// Called on the event loop.
        case reply(@Sendable (Result<[PostgresRows], PostgresError>) -> Void)
        /// The pool's own housekeeping.
        case nobody
    }

    /// What libpq was given for this request, in order. Each step but the last is answered by one result.
    enum Step {
        case prepare(StatementCache.Key)
        /// `isCounted` is false for a statement of ours, whose rows the caller does not see.
        case execute(StatementCache.Key, isCounted: Bool)
        /// One text of a script, with as many results as it has statements.
        case script
        case sync
    }

    let id: PoolStateMachine.RequestID
    let work: Work
    let submitted: ContinuousClock.Instant
    let deadline: ContinuousClock.Instant
    /// Put in front of the caller's statements, in the same sync: `BEGIN`, a statement timeout.
    var preamble: [PostgresCommand] = []
    /// The lane that it belongs to, if any.
    var lane: PostgresLane?
    /// Where the request is; nil while it waits.
    var connection: PoolStateMachine.ConnectionID?

    var steps: [Step] = []
    var position = 0
    /// The current step has its result; what is still to come is the mark that ends it.
    var isStepAnswered = false
    private(set) var rows: [PostgresRows] = []
    private(set) var error: PostgresError?
    private var answer: Answer?

    init(
        id: PoolStateMachine.RequestID, work: Work, submitted: ContinuousClock.Instant,
        deadline: ContinuousClock.Instant, answer: Answer
    ) {
        self.id = id
        self.work = work
        self.submitted = submitted
        self.deadline = deadline
        self.answer = answer
    }

    var step: Step? { position < steps.count ? steps[position] : nil }

    func collect(_ result: PostgresResult) { rows.append(PostgresRows(result: result)) }

    /// Of several errors the first is the cause and the rest its consequence.
    func fail(_ error: PostgresError) { if self.error == nil { self.error = error } }

    /// The sync has come back: what was collected is committed, or nothing is.
    func finish() {
        if let error { resume(.failure(error)) } else { resume(.success(rows)) }
    }

    /// Answers the caller, unless that has been done.
    func resume(_ result: Result<[PostgresRows], PostgresError>) {
        switch answer.take() {
        case .rows(let continuation): continuation.resume(returning: result)
        case .reply(let reply): reply(result)
        case .lease(let continuation):
            if case .failure(let error) = result { continuation.resume(returning: .failure(error)) }
        case .nobody, nil: break
        }
    }

    func resume(leasing lease: LeaseID) {
        if case .lease(let continuation) = answer.take() { continuation.resume(returning: .success(lease)) }
    }
}
