import DequeModule

/// Tracks the wanted names, the commands sent for them, and the server's confirmations. Pure: no I/O.
///
/// The wanted names are kept across connections: each new one first restores them. Redis confirms the names of a
/// command one by one and in order, so confirmations are matched first in, first out.
struct SubscriptionStateMachine {
    typealias RequestID = Int

    /// The kind of a name.
    enum Kind: Hashable, Sendable {
        case channel
        case pattern
    }

    /// A command for names.
    enum Verb: String, Sendable {
        case subscribe, unsubscribe, psubscribe, punsubscribe

        init(_ kind: Kind, isAdding: Bool) {
            switch kind {
            case .channel: self = isAdding ? .subscribe : .unsubscribe
            case .pattern: self = isAdding ? .psubscribe : .punsubscribe
            }
        }
    }

    /// What the session has to do.
    enum Action: Equatable {
        case send(Verb, names: [String])
        case succeed(RequestID)
        case fail(RequestID, RedisError)
        /// All names that were wanted when the connection was made are confirmed.
        case established
        /// The server sent an unexpected push, which is ignored.
        case unexpected
        /// The connection cannot be used: close it and make a new one.
        case disconnect(reason: String)
    }

    /// A command that the server has not confirmed in full.
    private struct Command {
        let verb: Verb
        let names: [String]
        var confirmed = 0
        /// `nil` for a command that restores.
        let request: RequestID?
        /// Names that were not wanted before; forgotten if the server refuses them.
        var added: [String] = []
    }

    private enum Link {
        /// No connection was made yet: requests wait for the first.
        case connecting
        /// Restoring ends when this many commands are confirmed.
        case restoring(Int)
        case established
        case lost
        case closed
    }

    /// Names in one restoring command, so that one command does not block the server for long.
    static let namesPerCommand = 1_000

    private let maximumNames: Int
    private var wanted: [Kind: Set<String>] = [.channel: [], .pattern: []]
    private var link = Link.connecting
    private var awaiting: Deque<Command> = []
    private var waitingForLink: [RequestID] = []

    init(maximumNames: Int) {
        self.maximumNames = maximumNames
    }

    func wantedNames(_ kind: Kind) -> Set<String> { wanted[kind] ?? [] }

    private var hasLink: Bool {
        switch link {
        case .restoring, .established: true
        case .connecting, .lost, .closed: false
        }
    }

    // MARK: Requests

    /// Adds names, which are wanted from now on.
    mutating func add(_ names: [String], kind: Kind, request: RequestID) -> [Action] {
        if case .closed = link { return [.fail(request, .closed)] }
        var added: [String] = []
        var known = wantedNames(kind)
        let count = wanted.values.reduce(0) { $0 + $1.count }
        for name in names where known.insert(name).inserted {
            added.append(name)
        }
        guard count + added.count <= maximumNames else { return [.fail(request, .overloaded)] }
        wanted[kind] = known
        switch link {
        case .connecting:
            waitingForLink.append(request)
            return []
        case .lost, .closed:
            return [.fail(request, .notConnected)]
        case .restoring, .established:
            return send(Verb(kind, isAdding: true), names, request: request, added: added)
        }
    }

    /// Removes names, which are not wanted from now on.
    mutating func remove(_ names: [String], kind: Kind, request: RequestID) -> [Action] {
        wanted[kind]?.subtract(names)
        guard hasLink else { return [.succeed(request)] }
        return send(Verb(kind, isAdding: false), names, request: request)
    }

    // A command without names would mean all of them, so it is not sent.
    private mutating func send(
        _ verb: Verb, _ names: [String], request: RequestID, added: [String] = []
    ) -> [Action] {
        if names.isEmpty { return [.succeed(request)] }
        awaiting.append(Command(verb: verb, names: names, request: request, added: added))
        return [.send(verb, names: names)]
    }

    // MARK: The connection

    /// A connection is established; the wanted names are restored on it.
    mutating func connected() -> [Action] {
        if case .closed = link { return [.disconnect(reason: "closed")] }
        awaiting.removeAll()
        for kind in [Kind.channel, .pattern] {
            let names = Array(wantedNames(kind))
            for start in stride(from: 0, to: names.count, by: Self.namesPerCommand) {
                let chunk = Array(names[start..<min(start + Self.namesPerCommand, names.count)])
                awaiting.append(Command(verb: Verb(kind, isAdding: true), names: chunk, request: nil))
            }
        }
        link = .restoring(awaiting.count)
        if awaiting.isEmpty { return establish() }
        return awaiting.map { .send($0.verb, names: $0.names) }
    }

    /// The connection has ended.
    mutating func disconnected() -> [Action] {
        if case .closed = link { return [] }
        link = .lost
        return endRequests(.connectionLost(outcomeUnknown: true))
    }

    /// An attempt to connect failed.
    mutating func attemptFailed() -> [Action] {
        if case .closed = link { return [] }
        link = .lost
        return endRequests(.notConnected)
    }

    /// The subscription has ended.
    mutating func closed() -> [Action] {
        link = .closed
        return endRequests(.closed)
    }

    // Without a connection, names to be unsubscribed are.
    private mutating func endRequests(_ error: RedisError) -> [Action] {
        defer {
            awaiting.removeAll()
            waitingForLink.removeAll()
        }
        let sent = awaiting.compactMap { command -> Action? in
            guard let request = command.request else { return nil }
            return command.verb.isAdding ? .fail(request, error) : .succeed(request)
        }
        return sent + waitingForLink.map { .fail($0, error) }
    }

    // MARK: Replies

    /// A reply was received.
    mutating func received(_ reply: RESPValue) -> [Action] {
        switch reply {
        case .error(let message): return refused(message)
        case .array(let elements): return received(elements)
        default: return [.unexpected]
        }
    }

    /// `[verb, name, number of subscriptions]`
    private mutating func received(_ elements: [RESPValue]) -> [Action] {
        guard elements.count == 3, let verb = elements[0].string.flatMap(Verb.init), let name = elements[1].string,
            var first = awaiting.first
        else { return [.unexpected] }
        guard first.verb == verb, first.names[first.confirmed] == name else {
            return [.disconnect(reason: "a confirmation out of order")]
        }
        first.confirmed += 1
        awaiting[0] = first
        guard first.confirmed == first.names.count else { return [] }
        awaiting.removeFirst()
        if let request = first.request { return [.succeed(request)] }
        return restoredOne()
    }

    // One error refuses a whole command.
    private mutating func refused(_ message: String) -> [Action] {
        guard let first = awaiting.popFirst() else { return [.unexpected] }
        guard let request = first.request else { return [.disconnect(reason: message)] }
        for name in first.added {
            wanted[first.verb.kind]?.remove(name)
        }
        return [.fail(request, .server(message))]
    }

    private mutating func restoredOne() -> [Action] {
        guard case .restoring(let remaining) = link else { return [] }
        link = .restoring(remaining - 1)
        return remaining == 1 ? establish() : []
    }

    private mutating func establish() -> [Action] {
        link = .established
        defer { waitingForLink.removeAll() }
        return [.established] + waitingForLink.map { .succeed($0) }
    }
}

extension SubscriptionStateMachine.Verb {
    var kind: SubscriptionStateMachine.Kind {
        switch self {
        case .subscribe, .unsubscribe: .channel
        case .psubscribe, .punsubscribe: .pattern
        }
    }

    var isAdding: Bool {
        switch self {
        case .subscribe, .psubscribe: true
        case .unsubscribe, .punsubscribe: false
        }
    }
}
