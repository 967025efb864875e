import CLibPQ

/// One attempt to connect, from the name lookup to a usable `PGconn`, without ever blocking
/// (PostgreSQL manual, section 34.1, `PQconnectStartParams`).
///
/// Not `Sendable`: it lives on the event loop only.
final class ConnectAttempt {
    enum Progress {
        case pending
        /// Logged in, with the session's settings made. The handle is the caller's now.
        case connected(Connected)
        case failed(PostgresError)
    }

    struct Connected {
        let handle: OpaquePointer
        /// Something between us and the server, such as PgBouncer, holds the server's connections.
        let isPooled: Bool
        /// Where it leads to, in the list of ``ConnectAttempt/targets``.
        let position: Int?
    }

    let id: PoolStateMachine.ConnectionID
    let deadline: ContinuousClock.Instant
    private var handle: OpaquePointer?
    private var events: CShort = 0
    private(set) var targets: [ConnectTarget] = []
    /// Run before the connection is handed over.
    private let setup: String
    private var isSettingUp = false
    /// Who serves the session, as the server has it.
    private var serverProcess: Int32?

    init(id: PoolStateMachine.ConnectionID, deadline: ContinuousClock.Instant, setup: String) {
        self.id = id
        self.deadline = deadline
        self.setup = setup
    }

    deinit {
        PQfinish(handle)
    }

    /// Begins, once the names are resolved.
    /// - Parameter targets: those that `keywords` name, in the same order.
    func start(_ keywords: [(String, String)], targets: [ConnectTarget]) -> Progress {
        self.targets = targets
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
        if isSettingUp { return readSetup(handle) }
        switch PQconnectPoll(handle) {
        case PGRES_POLLING_READING:
            events = SocketWatch.reading
            return .pending
        case PGRES_POLLING_WRITING:
            events = SocketWatch.writing
            return .pending
        case PGRES_POLLING_OK:
            guard PQsetnonblocking(handle, 1) == 0, PQsendQuery(handle, setup) == 1 else {
                return .failed(failure(of: handle))
            }
            isSettingUp = true
            return flushSetup(handle)
        default:
            return .failed(failure(of: handle))
        }
    }

    private func flushSetup(_ handle: OpaquePointer) -> Progress {
        let status = PQflush(handle)
        guard status >= 0 else { return .failed(failure(of: handle)) }
        events = status == 0 ? SocketWatch.reading : SocketWatch.reading | SocketWatch.writing
        return .pending
    }

    private func readSetup(_ handle: OpaquePointer) -> Progress {
        guard PQconsumeInput(handle) == 1 else { return .failed(failure(of: handle)) }
        // While libpq is busy it would wait for the rest.
        while PQisBusy(handle) == 0 {
            guard let result = PQgetResult(handle).map(PostgresResult.init(owning:)) else { return finish(handle) }
            guard result.status == PGRES_TUPLES_OK, result.rowCount == 1, result.columnCount > 0 else {
                return .failed(failure(of: handle))
            }
            serverProcess = result.text(row: 0, column: 0).flatMap { Int32($0) }
        }
        return flushSetup(handle)
    }

    private func finish(_ handle: OpaquePointer) -> Progress {
        guard let serverProcess, PQenterPipelineMode(handle) == 1 else { return .failed(failure(of: handle)) }
        // A pooler tells its client the id of no process, so that cancellations come back to it.
        let connected = Connected(
            handle: handle, isPooled: serverProcess != PQbackendPID(handle), position: position)
        self.handle = nil
        return .connected(connected)
    }

    /// Where in its list of targets the attempt is; nil where it has none.
    var position: Int? {
        guard let handle, let address = PQhostaddr(handle), let port = PQport(handle) else { return nil }
        return Self.position(of: (String(cString: address), String(cString: port)), in: targets)
    }

    static func position(of place: (address: String, port: String), in targets: [ConnectTarget]) -> Int? {
        targets.firstIndex { $0.address == place.address && ($0.port.isEmpty || $0.port == place.port) }
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
