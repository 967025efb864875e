import CLibPQ
import Dispatch
import Glibc

/// One attempt to connect, from the name lookup to a usable `PGconn`, without ever blocking
/// (PostgreSQL manual, section 34.1, `PQconnectStartParams`).
///
/// Not `Sendable`: it lives on the event loop only.
final class ConnectAttempt {
    /// The state of an attempt.
    enum Progress {
        case pending
        /// Logged in, with the session's settings made. The caller owns the handle.
        case connected(Connected)
        case failed(PostgresError)
    }

    /// An established connection.
    struct Connected {
        let handle: OpaquePointer
        /// The connection leads through a pooler, such as PgBouncer.
        let isPooled: Bool
        /// The index of the server's address in ``ConnectAttempt/targets``.
        let position: Int?
    }

    let id: PostgresConnection.ID
    let deadline: ContinuousClock.Instant
    private var handle: OpaquePointer?
    private var events: CShort = 0
    private(set) var targets: [ConnectTarget] = []
    /// SQL to run before the connection is used.
    private let setup: String
    private var isSettingUp = false
    /// The server's process for the session, as the server reports it.
    private var serverProcess: Int32?

    init(id: PostgresConnection.ID, deadline: ContinuousClock.Instant, setup: String) {
        self.id = id
        self.deadline = deadline
        self.setup = setup
    }

    deinit {
        PQfinish(handle)
    }

    /// Starts, once the names are resolved.
    /// - Parameter targets: the addresses in `keywords`, in the same order.
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
        // A pooler reports a process id of its own to its client, so that cancellations come back to it.
        let connected = Connected(
            handle: handle, isPooled: serverProcess != PQbackendPID(handle), position: position)
        self.handle = nil
        return .connected(connected)
    }

    /// The index of the current address in ``targets``; `nil` if there is none.
    var position: Int? {
        guard let handle, let address = PQhostaddr(handle), let port = PQport(handle) else { return nil }
        return Self.position(of: (String(cString: address), String(cString: port)), in: targets)
    }

    /// The index of an address in a list of targets.
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

/// Turns host names into addresses, off the event loop: `getaddrinfo` blocks, and so would `PQconnectPoll` if it were
/// given names.
enum HostResolver {
    // Serial: while the name server does not respond, only one thread waits.
    private static let queue = DispatchQueue(label: "PostgresClient.resolver")

    /// Looks up the addresses of each host, in the resolver's order; a socket's folder has one empty address. Of
    /// several hosts some may have no address, since a machine that was removed may have no name any more.
    static func resolve(
        _ hosts: [String], then completion: @escaping @Sendable (Result<[[String]], PostgresError>) -> Void
    ) {
        queue.async {
            completion(
                Result { () throws(PostgresError) in
                    var resolved: [[String]] = []
                    var failure: PostgresError?
                    for host in hosts {
                        do throws(PostgresError) {
                            resolved.append(try addresses(of: host))
                        } catch {
                            resolved.append([])
                            failure = failure ?? error
                        }
                    }
                    if let failure, resolved.allSatisfy(\.isEmpty) { throw failure }
                    return resolved
                })
        }
    }

    private static func addresses(of host: String) throws(PostgresError) -> [String] {
        guard !host.isEmpty, !host.hasPrefix("/"), !host.hasPrefix("@") else { return [""] }
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, nil, &hints, &list)
        defer { if let list { freeaddrinfo(list) } }
        guard status == 0 else {
            throw .connectFailed("cannot resolve \(host): \(String(cString: gai_strerror(status)))")
        }
        var addresses: [String] = []
        var next = list
        while let entry = next?.pointee {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            if getnameinfo(
                entry.ai_addr, entry.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
            {
                addresses.append(text.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" })
            }
            next = entry.ai_next
        }
        guard !addresses.isEmpty else { throw .connectFailed("\(host) has no address") }
        return addresses
    }
}
