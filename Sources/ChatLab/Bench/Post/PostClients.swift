import ChatLocalStack
import Foundation
import Glibc
import NIOCore

/// Clients that post as fast as they are answered, all on one thread with `poll(2)`: the load client shares the cores with
/// the servers that it measures.
struct PostClients: Sendable {
    struct Client: Sendable {
        let caller: PostCall.Caller
        let room: String
        /// The prefix of its `clientMessageId`s.
        let prefix: String
    }

    struct Outcome: Sendable {
        /// The `clientMessageId`s answered with 201, of the warm-up too.
        var accepted: [String] = []
        /// The times of the posts accepted in the measured time.
        var latency = LatencyHistogram()
        var errors: [String: Int] = [:]
    }

    let port: Int
    let clients: [Client]
    /// The number of posts of each client.
    var limit = Int.max

    /// How long it waits for the last answers after the measured time.
    private static let grace = TimeAmount.seconds(15)

    /// Posts until the end of `measured`, or up to the limit.
    func run(measured: Range<NIODeadline>) async throws -> Outcome {
        try await withCheckedThrowingContinuation { continuation in
            let thread = Thread { continuation.resume(with: Result { try post(measured) }) }
            thread.name = "post clients"
            thread.start()
        }
    }

    private func post(_ measured: Range<NIODeadline>) throws -> Outcome {
        var outcome = Outcome()
        var connections = try clients.map { try PostConnection($0, port: port) }
        func end(_ connection: PostConnection, _ error: String? = nil) {
            if let error { outcome.errors[error, default: 0] += 1 }
            connections.removeAll { $0 === connection }
        }
        func goOn(_ connection: PostConnection) {
            let now = NIODeadline.now()
            guard now < measured.upperBound, connection.number < limit else { return end(connection) }
            if !connection.sendNext(at: now) { end(connection, "connection closed") }
        }
        for connection in connections { goOn(connection) }
        while !connections.isEmpty {
            var watches = connections.map { pollfd(fd: $0.descriptor, events: CShort(POLLIN), revents: 0) }
            let remaining = measured.upperBound + Self.grace - .now()
            let count = poll(&watches, nfds_t(watches.count), CInt(clamping: max(0, remaining.nanoseconds / 1_000_000)))
            guard count != 0 else {
                outcome.errors["no answer in time", default: 0] += connections.count
                break
            }
            for (connection, watch) in zip(connections, watches) where watch.revents != 0 {
                switch connection.receive() {
                case .incomplete: continue
                case .none: end(connection, "connection closed")
                case .status(201):
                    outcome.accepted.append(connection.messageID)
                    let now = NIODeadline.now()
                    if measured.contains(now) {
                        outcome.latency.record(nanoseconds: UInt64((now - connection.sentAt).nanoseconds))
                    }
                    goOn(connection)
                case .status(let status):
                    outcome.errors["HTTP \(status)", default: 0] += 1
                    goOn(connection)
                }
            }
        }
        return outcome
    }
}
