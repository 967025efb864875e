import HTTPTypes
import NIOCore
import Synchronization

/// Writes answers whose heads are the same for all of a second, but for two fields.
final class DirectResponseHeads: Sendable {
    private struct Head {
        let date: String
        let bytes: ByteBuffer
    }

    private let envelope: ResponseEnvelope
    private let date: HTTPDate
    /// Between the body's length, with which a head ends, and the request's id.
    private let requestIDField = "\r\n\(HTTPField.Name.requestID.rawName): "
    /// By status.
    private let heads = Mutex<[Int: Head]>([:])

    init(envelope: ResponseEnvelope, date: HTTPDate) {
        self.envelope = envelope
        self.date = date
    }

    /// - Returns: the whole answer to a request without `Origin`.
    func bytes(of answer: DirectResponse, requestID: String, _ allocator: ByteBufferAllocator) -> ByteBuffer {
        let head = head(answer.status)
        var buffer = allocator.buffer(capacity: head.readableBytes + 256 + answer.body.count)
        buffer.writeImmutableBuffer(head)
        buffer.writeString(String(answer.body.count))
        buffer.writeString(requestIDField)
        buffer.writeString(requestID)
        buffer.writeStaticString("\r\n\r\n")
        buffer.writeBytes(answer.body)
        return buffer
    }

    private func head(_ status: HTTPResponse.Status) -> ByteBuffer {
        let date = date.text
        return heads.withLock { heads in
            if let head = heads[status.code], head.date == date { return head.bytes }
            var fields = BufferedResponse.jsonFields
            fields[.date] = date
            envelope.addCommonFields(to: &fields, origin: nil)
            var bytes = ByteBuffer()
            bytes.writeResponseHead(status, fields)
            bytes.writeString("\(HTTPField.Name.contentLength.rawName): ")
            heads[status.code] = Head(date: date, bytes: bytes)
            return bytes
        }
    }
}
