/// The opening of a connection: `AUTH`, `SELECT`, `CLIENT SETNAME` and a `PING` that proves that somebody answers.
/// Sent at once, checked in order. Pure; does no I/O.
struct Handshake {
    enum Step: Equatable {
        case authenticate
        case select
        case setName
        case ping
    }

    enum Action: Equatable {
        case wait
        case established
        case fail(RedisError)
    }

    private(set) var remaining: ArraySlice<Step>
    let commands: [[RedisArgument]]

    init(_ configuration: RedisConfiguration) {
        var steps: [(step: Step, command: [RedisArgument])] = []
        if let password = configuration.password {
            let user = configuration.username.map { [RedisArgument.string($0)] } ?? []
            steps.append((.authenticate, ["AUTH"] + user + [.string(password.text)]))
        }
        if configuration.database != 0 {
            steps.append((.select, ["SELECT", .integer(configuration.database)]))
        }
        if let name = configuration.clientName {
            steps.append((.setName, ["CLIENT", "SETNAME", .string(name)]))
        }
        steps.append((.ping, ["PING"]))
        remaining = steps.map(\.step)[...]
        commands = steps.map(\.command)
    }

    mutating func receive(_ reply: RESPValue) -> Action {
        guard let step = remaining.popFirst() else { return .fail(.protocolViolation) }
        // A name is a convenience: an ACL that forbids it must not keep us out.
        if case .error(let message) = reply, step != .setName {
            return .fail(.server(step == .authenticate ? Self.withoutArguments(message) : message))
        }
        return remaining.isEmpty ? .established : .wait
    }

    /// A server that does not know `AUTH` quotes its arguments; only texts known not to are passed on.
    private static func withoutArguments(_ message: String) -> String {
        if message.hasPrefix("WRONGPASS ") || message.hasPrefix("ERR AUTH ") { return message }
        return "\(message.prefix { $0 != " " }) AUTH was refused"
    }
}
