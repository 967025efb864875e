import Logging
import Metrics
import NIOCore
import Synchronization

/// The state of a subscription across connections: the wanted names, the requests that wait for a confirmation. Used on
/// the event loop only.
final class SubscriptionSession {
    typealias State = RedisSubscription.State

    let configuration: RedisConfiguration
    private let metrics: SubscriptionMetrics
    private let logger: Logger
    private let onMessages: @Sendable ([RedisMessage]) -> Void
    private let onStateChange: @Sendable (State) -> Void

    private var machine: SubscriptionStateMachine
    private var handler: SubscriptionHandler?
    private var requests: [SubscriptionStateMachine.RequestID: SubscriptionRequest] = [:]
    private var nextRequest = 0
    private var state: State?
    private var unexpectedSinceLog = 0
    private var nextUnexpectedLog = NIODeadline.uptimeNanoseconds(0)

    init(
        configuration: RedisConfiguration, metrics: SubscriptionMetrics, logger: Logger,
        onMessages: @escaping @Sendable ([RedisMessage]) -> Void, onStateChange: @escaping @Sendable (State) -> Void
    ) {
        self.configuration = configuration
        self.metrics = metrics
        self.logger = logger
        self.onMessages = onMessages
        self.onStateChange = onStateChange
        machine = SubscriptionStateMachine(maximumNames: configuration.maximumSubscriptions)
    }

    // MARK: Requests

    func perform(_ request: SubscriptionRequest) {
        // Also where its caller was cancelled meanwhile, since names must be removed in any case.
        guard requests.count < configuration.maximumInFlight else {
            return request.finish(.failure(.overloaded))
        }
        let id = nextRequest
        nextRequest += 1
        requests[id] = request
        apply(
            request.isAdding
                ? machine.add(request.names, kind: request.kind, request: id)
                : machine.remove(request.names, kind: request.kind, request: id))
    }

    func rebuild(reason: String) {
        handler?.close(reason)
    }

    // MARK: The connection

    func starting() {
        change(to: .connecting)
    }

    func connected(_ handler: SubscriptionHandler) {
        self.handler = handler
        apply(machine.connected())
    }

    func received(_ reply: RESPValue) {
        if reply.isPong { return }
        apply(machine.received(reply))
    }

    func deliver(_ messages: [RedisMessage]) {
        metrics.messages.increment(by: messages.count)
        onMessages(messages)
    }

    func disconnected(_ handler: SubscriptionHandler, reason: String) {
        guard self.handler === handler else { return }
        self.handler = nil
        apply(machine.disconnected())
        change(to: .lost(reason: reason))
    }

    func attemptFailed(_ failure: ConnectionFailure) {
        apply(machine.attemptFailed())
        change(to: .lost(reason: failure.reason))
    }

    func closed() {
        handler?.close("shut down")
        apply(machine.closed())
        change(to: .lost(reason: "closed"))
    }

    // MARK: Actions

    private func apply(_ actions: [SubscriptionStateMachine.Action]) {
        for action in actions {
            switch action {
            case .send(let verb, let names): handler?.send(verb, names: names)
            case .succeed(let id): requests.removeValue(forKey: id)?.finish(.success(()))
            case .fail(let id, let error): requests.removeValue(forKey: id)?.finish(.failure(error))
            case .established:
                handler?.restored()
                change(to: .subscribed)
            case .unexpected: countUnexpected()
            case .disconnect(let reason): handler?.close(reason)
            }
        }
    }

    /// Reports a state; an outage once, whatever the number of failed attempts.
    private func change(to new: State) {
        if case .lost = new, case .lost = state { return }
        state = new
        metrics.up.record(new == .subscribed ? 1 : 0)
        onStateChange(new)
    }

    private func countUnexpected() {
        metrics.unexpected.increment()
        unexpectedSinceLog += 1
        let now = NIODeadline.now()
        guard now >= nextUnexpectedLog else { return }
        nextUnexpectedLog = now + .minutes(1)
        logger.warning(
            "Redis sent unexpected pushes", metadata: ["count": .stringConvertible(unexpectedSinceLog)])
        unexpectedSinceLog = 0
    }
}

extension RESPValue {
    /// The reply to a `PING`: `["pong", ""]` while something is subscribed, else `PONG`.
    fileprivate var isPong: Bool {
        switch self {
        case .simpleString("PONG"): true
        case .array(let elements): elements.count == 2 && elements[0].string == "pong"
        default: false
        }
    }
}

/// A request to add or remove names, and the task that waits for the server's confirmation.
final class SubscriptionRequest: Sendable {
    typealias Outcome = Result<Void, RedisError>

    private enum State {
        case idle
        case waiting(CheckedContinuation<Outcome, Never>)
        case over(Outcome)
    }

    let names: [String]
    let kind: SubscriptionStateMachine.Kind
    let isAdding: Bool
    private let state = Mutex(State.idle)

    init(_ names: [String], kind: SubscriptionStateMachine.Kind, isAdding: Bool) {
        self.names = names
        self.kind = kind
        self.isAdding = isAdding
    }

    /// Waits for the confirmation. Cancellation ends the wait.
    func outcome() async -> Outcome {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let outcome: Outcome? = state.withLock { state in
                    if case .over(let outcome) = state { return outcome }
                    state = .waiting(continuation)
                    return nil
                }
                if let outcome {
                    continuation.resume(returning: outcome)
                }
            }
        } onCancel: {
            finish(.failure(.cancelled))
        }
    }

    /// Only the first outcome counts.
    func finish(_ outcome: Outcome) {
        let waiter: CheckedContinuation<Outcome, Never>? = state.withLock { state in
            switch state {
            case .idle:
                state = .over(outcome)
                return nil
            case .waiting(let waiter):
                state = .over(outcome)
                return waiter
            case .over: return nil
            }
        }
        waiter?.resume(returning: outcome)
    }
}

/// The metrics of a subscriber connection.
struct SubscriptionMetrics: Sendable {
    /// Connections made after one was lost, by link.
    let reconnects: Counter
    /// Published messages received.
    let messages: Counter
    /// Unexpected pushes.
    let unexpected: Counter
    /// 1 while all wanted names are subscribed, else 0.
    let up: Gauge

    init(prefix: String) {
        reconnects = Counter(label: "\(prefix)_reconnects_total", dimensions: [("link", "subscription")])
        messages = Counter(label: "\(prefix)_messages_total")
        unexpected = Counter(label: "\(prefix)_unexpected_pushes_total")
        up = Gauge(label: "\(prefix)_subscription_up")
    }
}
