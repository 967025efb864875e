import ChatLocalStack
import Foundation
import NIOCore
import NIOHTTP1
import Synchronization

/// A receiver of a webhook that checks the signature of each delivery and writes it down, and that can be killed in the middle of an answer, refuse, be
/// slow and redirect.
final class WebhookReceiver: Sendable {
    /// The moment of its death, and what it leaves behind.
    enum DeathPoint: CaseIterable, Sendable {
        case beforeKeeping, beforeAnswer, withinHead, withinBody

        fileprivate var keeps: Bool { self != .beforeKeeping }

        /// What it has sent by then.
        fileprivate var bytes: String {
            switch self {
            case .beforeKeeping, .beforeAnswer: ""
            case .withinHead: "HTTP/1.1 200 OK\r\nContent-Le"
            case .withinBody: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"ok\""
            }
        }
    }

    enum Behaviour: Sendable {
        case accept
        case refuse(status: Int)
        case accepts(after: Duration)
        /// To another path, at which nobody may ask.
        case redirect
        /// Once, at the next delivery.
        case die(DeathPoint)
    }

    struct Record: Sendable {
        var deliveries: [History.FeedDelivery] = []
        /// The last `seq` of each room among what was kept.
        var heads: [String: Int] = [:]
        var accepted = 0
        var refused = 0
        var redirected = 0
        var deaths = 0
        var violations: [String: Int] = [:]
    }

    fileprivate struct State {
        var record = Record()
        var behaviour = Behaviour.accept
        /// The connection of a delivery that is answered later.
        var busy: (connection: ObjectIdentifier, until: NIODeadline)?
        let signature = WebhookSignature()
    }

    fileprivate struct Body: Decodable {
        var type: String
        var deliveryId: String
        var items: [ChangeFeedClient.Item]
    }

    private let listener: WebhookListener
    private let state = Mutex(State())

    /// Listens on a port of its own.
    static func start() async throws -> WebhookReceiver {
        let receiver = WebhookReceiver(port: try FreePort.next())
        try await receiver.begin()
        return receiver
    }

    private init(port: Int) { listener = WebhookListener(port: port) }

    var url: String { listener.url }
    var secret: String { state.withLock { $0.signature.secret } }
    var record: Record { state.withLock { $0.record } }

    /// Listens, at the beginning and again after a death.
    func begin() async throws {
        try await listener.start(
            onEnd: { [weak self] connection in
                self?.state.withLock { if $0.busy?.connection == connection { $0.busy = nil } }
            },
            respond: { [weak self] request in self?.state.withLock { $0.take(request) } ?? .status(500) })
    }

    func behave(_ behaviour: Behaviour) { state.withLock { $0.behaviour = behaviour } }

    /// Forgets everything that it kept.
    /// - Returns: what that was.
    func empty() -> [History.FeedDelivery] {
        state.withLock { state in
            defer { (state.record.deliveries, state.record.heads) = ([], [:]) }
            return state.record.deliveries
        }
    }

    func stop() { listener.stop() }
}

extension WebhookReceiver.State {
    /// Takes a request and decides what becomes of it.
    fileprivate mutating func take(_ request: WebhookListener.Request) -> WebhookListener.Answer {
        guard request.path == WebhookListener.path else {
            return refuse("a redirect of a webhook was followed to \(request.path)")
        }
        guard isSigned(request) else { return refuse("a delivery without a good signature") }
        guard
            let body = try? JSONDecoder().decode(WebhookReceiver.Body.self, from: Data(request.body.readableBytesView)),
            body.type == "chat.changes", request.headers.first(name: "webhook-id") == body.deliveryId
        else { return refuse("a delivery that cannot be read") }
        if let busy, busy.connection != request.connection, busy.until > .now() {
            record.violations["two deliveries of a webhook at a time", default: 0] += 1
        }
        switch behaviour {
        case .accept:
            keep(body)
            return .status(200)
        case .accepts(let time):
            keep(body)
            busy = (request.connection, .now() + TimeAmount(time))
            return .status(200, delay: time)
        case .refuse(let status):
            note(body, isKept: false)
            record.refused += 1
            return .status(status)
        case .redirect:
            note(body, isKept: false)
            record.redirected += 1
            return .status(307, headers: "Location: /elsewhere\r\n")
        case .die(let point):
            note(body, isKept: point.keeps)
            record.deaths += 1
            behaviour = .accept
            return .init(bytes: point.bytes, isLast: true)
        }
    }

    private func isSigned(_ request: WebhookListener.Request) -> Bool {
        func header(_ name: String) -> String { request.headers.first(name: "webhook-\(name)") ?? "" }
        return signature.isGood(
            id: header("id"), timestamp: header("timestamp"), signatures: header("signature"),
            body: Data(request.body.readableBytesView))
    }

    private mutating func refuse(_ violation: String) -> WebhookListener.Answer {
        record.violations[violation, default: 0] += 1
        return .status(400)
    }

    private mutating func keep(_ body: WebhookReceiver.Body) {
        note(body, isKept: true)
        record.accepted += 1
    }

    private mutating func note(_ body: WebhookReceiver.Body, isKept: Bool) {
        let events = body.items.map { History.FeedEvent($0) }
        record.deliveries.append(
            .init(
                deliveryID: body.deliveryId, events: events, at: NIODeadline.now().uptimeNanoseconds, isKept: isKept))
        guard isKept else { return }
        for event in events { record.heads[event.room] = max(record.heads[event.room] ?? 0, event.seq) }
    }
}
