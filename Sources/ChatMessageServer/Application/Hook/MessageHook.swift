import ChatEvents
import ChatStorage
import CommonUtil
import Logging
import Metrics
import Synchronization

/// Makes requests to the hook.
protocol MessageHookCalling: Sendable {
    /// Posts a body, and reads the answer.
    func call(_ body: [UInt8], headers: [(String, String)]) async -> HookResponse
}

/// Asks a program of the operator's about posts and edits of users before they are stored.
///
/// A post that repeats a stored one is answered without asking, and so is what the room's rules refuse. What is asked about is
/// not locked meanwhile: the rules are checked again when it is stored.
final class MessageHook: Sendable {
    /// Bounds of the hook.
    struct Limits {
        /// Time for a request in all, with waiting for its turn.
        var time = Duration.seconds(2)
        /// Messages that are asked about, or wait for that, at the same time. Further ones are not asked about.
        var messages = 1_000
    }

    private let caller: any MessageHookCalling
    private let secret: [UInt8]
    private let fails: MessageHookFailure
    private let limits: Limits
    private let messages: MessageRepository
    private let users: UserRepository
    private let logger: Logger
    private let pending = Atomic(0)
    private let warnings = Mutex(Throttle(interval: .seconds(1)))
    private let times = Metrics.Timer(label: "chat_message_hook_seconds")
    private let decisions = Dictionary(
        uniqueKeysWithValues: HookDecision.labels.map {
            ($0, Counter(label: "chat_message_hook_decisions_total", dimensions: [("decision", $0)]))
        })

    /// - Parameters:
    ///   - secret: signs the requests, as Standard Webhooks.
    ///   - fails: what becomes of a message without a valid answer.
    init(
        caller: any MessageHookCalling, secret: [UInt8], fails: MessageHookFailure, limits: Limits = Limits(),
        messages: MessageRepository, users: UserRepository, logger: Logger
    ) {
        self.caller = caller
        self.secret = secret
        self.fails = fails
        self.limits = limits
        self.messages = messages
        self.users = users
        self.logger = logger
    }

    /// Asks about a post.
    /// - Parameter check: run before the hook is asked; throws for a post that cannot be stored. One that is stored already
    ///   is not checked.
    /// - Returns: what is to be stored: the draft, or the same request with another payload.
    /// - Throws: `rejected` (422), `hook_unavailable` (503); what `check` throws.
    func approve(_ draft: MessageDraft, check: () async throws -> Void) async throws -> MessageDraft {
        if try await isStored(draft) { return draft }
        do {
            try await check()
            let question = HookRequest(draft, user: try await users.user(draft.senderID))
            let content = try await decide(question)
            return content.hasSameBytes(as: draft.contentJSON) ? draft : draft.replacingContent(by: content)
        } catch {
            // It can have been stored meanwhile, where it was sent twice at the same time.
            guard try await isStored(draft) else { throw error }
            return draft
        }
    }

    /// Whether the post repeats a stored one, or uses its key for another.
    private func isStored(_ draft: MessageDraft) async throws -> Bool {
        guard let key = draft.clientMessageID else { return false }
        return try await messages.isStored(key, of: draft.senderID)
    }

    /// Asks about an edit by the message's sender.
    /// - Returns: the content that the message is to have.
    /// - Throws: `rejected` (422), `hook_unavailable` (503).
    func approve(_ content: String, of message: Message) async throws -> String {
        try await decide(
            HookRequest(message, newContent: content, user: try await users.user(message.senderID)))
    }

    private func decide(_ question: HookRequest) async throws -> String {
        let start = ContinuousClock.now
        let decision = HookDecision(await ask(question), type: question.type)
        times.record(duration: ContinuousClock.now - start)
        decisions[decision.label]?.increment()
        if case .none(let reason) = decision, let count = warnings.withLock({ $0.pass(now: .now) }) {
            logger.warning(
                "The message hook has not decided",
                metadata: [
                    "reason": "\(reason)", "messages": .stringConvertible(count), "fails": "\(fails.rawValue)",
                ])
        }
        return try decision.content(of: question.contentJSON, fails: fails)
    }

    private func ask(_ question: HookRequest) async -> HookResponse {
        defer { pending.subtract(1, ordering: .relaxed) }
        guard pending.add(1, ordering: .relaxed).newValue <= limits.messages else {
            return .failed("is asked about too many messages at a time")
        }
        let body = question.jsonBytes
        let headers = WebhookSecret.headers(
            for: body, id: "hk_" + RoomID.random().rawValue, at: .now, secrets: [secret])
        return await TimeLimit.within(limits.time) { [caller] in await caller.call(body, headers: headers) }
            ?? .failed("was not answered in time")
    }
}
