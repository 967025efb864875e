import HTTPTypes
import Hummingbird
import NIOCore

extension Response {
    /// Makes a response whose body is read as its client takes it: the next piece is asked for when no more waits to be sent
    /// than the connection's watermark.
    /// - Parameters:
    ///   - length: the size of the body, in bytes.
    ///   - bytes: exactly so many bytes, in pieces of a bounded size. If it throws, the connection is ended.
    public init(
        status: HTTPResponse.Status, headers: HTTPFields, length: Int,
        streaming bytes: any AsyncSequence<ByteBuffer, any Error> & Sendable, _ context: ChatRequestContext
    ) {
        let eventLoop = context.channel.eventLoop
        // Without a length of the body itself, by which the memory of large responses is bounded.
        let body = ResponseBody { writer in
            try await writer.write(bytes, paced: eventLoop)
            try await writer.finish(nil)
        }
        var headers = headers
        headers[.contentLength] = String(length)
        self.init(status: status, headers: headers, body: body)
    }
}

extension ChatRequestContext {
    /// Ends the connection at once, and drops what waits to be sent. For a response that was begun and cannot be completed.
    public var connectionAbort: @Sendable () -> Void {
        let channel = channel
        return { channel.eventLoop.execute { channel.abort() } }
    }
}

extension ResponseBodyWriter {
    fileprivate mutating func write(
        _ bytes: some AsyncSequence<ByteBuffer, any Error>, paced eventLoop: any EventLoop
    ) async throws {
        for try await piece in bytes {
            try await write(piece)
            // As in ``LargeResponses``: only then it is known whether the connection takes more.
            try await eventLoop.submit {}.get()
        }
    }
}
