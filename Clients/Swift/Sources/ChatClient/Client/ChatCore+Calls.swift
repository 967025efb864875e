/// REST calls.
extension ChatCore {
    enum Server: Sendable { case system, messages }

    private static let tokenTimeout: Int64 = 30_000
    /// Time for which addresses of the store are used before the server is asked again, in milliseconds.
    private static let storedAddressesTime: Int64 = 60_000
    private static let configurationLifetime: Int64 = 30 * 86_400_000

    /// Makes one call with the current token, and once more with a fresh one if that is refused.
    /// - Throws: ``ChatError`` with the server's code, or `network`, `timeout`, `signed_out`, `closed`.
    @discardableResult
    func rest(
        _ method: HTTPCall.Method, _ server: Server, _ path: String, _ body: JSONValue? = nil
    ) async throws -> JSONValue {
        let response = try await authorized { token in try await self.call(method, server, path, body, token: token) }
        let json = response.body.isEmpty ? .null : try? JSONParser.parse(response.body)
        guard (200..<300).contains(response.status) else { throw response.error(json) }
        guard let json else { throw ChatError(.protocol, "The answer is no JSON", status: response.status) }
        return json
    }

    /// Makes a call with the current token, and once more with a fresh one if that is refused.
    func authorized(
        _ call: @Sendable (_ token: String?) async throws -> ClientResponse
    ) async throws -> ClientResponse {
        var used = try await tokenForCall()
        var response = try await call(used)
        if response.status == 401, tokens != nil {
            let refused = used
            await input { core in await core.unauthorized(refused) }
            used = try await tokenForCall()
            response = try await call(used)
        }
        if response.status < 500, !outbox.isEmpty {
            await input { core in await core.handle(core.outbox.otherAnswered()) }
        }
        return response
    }

    func call(
        _ method: HTTPCall.Method, _ server: Server, _ path: String, _ body: JSONValue?, isKeyed: Bool = false,
        token: String?
    ) async throws -> ClientResponse {
        let addresses = try await addresses()
        var call = HTTPCall(server: server == .system ? addresses.system : addresses.messages, path: path)
        call.method = method
        call.body = body?.bytes
        call.isKeyed = isKeyed
        call.headers = authorization(token)
        return try await transport.call(call)
    }

    func authorization(_ token: String?) -> [(name: String, value: String)] {
        if let token { return [("authorization", "Bearer \(token)")] }
        guard tokens == nil, let userID = configuration.userID else { return [] }
        return [("x-user-id", String(userID))]
    }

    // MARK: Tokens

    private func tokenForCall() async throws -> String? {
        guard tokens != nil else { return nil }
        let end = System.monotonicClock + Self.tokenTimeout
        while token == nil {
            guard !hasRun else { throw ChatError(.closed, "The client does not run any more") }
            guard connection.state != .signedOut else { throw ChatError(.signedOut, "Nobody is signed in") }
            try Task.checkCancellation()
            let left = end - System.monotonicClock
            guard left > 0 else { throw ChatError.timeout }
            await waitForToken(milliseconds: left)
        }
        return token
    }

    private func waitForToken(milliseconds: Int64) async {
        nextWaiter += 1
        let id = nextWaiter
        let timer = Task {
            try? await Task.sleep(for: .milliseconds(milliseconds))
            self.resumeTokenWaiter(id)
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if Task.isCancelled { continuation.resume() } else { waitingForToken[id] = continuation }
            }
        } onCancel: {
            Task { await self.resumeTokenWaiter(id) }
        }
        timer.cancel()
    }

    private func resumeTokenWaiter(_ id: Int) { waitingForToken.removeValue(forKey: id)?.resume() }

    func resumeTokenWaiters() {
        let waiting = waitingForToken.values
        waitingForToken = [:]
        for continuation in waiting { continuation.resume() }
    }

    // MARK: Addresses

    /// The addresses of the servers: as configured, as the system server says, or as it said within the last 30 days.
    func addresses() async throws -> ServerAddresses {
        if let knownAddresses, System.monotonicClock < addressesEnd { return knownAddresses }
        let system: ServerAddress
        switch configuration.servers {
        case .three(let system, let messages, let sockets):
            return ServerAddresses(system: system, messages: messages, sockets: sockets)
        case .of(let address): system = address
        }
        let key = storePrefix + "configuration"
        do {
            var call = HTTPCall(server: system, path: "/client/v1/configuration.json")
            call.timeoutMilliseconds = 8000
            call.maximumResponseBytes = 65_536
            let response = try await transport.call(call)
            let json = try? JSONParser.parse(response.body)
            guard response.status == 200, let json, let found = try Self.addresses(json, from: system) else {
                throw response.status == 200
                    ? ChatError(.protocol, "The server's configuration cannot be read") : response.error(json)
            }
            (knownAddresses, addressesEnd) = (found, .max)
            let kept: JSONValue = ["at": JSONValue(System.wallClock), "configuration": json]
            try await store.step { $0.set(key, kept.bytes) }
            return found
        } catch {
            let bytes = try? await store.step { try $0.value(key) }
            guard let kept = bytes.flatMap({ $0 }).flatMap({ try? JSONParser.parse($0) }),
                let at = kept["at"]?.integer, (System.wallClock &- at).magnitude < UInt64(Self.configurationLifetime),
                let json = kept["configuration"], let found = try? Self.addresses(json, from: system)
            else { throw error }
            // The server is asked again after a while, and not by every call meanwhile.
            (knownAddresses, addressesEnd) = (found, System.monotonicClock + Self.storedAddressesTime)
            return found
        }
    }

    private static func addresses(_ json: JSONValue, from server: ServerAddress) throws -> ServerAddresses? {
        guard let messages = json["messages"]?.string, let sockets = json["sockets"]?.string else { return nil }
        return ServerAddresses(
            system: try json["system"]?.string.map { try server.resolving($0) } ?? server,
            messages: try server.resolving(messages), sockets: try server.resolving(sockets))
    }
}
