import AsyncHTTPClient
import CommonUtil
import NIOCore

/// The bytes of a part of an object, read from the store as they are asked for. It can be read once.
///
/// If the connection breaks, or the store ends it since the reader is slow, the rest is asked for again.
public struct S3ObjectBytes: AsyncSequence, Sendable {
    public typealias Element = ByteBuffer

    let client: S3Client
    let key: String
    let range: Range<Int>
    let first: HTTPClientResponse

    public func makeAsyncIterator() -> Iterator {
        Iterator(
            client: client, key: key, end: range.upperBound, position: range.lowerBound,
            body: first.body.makeAsyncIterator(),
            backoff: Backoff(first: client.configuration.minimumBackoff, longest: client.configuration.maximumBackoff))
    }

    /// Throws ``S3Error`` where the store cannot give the rest.
    public struct Iterator: AsyncIteratorProtocol {
        let client: S3Client
        let key: String
        let end: Int
        var position: Int
        var body: HTTPClientResponse.Body.AsyncIterator?
        /// Without a byte in between.
        var failures = 0
        var backoff: Backoff

        public mutating func next() async throws -> ByteBuffer? {
            while position < end {
                do {
                    if let buffer = try await read() { return buffer }
                } catch {
                    let failure = S3Client.failure(error)
                    failures += 1
                    guard failure.isPassing, failures < client.configuration.attempts else { throw failure.error }
                    body = nil
                    do { try await Task.sleep(for: backoff.next()) } catch { throw S3Error.cancelled }
                    continue
                }
            }
            // Reads the end of the answer, so that the connection can serve the next request.
            _ = try? await body?.next()
            body = nil
            return nil
        }

        private mutating func read() async throws -> ByteBuffer? {
            if body == nil { body = try await client.open(key, position..<end).body.makeAsyncIterator() }
            guard let buffer = try await body?.next() else {
                throw S3Failure.passing(.unavailable("the object ended early"))
            }
            guard buffer.readableBytes <= end - position else {
                throw S3Failure.final(.unavailable("the object is longer than it should be"))
            }
            guard buffer.readableBytes > 0 else { return nil }
            position += buffer.readableBytes
            failures = 0
            backoff.reset()
            return buffer
        }
    }
}
