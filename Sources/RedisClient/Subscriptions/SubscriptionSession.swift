import Logging
import Metrics
import NIOCore

/// What outlives the connections of a subscription: the wanted names, those who wait for a confirmation, the state.
/// Lives on the event loop.
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
        // Also when its caller was cancelled meanwhile: a cleanup must not depend on that.
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

    /// An outage is told once, however many attempts fail.
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
            "Redis pushed what nobody waits for", metadata: ["count": .stringConvertible(unexpectedSinceLog)])
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
