import NIOConcurrencyHelpers

/// The stored posts: each a value below `outbox/`, named by its order and its key.
extension ClientStorage {
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

    /// Stores the present state of a post. Its payload stays as it is in the store, where another process may have
    /// changed it.
    func put(_ post: OwnPost, isMoved: Bool) async throws -> Outcome {
        try await change(
            post.key,
            ifForgotten: { [self] step in
                try storeAgain(post, &step)
                return .storedAgain
            }
        ) { [self] stored, step in
            var post = post
            if let stored { post.payload = stored.payload }
            try apply(.post(post, isMoved: isMoved), &step)
            return .done(payload: post.payload)
        }
    }

    /// Changes the payload of a post, unless an attempt to send it was begun.
    /// - Parameter former: the post before the change.
    func edit(_ former: OwnPost, payload: JSONValue) async throws -> Outcome {
        try await changeIfOpen(former) { [self] stored, step in
            guard var post = stored, post.isOpen else { return .tried }
            post.payload = payload
            try apply(.post(post, isMoved: false), &step)
            return .done(payload: payload)
        }
    }

    /// Removes a post, unless an attempt to send it was begun.
    func discard(_ post: OwnPost) async throws -> Outcome {
        try await changeIfOpen(post) { [self] stored, step in
            guard stored?.isOpen ?? true else { return .tried }
            try apply(.postDone(key: post.key, nil), &step)
            return .done(payload: nil)
        }
    }

    /// - Parameter former: what is stored again if nothing is remembered of the post: it may have been sent.
    private func changeIfOpen(
        _ former: OwnPost,
        _ body: @escaping @Sendable (_ stored: OwnPost?, inout ChatStoreStep) throws -> Outcome
    ) async throws -> Outcome {
        try await change(
            former.key,
            ifForgotten: { [self] step in
                try storeAgain(former, &step)
                return .tried
            }, body)
    }

    /// Removes a post after an attempt of this process, which the server has answered.
    func giveUp(_ key: String) async throws -> Outcome {
        try await change(key, ifForgotten: { _ in .tried }) { [self] _, step in
            try apply(.postDone(key: key, nil), &step)
            return .done(payload: nil)
        }
    }

    /// Stores a post as one that was tried: it was settled longer ago than is remembered.
    private func storeAgain(_ post: OwnPost, _ step: inout ChatStoreStep) throws {
        var post = post
        post.isTried = true
        if post.state == .refused { post.isCertain = false }
        try apply(.post(post, isMoved: false), &step)
    }

    /// - Parameters:
    ///   - ifForgotten: called if another process has settled the post longer ago than is remembered.
    ///   - body: gets the post as it is stored; `nil` if it cannot be read.
    private func change(
        _ key: String,
        ifForgotten: @escaping @Sendable (inout ChatStoreStep) throws -> Outcome,
        _ body: @escaping @Sendable (_ stored: OwnPost?, inout ChatStoreStep) throws -> Outcome
    ) async throws -> Outcome {
        try await store.step { [self] step in
            guard let place = try entry(step, key) else {
                let done = try done(step)
                return try done.hasForgotten(key) ? ifForgotten(&step) : .gone(done.outcome(of: key)?.place)
            }
            let stored = try step.value(place).flatMap { try? JSONParser.parse($0) }.flatMap(OwnPost.init(kept:))
            return try body(stored, &step)
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
        outbox.done = try done(step)
        outbox.isSender = try claimSender(&step, isEmpty: outbox.posts.isEmpty, isRunning: isRunning)
        return outbox
    }

    /// The posts that left the outbox last.
    private func done(_ step: ChatStoreStep) throws -> [DonePost] {
        try json(step, "done")?.array?.compactMap(DonePost.init(json:)) ?? []
    }

    /// Remembers the outcome of a post, of whichever process: others that show it, or post it too, have to learn it.
    func addDone(_ post: DonePost, _ step: inout ChatStoreStep) throws {
        let done = try done(step) + [post]
        let newest =
            done.filter { $0.place == nil }.suffix(DonePost.maximum)
            + done.filter { $0.place != nil }.suffix(DonePost.maximum)
        set(&step, "done", .array(newest.map(\.json)))
    }

    private func claimSender(_ step: inout ChatStoreStep, isEmpty: Bool, isRunning: Bool) throws -> Bool {
        guard store.isLasting else { return true }
        let lease = Lease(json: try json(step, "sender"))
        guard !(lease?.isHeldByOther(than: instance) ?? false) else { return false }
        guard isRunning else { return true }
        if isEmpty {
            if lease?.instance == instance { step.set(prefix + "sender", nil) }
        } else if lease?.instance != instance || System.wallClock &- (lease?.seenAt ?? 0) > 1000 {
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
