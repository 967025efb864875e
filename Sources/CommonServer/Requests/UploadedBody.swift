import CommonUtil
import Hummingbird
import NIOCore

/// The body of an upload, read as it arrives: no more is taken from the connection than is asked for.
public struct UploadedBody: AsyncSequence, Sendable {
    public typealias Element = ByteBuffer

    let body: RequestBody

    /// Reads the next piece.
    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var pieces: RequestBody.AsyncIterator

        /// - Returns: the next piece; `nil` at the end of the whole body.
        /// - Throws: `malformed_request` (400) if the body is not whole; `request_timeout` (408).
        public mutating func next() async throws -> ByteBuffer? {
            do {
                return try await pieces.next()
            } catch let error as ChatError {
                throw error
            } catch {
                throw ChatError.incompleteRequest
            }
        }
    }

    /// Begins to read. A body can be read once.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(pieces: body.makeAsyncIterator()) }
}

extension Request {
    /// The body of a request to a route that was declared with ``Routes/postUpload(_:scope:_:)``. A client that
    /// sent `Expect: 100-continue` gets `100 Continue`.
    public func uploadedBytes(_ context: ChatRequestContext) -> UploadedBody {
        context.channel.triggerUserOutboundEvent(UploadAccepted(), promise: nil)
        return UploadedBody(body: body)
    }

    /// The announced size of the body, in bytes; `nil` for a chunked one.
    public var announcedLength: Int? { headers[.contentLength].flatMap { Int($0) } }
}
