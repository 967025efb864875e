import AsyncHTTPClient
import ChatLocalStack
import Foundation
import NIOCore
import NIOHTTP1

/// Reads whole rooms by `GET /rooms/{id}/events`, as any client could.
struct RoomLogReader: Sendable {
    private struct Page: Decodable {
        var items: [Event]
        var hasMore: Bool
    }

    struct Event: Decodable, Sendable {
        var seq: Int
        var mark: String?
        var eventType: String
        var messageId: Int?
        var userId: Int?
        var clientMessageId: String?
        var contentJson: String?

        /// The event with what its message holds now.
        var content: LibraryClientCheck.Entry {
            .init(
                seq: seq, eventMark: mark ?? "", kind: eventType, messageID: messageId, key: clientMessageId,
                contentJson: contentJson)
        }
    }

    private struct Content: Decodable {
        var mark: String?
        var fileId: String?
    }

    /// A message server.
    let port: Int
    /// By message, what a client called it; its content may have changed since.
    let marks: [Int: String]

    init(port: Int, posts: [History.Post]) {
        self.port = port
        marks = posts.reduce(into: [:]) { marks, post in
            if case .acknowledged(let answer) = post.outcome { marks[answer.messageID] = post.mark }
        }
    }

    /// - Parameter seq: only events after this one.
    func events(of room: String, after seq: Int = 0) async throws -> [Event] {
        var log: [Event] = []
        while true {
            var request = HTTPClientRequest(
                url: "http://127.0.0.1:\(port)/api/v1/rooms/\(room)/events?after=\(log.last?.seq ?? seq)&limit=100")
            request.headers.add(name: "X-User-Id", value: "1")
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
            let body = Data((try await response.body.collect(upTo: 16 * 1024 * 1024)).readableBytesView)
            guard response.status == .ok else {
                throw LocalStackError(
                    "\(request.url): \(response.status.code) \(String(decoding: body, as: UTF8.self))")
            }
            let page = try JSONDecoder().decode(Page.self, from: body)
            log += page.items
            guard page.hasMore, !page.items.isEmpty else { return log }
        }
    }

    func entry(_ event: Event) -> History.LogEntry {
        let content = event.contentJson.flatMap { try? JSONDecoder().decode(Content.self, from: Data($0.utf8)) }
        return History.LogEntry(
            seq: event.seq, identity: .init(kind: event.eventType, messageID: event.messageId, userID: event.userId),
            // The client's own key comes first: a message that is stored twice has one key and two ids.
            mark: event.clientMessageId ?? content?.mark ?? event.messageId.flatMap { marks[$0] },
            eventMark: event.mark, contentJson: event.contentJson, fileID: content?.fileId)
    }
}
