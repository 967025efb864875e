import ChatStorage
import CommonUtil

/// What became of one request to a receiver.
enum WebhookResponse: Equatable {
    case status(Int, retryAfter: Duration?)
    /// There was no answer; a reason for people, without internals.
    case failed(String)

    /// The status; `nil` if there was none.
    var status: Int? { if case .status(let status, _) = self { status } else { nil } }

    /// Why it is no success; `nil` if it is.
    var error: String? {
        switch self {
        case .status(200..<300, _): nil
        case .status(300..<400, _): "redirected, which is not followed"
        case .status(let status, _): "answered \(status)"
        case .failed(let reason): reason
        }
    }

    /// The longest wait that a receiver can ask for.
    private static let longestRetryAfter = Duration.seconds(86_400)
    private static let backoff = Backoff(first: .seconds(1), longest: .seconds(600))

    /// What follows.
    /// - Parameter failures: failed attempts before this one, since the last success.
    func outcome(failures: Int) -> WebhookWorkRepository.Outcome {
        switch self {
        case .status(200..<300, _): return .delivered
        case .status(410, _): return .gone
        case .status(_, let retryAfter):
            let delay = Self.backoff.delay(afterFailures: failures + 1)
            return .failed(retryAfter: max(delay, min(retryAfter ?? .zero, Self.longestRetryAfter)))
        case .failed: return .failed(retryAfter: Self.backoff.delay(afterFailures: failures + 1))
        }
    }

    /// Reads `Retry-After` (RFC 9110 section 10.2.3), seconds or a date. Anything else is read as if it were absent.
    /// - Parameter now: from when on a date is waited for.
    static func retryAfter(_ text: String?, now: Timestamp = .now) -> Duration? {
        guard let text else { return nil }
        let seconds =
            text.utf8.allSatisfy(\.isASCIIDigit)
            ? Int64(text) : HTTPDateText.time(text).map { max(0, $0.seconds - now.seconds) }
        return seconds.map { .seconds(min($0, longestRetryAfter.components.seconds)) }
    }
}

/// The body of a delivery.
struct WebhookBody: JSONEncodable {
    let webhookID: String
    let deliveryID: String
    let at: Timestamp
    let page: ChangePage

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("type", "chat.changes")
            writer.member("timestamp", at)
            writer.member("webhookId", webhookID)
            writer.member("deliveryId", deliveryID)
            page.writeItems(to: &writer)
        }
    }
}
