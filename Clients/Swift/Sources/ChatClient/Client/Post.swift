import NIOConcurrencyHelpers

/// A message that is being sent. The client repeats attempts until the server has stored or refused it, also in another
/// process after this one has ended; this object only shows its state.
public final class Post: Sendable {
    private struct State {
        var post: OwnPost
        var message: Message?
        /// Set if there never was such a post: it could not be stored, or its key was used for other content.
        var failure: ChatError?
        var isGone = false
    }

    /// The `clientMessageId`.
    public let key: String
    private let core: ChatCore
    private let box: NIOLockedValueBox<State>
    private let changes = LatestValue(0)

    init(_ post: OwnPost, core: ChatCore) {
        key = post.key
        self.core = core
        box = NIOLockedValueBox(State(post: post))
    }

    /// The present state of the message.
    public var now: OwnPost { box.withLockedValue { $0.post } }
    /// The state of the post.
    public var state: PostState { box.withLockedValue { $0.failure == nil ? $0.post.state : .refused } }
    /// Why it is refused.
    public var error: ChatError? { box.withLockedValue { $0.failure ?? $0.post.error } }
    /// Whether a refusal means for certain that nothing was stored.
    public var isCertain: Bool { box.withLockedValue { $0.post.isCertain } }

    /// Waits until it is in the store: from then on the server stores or refuses it, whatever happens to this process.
    /// - Throws: ``ChatError`` with code `client_message_id_reused`, or `not_stored` if it was discarded.
    public func kept() async throws {
        try await wait { state in
            state.post.state == .new ? nil : ()
        }
    }

    /// Waits until the server has it. Cancelling this stops the waiting, not the post.
    /// - Throws: ``ChatError`` with the code of the refusal, or `not_stored` if it was discarded.
    public func stored() async throws -> Message {
        try await wait { state in
            if let error = state.post.error { throw error }
            return state.message
        }
    }

    /// Puts a refused post at the end of its line; a waiting one is sent now.
    public func retry() async { if isOfOutbox { await core.retry(key) } }

    /// Gives it up, if it is refused or no process has begun to send it.
    /// - Returns: `true`: it is not stored and never will be. During an attempt this is known only at its end.
    public func discard() async -> Bool { isOfOutbox ? await core.discard(key) : true }

    /// False for a post that could not be kept, such as one whose key another post has.
    private var isOfOutbox: Bool { box.withLockedValue { $0.failure == nil } }

    private func wait<Result: Sendable>(_ ready: @Sendable (State) throws -> Result?) async throws -> Result {
        var iterator = LatestValues(source: changes).makeAsyncIterator()
        while await iterator.next() != nil {
            let state = box.withLockedValue { $0 }
            if let failure = state.failure { throw failure }
            if let result = try ready(state) { return result }
            if state.isGone { throw ChatError(.notStored, "The post was discarded") }
        }
        throw Task.isCancelled ? CancellationError() : ChatError.closed
    }

    // MARK: The core

    func update(_ post: OwnPost) { change { $0.post = post } }
    func fail(_ error: ChatError) { change { $0.failure = error } }
    func discarded() { change { $0.isGone = true } }
    func finish() { changes.finish() }

    func stored(_ message: Message) {
        change { state in
            state.post.state = .stored
            state.post.seq = message.seq
            state.post.messageID = message.messageID
            state.message = message
        }
    }

    private func change(_ change: (inout State) -> Void) {
        box.withLockedValue { change(&$0) }
        changes.set(0)
    }
}

/// The objects of posts that are not stored by the server yet, by key.
final class PostObjects: Sendable {
    private let objects = NIOLockedValueBox<[String: Post]>([:])

    subscript(key: String) -> Post? { objects.withLockedValue { $0[key] } }

    func remove(_ key: String) -> Post? { objects.withLockedValue { $0.removeValue(forKey: key) } }

    /// Returns the object of a post, and whether it was created now.
    func object(for post: OwnPost, make: () -> Post) -> (Post, isNew: Bool) {
        objects.withLockedValue { objects in
            if let known = objects[post.key] { return (known, false) }
            let object = make()
            objects[post.key] = object
            return (object, true)
        }
    }
}
