import Synchronization

/// The identity of a request, and whether its caller was cancelled.
final class RequestToken: Sendable {
    private static let lastID = Atomic<UInt64>(0)

    let id = RequestToken.lastID.wrappingAdd(1, ordering: .relaxed).newValue
    private let cancelled = Atomic(false)

    /// Also set if the cancellation reaches the pool before the request.
    var isCancelled: Bool { cancelled.load(ordering: .acquiring) }

    func cancel() { cancelled.store(true, ordering: .releasing) }
}

/// One caller's request in the pool: its work, its deadline, and its caller, who is resumed once.
///
/// Not `Sendable`: it is made and used on the event loop only.
final class PipelineRequest {
    /// The work of a request.
    enum Work: Sendable {
        /// Statements up to one sync: one implicit transaction, unless a transaction is open.
        case commands([PostgresCommand])
        /// SQL text with any number of statements, sent outside the pipeline.
        case script([String])
        /// A connection for exclusive use.
        case lease(LeaseKind)
        /// The end of a lease's transaction, if it has begun.
        case commit
    }

    /// How the result is returned.
    enum Response: Sendable {
        case rows(CheckedContinuation<Result<[PostgresRows], PostgresError>, Never>)
        case lease(CheckedContinuation<Result<LeaseID, PostgresError>, Never>)
        /// Called on the event loop.
        case closure(@Sendable (Result<[PostgresRows], PostgresError>) -> Void)
        /// For requests of the pool itself.
        case discarded
    }

    /// The calls to libpq for this request, in order. Each but the last has one result.
    enum Step {
        case prepare(StatementCache.Key)
        /// `isCounted` is false for a statement of the pool, whose rows the caller does not get.
        case execute(StatementCache.Key, isCounted: Bool)
        /// One text of a script, with as many results as it has statements.
        case script
        case sync
    }

    typealias ID = UInt64

    let id: ID
    let work: Work
    let submitted: ContinuousClock.Instant
    let deadline: ContinuousClock.Instant
    /// Put in front of the caller's statements, in the same sync: `BEGIN`, a statement timeout.
    var preamble: [PostgresCommand] = []
    /// The lane that it belongs to, if any.
    var lane: PostgresLane?
    /// The connection that it is assigned to; `nil` while it waits.
    var connection: PostgresConnection.ID?

    var steps: [Step] = []
    var position = 0
    /// The current step has its result; the `NULL` result that ends it is still to come.
    var hasStepResult = false
    private(set) var rows: [PostgresRows] = []
    private(set) var error: PostgresError?
    private var response: Response?

    init(
        id: ID, work: Work, submitted: ContinuousClock.Instant,
        deadline: ContinuousClock.Instant, response: Response
    ) {
        self.id = id
        self.work = work
        self.submitted = submitted
        self.deadline = deadline
        self.response = response
    }

    var step: Step? { position < steps.count ? steps[position] : nil }

    func collect(_ result: PostgresResult) { rows.append(PostgresRows(result: result)) }

    /// Keeps the first error: later ones are its consequences.
    func fail(_ error: PostgresError) { if self.error == nil { self.error = error } }

    /// Resumes the caller after the sync: with the collected rows, which are committed, or with the error.
    func finish() {
        if let error { resume(.failure(error)) } else { resume(.success(rows)) }
    }

    /// Resumes the caller, unless that has been done.
    func resume(_ result: Result<[PostgresRows], PostgresError>) {
        switch response.take() {
        case .rows(let continuation): continuation.resume(returning: result)
        case .closure(let reply): reply(result)
        case .lease(let continuation):
            if case .failure(let error) = result { continuation.resume(returning: .failure(error)) }
        case .discarded, nil: break
        }
    }

    /// Resumes the caller of a lease.
    func resume(leasing lease: LeaseID) {
        if case .lease(let continuation) = response.take() { continuation.resume(returning: .success(lease)) }
    }
}

/// An order of requests: those of a lane are carried out in the order of the calls, without waiting for each other.
///
/// While a request of a lane is in progress, the next is sent behind it on the same connection, so that the server has
/// work before its response to the last one has arrived. Only while a connection is being opened or leased may two
/// requests of a lane be on different ones: requests that must not be reordered also need a lock in the database.
public struct PostgresLane: Sendable, Hashable {
    private static let lastID = Atomic<UInt64>(0)

    private let id = PostgresLane.lastID.wrappingAdd(1, ordering: .relaxed).newValue

    /// Makes a lane of its own.
    public init() {}
}

/// The identity of a lease: a connection is leased many times, and a lease that has ended is never valid again.
struct LeaseID: Sendable, Hashable {
    let connection: PostgresConnection.ID
    let number: UInt64
}

/// The purpose of a lease.
enum LeaseKind: Sendable {
    /// The connection is shared again after the transaction.
    case transaction
    /// The connection is closed at the end, since its session may have been changed.
    case session
}
