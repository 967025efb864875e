import ChatEvents
import CommonUtil

/// What became of one request to the hook.
enum HookResponse: Equatable, Sendable {
    case answer(status: Int, body: [UInt8])
    /// There was no answer; a reason for the log, without secrets.
    case failed(String)
}

/// What the hook says about a message. Pure.
enum HookDecision: Equatable, Sendable {
    case accept
    /// The message is stored with another payload, in canonical JSON text.
    case replace(contentJSON: String)
    case reject(reason: String?)
    /// There is no valid answer; a reason for the log, without secrets.
    case none(String)

    private enum Action: String {
        case accept, reject, replace
    }

    /// Length of a reason, in Unicode scalars. A longer one is cut: a message that is rejected must not be stored because of
    /// how that was said.
    static let maximumReasonLength = 200
    /// Delay before a message can be sent again that was refused because there was no decision.
    private static let retryAfterSeconds = 1

    /// Reads an answer.
    /// - Parameter type: of the message, by which another payload is validated as a posted one is.
    init(_ response: HookResponse, type: MessageType) {
        switch response {
        case .failed(let reason): self = .none(reason)
        case .answer(200..<300, let body): self = Self.decision(body, type)
        case .answer(300..<400, _): self = .none("redirected, which is not followed")
        case .answer(let status, _): self = .none("answered \(status)")
        }
    }

    private static func decision(_ body: [UInt8], _ type: MessageType) -> HookDecision {
        guard case .object(let members)? = try? JSONParser.parse(body) else { return .none("gave no JSON object") }
        guard case .string(let name)? = members["action"], let action = Action(rawValue: name) else {
            return .none("gave no known action")
        }
        switch action {
        case .accept: return .accept
        case .reject:
            guard case .string(let reason)? = members["reason"], !reason.isEmpty else { return .reject(reason: nil) }
            let shown = reason.unicodeScalars.prefix(maximumReasonLength)
            return .reject(reason: String(String.UnicodeScalarView(shown)))
        case .replace:
            guard case .object(let payload)? = members[JSONKey(MessagePayload.field)],
                !JSONValue.object(payload).containsNUL,
                let content = try? MessagePayload.canonicalText(payload, type: type)
            else { return .none("gave a payload that is none of the type \(type.rawValue)") }
            return .replace(contentJSON: content)
        }
    }

    /// What is stored, in canonical JSON text.
    /// - Parameters:
    ///   - sent: the content that the hook was asked about.
    ///   - fails: what becomes of it without a valid answer.
    /// - Throws: `rejected` (422), with the hook's reason; `hook_unavailable` (503).
    func content(of sent: String, fails: MessageHookFailure) throws(ChatError) -> String {
        switch self {
        case .accept: return sent
        case .replace(let contentJSON): return contentJSON
        case .reject(let reason): throw ChatError(.rejected, reason)
        case .none:
            guard fails == .open else {
                throw ChatError(.hookUnavailable, retryAfterSeconds: Self.retryAfterSeconds)
            }
            return sent
        }
    }

    /// The label of `chat_message_hook_decisions_total`.
    var label: String {
        switch self {
        case .accept: "accepted"
        case .replace: "replaced"
        case .reject: "rejected"
        case .none: "failed"
        }
    }

    static let labels = ["accepted", "replaced", "rejected", "failed"]
}
