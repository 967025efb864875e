/// The prepared statements of a connection and their names.
///
/// A name counts as prepared once the server has confirmed it. Until then only the request that prepares it may use it:
/// if that one is aborted the name does not exist, and others in the same pipeline must not fail for it.
struct StatementCache {
    /// A statement is prepared for its parameters' types; the same text with others is another statement.
    struct Key: Hashable {
        let statement: PostgresStatement
        let types: [PostgresType]

        init(_ command: PostgresCommand) {
            statement = command.statement
            types = command.parameters.map(\.type)
        }
    }

    /// How to run a statement.
    enum Plan: Hashable {
        /// Run it by this name.
        case named(String)
        /// Prepare it under this name, then run it.
        case prepare(String)
        /// Run it without a name.
        case unnamed
    }

    private struct Entry {
        let name: String
        /// The request that prepares it; `nil` once the server has confirmed it.
        var preparer: PipelineRequest.ID?
    }

    private let capacity: Int
    private var entries: [Key: Entry] = [:]
    private var lastName = 0

    init(capacity: Int) {
        self.capacity = capacity
    }

    /// How a request runs a statement.
    mutating func plan(_ key: Key, for request: PipelineRequest.ID) -> Plan {
        if let entry = entries[key] {
            return entry.preparer == nil || entry.preparer == request ? .named(entry.name) : .unnamed
        }
        guard entries.count < capacity else { return .unnamed }
        lastName += 1
        let entry = Entry(name: "s\(lastName)", preparer: request)
        entries[key] = entry
        return .prepare(entry.name)
    }

    /// The server has prepared the statement.
    mutating func confirm(_ key: Key) { entries[key]?.preparer = nil }

    /// The statement was not prepared, or is no longer valid.
    mutating func forget(_ key: Key) { entries[key] = nil }
}
