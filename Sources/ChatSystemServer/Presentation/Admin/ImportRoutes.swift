import CommonServer
import Hummingbird
import NIOCore

/// The REST route of an import.
enum ImportRoutes {
    private static let contentType = "application/x-ndjson"

    /// `POST /admin/import`: answers line by line while the body is still coming. A body that is cut off leaves the batches
    /// that are committed, and nothing of the others.
    static func add(to routes: inout Routes, _ imports: ImportService) {
        routes.post("/api/v1/admin/import", forKeysWithAnyOf: ImportLineReader.scopes) { request, context in
            try request.requireBody(of: contentType)
            // Holds the call of the key until the response has ended.
            let caller = try context.requireKey()
            let logger = context.logger
            return try await Response(exchange: request, context, contentType: contentType) { exchange in
                try await run(imports.begin(by: caller, logger: logger), &exchange)
            }
        }
    }

    private static func run(_ session: ImportSession, _ exchange: inout RequestExchange) async throws {
        var session = session
        while let bytes = try await exchange.next() {
            session.receive(bytes.readableBytesView)
            while let step = await session.next() {
                guard try await write(step, &exchange) else { return }
            }
        }
        _ = try await write(await session.finish(), &exchange)
    }

    /// - Returns: whether the import goes on.
    private static func write(_ step: ImportSession.Step, _ exchange: inout RequestExchange) async throws -> Bool {
        switch step {
        case .goOn(let text):
            if !text.isEmpty { try await exchange.write(ByteBuffer(bytes: text)) }
            return true
        case .end(let text):
            try await exchange.write(ByteBuffer(bytes: text))
            return false
        }
    }
}
