/// Inputs that come from other processes which share the store.
extension Outbox {
    /// The key is used in the store, for another message of another process.
    mutating func taken(_ key: String) -> [Action] {
        remove(key)
        actions.append(.rejected(key, .clientMessageIDReused))
        return take()
    }

    /// Merges the posts of the store, where other processes write, too.
    /// - Parameters:
    ///   - posts: in the order of the store.
    ///   - done: posts that the server has.
    ///   - except: posts with a change that is not in the store yet, so their state here is the newer one.
    ///   - isSender: as of the same moment.
    mutating func loaded(
        _ posts: [OwnPost], done: [String: StoredPosition] = [:], except: Set<String> = [], isSender: Bool? = nil
    ) -> [Action] {
        // Nothing is sent before it is known which posts others have settled.
        if let isSender { self.isSender = isSender }
        var order: [String] = []
        for post in posts {
            guard let known = entries[post.key] else {
                guard !except.contains(post.key) else { continue }
                order.append(post.key)
                entries[post.key] = post
                set(post.key, post.state)
                continue
            }
            order.append(post.key)
            guard !except.contains(post.key), known.state != .new, known.state != .sending else { continue }
            entries[post.key]?.payload = post.payload
            if post.isTried { entries[post.key]?.isTried = true }
            guard known.state != post.state else { continue }
            entries[post.key]?.errorCode = post.errorCode
            entries[post.key]?.errorStatus = post.errorStatus
            entries[post.key]?.isCertain = post.isCertain
            set(post.key, post.state)
        }
        let kept = Set(order)
        for key in self.order where !kept.contains(key) {
            guard let post = entries[key] else { continue }
            if post.state == .new || except.contains(key) { order.append(key) } else { settle(post, done[key]) }
        }
        self.order = order
        return nextOfAll()
    }

    /// Gives up all posts.
    mutating func forget() -> [Action] {
        let keys = order
        (order, entries, sending) = ([], [:], [:])
        return keys.map { .discarded($0, isGone: true) }
    }

    /// Another process has settled it.
    private mutating func settle(_ post: OwnPost, _ place: StoredPosition?) {
        if sending[post.roomID] == post.key { sending[post.roomID] = nil }
        entries[post.key] = nil
        if let place {
            actions.append(.stored(post.key, StoredPosition(messageID: place.messageID, seq: place.seq)))
        } else {
            actions.append(.discarded(post.key, isGone: true))
        }
    }
}
