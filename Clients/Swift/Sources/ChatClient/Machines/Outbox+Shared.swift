/// Inputs that come from other processes which share the store.
extension Outbox {
    /// The key is used in the store, for another message of another process.
    mutating func taken(_ key: String) -> [Action] {
        remove(key)
        actions.append(.rejected(key, .clientMessageIDReused))
        return take()
    }

    /// Another process has settled a post, which may have been discarded here meanwhile.
    /// - Parameter place: `nil` if it was not stored.
    mutating func settled(_ key: String, _ place: StoredPosition?) -> [Action] {
        let post = entries[key]
        order.removeAll { $0 == key }
        settle(key, place)
        if let post { next(post.roomID) }
        return take()
    }

    /// Another process has tried a post, with an outcome that is not known.
    mutating func triedElsewhere(_ key: String) -> [Action] {
        markUncertain(key)
        return take()
    }

    /// It may be stored, whatever is known of its own attempts.
    private mutating func markUncertain(_ key: String) {
        entries[key]?.isTried = true
        entries[key]?.wasTried = true
        guard entries[key]?.state == .refused else { return }
        entries[key]?.isCertain = false
        set(key, .refused)
    }

    /// Merges the posts of the store, where other processes write, too.
    /// - Parameters:
    ///   - posts: in the order of the store.
    ///   - done: the posts that left the store last.
    ///   - except: posts with a change that is not in the store yet, so their state here is the newer one.
    ///   - isSender: as of the same moment.
    mutating func loaded(
        _ posts: [OwnPost], done: [DonePost] = [], except: Set<String> = [], isSender: Bool? = nil
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
            guard !except.contains(post.key), known.state != .sending else { continue }
            guard known.state != .new else {
                if post.isTried { entries[post.key]?.isTried = true }
                continue
            }
            // Taken over if it is false, too: otherwise the next attempt would not be stored, and another process would
            // give the post up meanwhile.
            entries[post.key]?.isTried = post.isTried
            entries[post.key]?.payload = post.payload
            entries[post.key]?.errorCode = post.errorCode
            entries[post.key]?.errorStatus = post.errorStatus
            entries[post.key]?.isCertain = post.isCertain
            guard known.state != post.state || known.isCertain != post.isCertain else { continue }
            set(post.key, post.state)
        }
        let kept = Set(order)
        for key in self.order where !kept.contains(key) {
            guard let post = entries[key] else { continue }
            if post.state != .new, !except.contains(key) {
                guard done.hasForgotten(key) else {
                    settle(key, done.outcome(of: key)?.place)
                    continue
                }
                // Its own attempt, once that is answered, says more.
                guard sending[post.roomID] != key else {
                    order.append(key)
                    continue
                }
                // While this process was suspended, so many posts have left the store that this one is no longer
                // remembered. It is sent again, and the server recognizes its key. A refused one is not:
                // nobody has asked for another attempt.
                if post.state != .refused { entries[key]?.state = .new }
                markUncertain(key)
                actions.append(.keep(key))
            }
            order.append(key)
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
    private mutating func settle(_ key: String, _ place: StoredPosition?) {
        let post = entries.removeValue(forKey: key)
        if let post, sending[post.roomID] == key { sending[post.roomID] = nil }
        if let place {
            actions.append(.stored(key, StoredPosition(messageID: place.messageID, seq: place.seq)))
            if post?.isUnwanted == true { actions.append(.discarded(key, isGone: false)) }
        } else if post != nil {
            actions.append(.discarded(key, isGone: true))
        }
    }
}
