import CommonUtil
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore

/// A request whose body is read while the response is written (full duplex), in bounded memory: a client that does not read
/// the response is not read either.
///
///     return try await Response(exchange: request, context, contentType: "application/x-ndjson") { exchange in
///         while let bytes = try await exchange.next() { try await exchange.write(answer(to: bytes)) }
///     }
///
/// The body has no maximum size. The connection ends where 60 s pass without a byte of the body, or without progress of the
/// response (`RequestBounds`).
public struct RequestExchange {
    private var body: RequestBody.AsyncIterator
    private var writer: any ResponseBodyWriter
    private let channel: any Channel

    fileprivate init(_ body: RequestBody, _ writer: any ResponseBodyWriter, on channel: any Channel) {
        self.body = body.makeAsyncIterator()
        self.writer = writer
        self.channel = channel
    }

    /// Reads the next bytes of the body.
    /// - Returns: `nil` at the end of the body.
    /// - Throws: `malformed_request` if the body was cut off.
    public mutating func next() async throws -> ByteBuffer? {
        if let bytes = try await body.next() { return bytes }
        // Hummingbird takes the end of the connection for that of the body.
        guard channel.isActive else { throw ChatError(.malformedRequest, "The body did not arrive whole") }
        return nil
    }

    /// Writes bytes of the response. Waits while the client does not read what was written before.
    /// - Throws: where the connection has ended.
    public mutating func write(_ bytes: ByteBuffer) async throws {
        try await writer.write(bytes)
        // Whether the connection takes more is known only once the bytes have reached its event loop.
        try await channel.eventLoop.submit {}.get()
    }

    fileprivate consuming func finish() async throws { try await writer.finish(nil) }
}

extension Response {
    /// Makes a response that is written while the body of its request is read.
    /// - Parameters:
    ///   - contentType: the media type of the response.
    ///   - run: called once the head of the response is written. The response ends where it returns; where it throws, the
    ///     connection is aborted. What it leaves of the body is not read.
    public init(
        exchange request: Request, _ context: ChatRequestContext, contentType: String,
        _ run: @escaping @Sendable (inout RequestExchange) async throws -> Void
    ) async throws {
        let channel = context.channel
        try await channel.triggerUserOutboundEvent(ExchangeBegins()).get()
        self.init(
            status: .ok,
            headers: [.contentType: contentType, .cacheControl: "no-store", .accelBuffering: "no"],
            body: ResponseBody { writer in
                var exchange = RequestExchange(request.body, writer, on: channel)
                try await run(&exchange)
                try await exchange.finish()
            })
    }
}

extension Request {
    /// Checks the media type of the body, which must not be encoded.
    /// - Parameter type: in lower case.
    /// - Throws: `unsupported_media_type` (415).
    public func requireBody(of type: String) throws(ChatError) {
        guard MediaType.isEqual(headers[.contentType], to: type) else {
            throw ChatError(.unsupportedMediaType, "The body must be \(type)")
        }
        try requireNoEncoding()
    }
}
