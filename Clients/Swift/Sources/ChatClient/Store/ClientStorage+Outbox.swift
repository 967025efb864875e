import NIOConcurrencyHelpers

/// The stored posts: each a value below `outbox/`, named by its order and its key.
extension ClientStorage {
    /// Time during which a suspended process can still learn the outcome of its post. A process that has ended never
    /// asks.
    private static let doneMilliseconds: Int64 = 86_400_000
    /// The newest are remembered; all are read with each look at the outbox.
    private static let maximumDone = 256

    /// Stores a new post at the end of the line; an earlier post of the same key stays as it is.
    func add(_ post: OwnPost, isRunning: Bool) async throws -> Added {
        try await store.step { [self] step in
            var added = Added()
            let keys = try step.keys(withPrefix: prefix + "outbox/")
            if let known = keys.first(where: { isEntry($0, of: post.key) }) {
                let there = try step.value(known).flatMap { try? JSONParser.parse($0) }.flatMap(OwnPost.init(kept:))
                if let there, !there.hasSameContent(as: post) { added.conflict = there }
            } else {
                try apply(.post(post, isMoved: false), &step)
            }
            let seen = Set(places.withLockedValue { $0.values })
            if keys.allSatisfy(seen.contains) {
                added.isSender = try claimSender(&step, isEmpty: false, isRunning: isRunning)
            } else {
                let outbox = try outbox(&step, isRunning: isRunning)
                added.isSender = outbox.isSender
                added.outbox = outbox
            }
            return added
        }
    }

    /// Stores the present state of a post.
    /// - Returns: `false` if another process has settled it: then there is nothing to store or to send.
    func put(_ post: OwnPost, isMoved: Bool) async throws -> Bool {
        try await store.step { [self] step in
            guard try entry(step, post.key) != nil else { return false }
            try apply(.post(post, isMoved: isMoved), &step)
            return true
        }
    }

    /// The outbox as it is now, and whether this client sends: the one that does has said so in the last 5 s.
    func refreshOutbox(isRunning: Bool) async throws -> Outbox {
        try await store.step { [self] step in try outbox(&step, isRunning: isRunning) }
    }

    /// Lets another process send at once.
    func releaseSender() async throws {
        try await store.step { [self] step in
            if let lease = Lease(json: try json(step, "sender")), lease.instance == instance {
                step.set(prefix + "sender", nil)
            }
        }
    }

    /// Reads the outbox, and takes or renews the right to send while there is something to send.
    func outbox(_ step: inout ChatStoreStep, isRunning: Bool) throws -> Outbox {
        var outbox = Outbox()
        var places: [String: String] = [:]
        for key in try step.keys(withPrefix: prefix + "outbox/") {
            guard let bytes = try step.value(key) else { continue }
            if let post = (try? JSONParser.parse(bytes)).flatMap(OwnPost.init(kept:)) {
                outbox.posts.append(post)
                places[post.key] = key
            } else {
                step.set(prefix + "broken/" + key.dropFirst(prefix.count), bytes)
                step.set(key, nil)
                outbox.broken.append(key)
            }
        }
        self.places.withLockedValue { [places] in $0 = places }
        outbox.done = try done(&step)
        outbox.isSender = try claimSender(&step, isEmpty: outbox.posts.isEmpty, isRunning: isRunning)
        return outbox
    }

    /// The positions of posts that other processes have sent.
    private func done(_ step: inout ChatStoreStep) throws -> [String: StoredPosition] {
        var done: [String: StoredPosition] = [:]
        var others: [(key: String, at: Int64)] = []
        for key in try step.keys(withPrefix: prefix + "done/") {
            guard let value = try step.value(key).flatMap({ try? JSONParser.parse($0) }) else { continue }
            // Including those of other owners: a post of an earlier process of this program has that process as its
            // owner.
            if let place = StoredPosition(json: value) {
                done[key.dropFirst(prefix.count + 5).percentDecoded ?? ""] = place
            }
            let at = value["at"]?.integer ?? 0
            if value["owner"]?.string == instance || (System.wallClock - at).magnitude > UInt64(Self.doneMilliseconds) {
                step.set(key, nil)
            } else {
                others.append((key, at))
            }
        }
        guard others.count > Self.maximumDone else { return done }
        for (key, _) in others.sorted(by: { $0.at > $1.at }).dropFirst(Self.maximumDone) { step.set(key, nil) }
        return done
    }

    private func claimSender(_ step: inout ChatStoreStep, isEmpty: Bool, isRunning: Bool) throws -> Bool {
        guard store.isLasting else { return true }
        let lease = Lease(json: try json(step, "sender"))
        guard !(lease?.isHeldByOther(than: instance) ?? false) else { return false }
        guard isRunning else { return true }
        if isEmpty {
            if lease?.instance == instance { step.set(prefix + "sender", nil) }
        } else if lease?.instance != instance || System.wallClock - (lease?.seenAt ?? 0) > 1000 {
            set(&step, "sender", .object(Lease.mine(instance: instance).json))
        }
        return true
    }

    /// The store's key of a post.
    func entry(_ step: ChatStoreStep, _ key: String) throws -> String? {
        if let place = places.withLockedValue({ $0[key] }), try step.value(place) != nil { return place }
        return try step.keys(withPrefix: prefix + "outbox/").first { isEntry($0, of: key) }
    }

    func newEntry(_ step: ChatStoreStep, _ key: String) throws -> String {
        let last = try step.keys(withPrefix: prefix + "outbox/").last?.dropFirst(prefix.count + 7).prefix(12)
        let order = String((last.flatMap { Int64($0) } ?? 0) + 1)
        let place =
            prefix + "outbox/" + String(repeating: "0", count: max(12 - order.count, 0)) + order + "."
            + key.percentEncoded
        places.withLockedValue { $0[key] = place }
        return place
    }

    /// The order has 12 digits, so no key is taken for the end of another.
    private func isEntry(_ place: String, of key: String) -> Bool {
        place.utf8.dropFirst(prefix.utf8.count + 7 + 12).elementsEqual(("." + key.percentEncoded).utf8)
    }
}
