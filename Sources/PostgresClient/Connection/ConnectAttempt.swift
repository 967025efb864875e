import CLibPQ

/// One attempt to connect, from the name lookup to a usable `PGconn`, without ever blocking
/// (PostgreSQL manual, section 34.1, `PQconnectStartParams`).
///
/// Not `Sendable`: it lives on the event loop only.
final class ConnectAttempt {
    enum Progress {
        case pending
        /// Logged in. The handle is the caller's now.
        case connected(OpaquePointer)
        case failed(PostgresError)
    }

    let id: PoolStateMachine.ConnectionID
    let deadline: ContinuousClock.Instant
    private var handle: OpaquePointer?
    private var events: CShort = 0

    init(id: PoolStateMachine.ConnectionID, deadline: ContinuousClock.Instant) {
        self.id = id
        self.deadline = deadline
    }

    deinit {
        PQfinish(handle)
    }

    /// Begins, once the names are resolved.
    func start(_ keywords: [(String, String)]) -> Progress {
        handle = Self.withCStrings(keywords) { PQconnectStartParams($0, $1, 0) }
        guard let handle else { return .failed(.connectFailed("out of memory")) }
        guard PQstatus(handle) != CONNECTION_BAD else { return .failed(failure(of: handle)) }
        // libpq would print the server's notices.
        PQsetNoticeProcessor(handle, { _, _ in }, nil)
        // The manual: behave as though PQconnectPoll had asked for writing.
        events = SocketWatch.writing
        return .pending
    }

    /// The socket is ready for what ``watch`` named.
    func advance() -> Progress {
        guard let handle else { return .pending }
        switch PQconnectPoll(handle) {
        case PGRES_POLLING_READING:
            events = SocketWatch.reading
            return .pending
        case PGRES_POLLING_WRITING:
            events = SocketWatch.writing
            return .pending
        case PGRES_POLLING_OK:
            guard PQsetnonblocking(handle, 1) == 0, PQenterPipelineMode(handle) == 1 else {
                return .failed(failure(of: handle))
            }
            self.handle = nil
            return .connected(handle)
        default:
            return .failed(failure(of: handle))
        }
    }

    /// The socket to wait for; it changes as libpq goes from address to address.
    var watch: SocketWatch? {
        guard let handle, case let descriptor = PQsocket(handle), descriptor >= 0 else { return nil }
        return SocketWatch(connection: id, descriptor: descriptor, events: events)
    }

    private func failure(of handle: OpaquePointer) -> PostgresError {
        // One line for each address tried. libpq names host and user, never the password.
        let text = PQerrorMessage(handle).map { String(cString: $0) } ?? ""
        return .connectFailed(text.split(separator: "\n").joined(separator: "; "))
    }

    private static func withCStrings<Value>(
        _ pairs: [(String, String)],
        _ body: (UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<UnsafePointer<CChar>?>?) -> Value
    ) -> Value {
        // Both lists in one run of bytes, each text ended by a zero, each list by a nil.
        var bytes: [CChar] = []
        var offsets: ([Int], [Int]) = ([], [])
        for (keyword, value) in pairs {
            offsets.0.append(bytes.count)
            bytes.append(contentsOf: keyword.utf8CString)
            offsets.1.append(bytes.count)
            bytes.append(contentsOf: value.utf8CString)
        }
        return bytes.withUnsafeBufferPointer { buffer in
            let keywords = offsets.0.map { buffer.baseAddress?.advanced(by: $0) } + [nil]
            let values = offsets.1.map { buffer.baseAddress?.advanced(by: $0) } + [nil]
            return keywords.withUnsafeBufferPointer { keywords in
                values.withUnsafeBufferPointer { values in body(keywords.baseAddress, values.baseAddress) }
            }
        }
    }
}
