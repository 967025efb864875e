import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1

/// Answers a request by its route: what Hummingbird's `Application` does between its server and its router.
struct RouteResponder: Sendable {
    /// What follows on a connection is not HTTP, and its answer had begun.
    struct BrokenAnswer: Error {}

    let routes: RouterResponder<ChatRequestContext>
    let date: HTTPDate
    let logger: Logger

    func respond(_ request: Request, _ writer: consuming ResponseWriter, on channel: any Channel) async throws {
        let source = ApplicationRequestContextSource(channel: channel, logger: logger)
        var response = try await routes.respond(to: request, context: ChatRequestContext(source: source))
        response.headers[.date] = date.text
        do {
            try await writer.write(response: response.head, body: response.body)
        } catch is HTTPParserError {
            // As itself it would be answered, too.
            throw BrokenAnswer()
        }
    }
}
