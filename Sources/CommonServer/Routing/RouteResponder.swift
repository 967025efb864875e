import Hummingbird
import HummingbirdCore
import Logging
import NIOCore

/// Answers a request by its route: what Hummingbird's `Application` does between its server and its router.
struct RouteResponder: Sendable {
    let routes: RouterResponder<ChatRequestContext>
    let date: HTTPDate
    let logger: Logger

    func respond(_ request: Request, _ writer: consuming ResponseWriter, on channel: any Channel) async throws {
        let source = ApplicationRequestContextSource(channel: channel, logger: logger)
        var response = try await routes.respond(to: request, context: ChatRequestContext(source: source))
        response.headers[.date] = date.text
        try await writer.write(response: response.head, body: response.body)
    }
}
