/// The positions of named readers.
extension ClientStorage {
    /// Takes a name.
    /// - Parameter isAlive: whether a reader of this client still reads.
    /// - Returns: the stored position; `nil` if the name is new.
    /// - Throws: ``ChatError`` with code `in_use` if another reader has the name.
    func takeName(
        _ name: String, room: String, reader: String, isAlive: @escaping @Sendable (String) -> Bool
    ) async throws -> LogPosition? {
        try await store.step { [self] step in
            let key = nameKey(name, room)
            let value = try json(step, key)
            if let lease = Lease(json: value?["lease"]), lease.isHeldByOther(than: reader),
                !lease.instance.hasPrefix(instance + ".") || isAlive(lease.instance)
            {
                throw Self.inUse(name)
            }
            let position = LogPosition(json: value?["position"])
            setName(&step, key, position, Lease.mine(instance: reader))
            return position
        }
    }

    /// Moves a name's position, or renews the right to it (`nil`).
    /// - Throws: ``ChatError`` with code `in_use` if another reader has taken the name meanwhile.
    func moveName(_ name: String, room: String, reader: String, to position: LogPosition?) async throws {
        try await store.step { [self] step in
            let key = nameKey(name, room)
            let value = try json(step, key)
            guard let lease = Lease(json: value?["lease"]), lease.instance == reader else { throw Self.inUse(name) }
            setName(&step, key, position ?? LogPosition(json: value?["position"]), Lease.mine(instance: reader))
        }
    }

    /// Lets another reader have the name at once.
    func releaseName(_ name: String, room: String, reader: String) async throws {
        try await store.step { [self] step in
            let key = nameKey(name, room)
            let value = try json(step, key)
            guard let lease = Lease(json: value?["lease"]), lease.instance == reader else { return }
            setName(&step, key, LogPosition(json: value?["position"]), nil)
        }
    }

    private func nameKey(_ name: String, _ room: String) -> String { "reader/\(room)/\(name.percentEncoded)" }

    private func setName(_ step: inout ChatStoreStep, _ key: String, _ position: LogPosition?, _ lease: Lease?) {
        var value = JSONObject()
        if let position { value["position"] = .object(position.json) }
        if let lease { value["lease"] = .object(lease.json) }
        set(&step, key, value.isEmpty ? nil : .object(value))
    }

    private static func inUse(_ name: String) -> ChatError { ChatError(.inUse, "Another reader has the name \(name)") }
}
