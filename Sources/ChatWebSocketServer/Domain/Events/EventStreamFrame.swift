import NIOCore

/// Encodes server-sent events (HTML standard, section 9.2.6).
enum EventStreamFrame {
    /// An event of the default type, `message`.
    /// - Parameters:
    ///   - json: the data; JSON text of one line.
    ///   - id: what a client sends back as `Last-Event-ID`; `nil` leaves the client's last one as it is.
    static func message(_ json: some Collection<UInt8>, id: String?) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: json.count + 48)
        if let id {
            buffer.writeStaticString("id: ")
            buffer.writeString(id)
            buffer.writeStaticString("\n")
        }
        buffer.writeStaticString("data: ")
        buffer.writeBytes(json)
        buffer.writeStaticString("\n\n")
        return buffer
    }

    /// A comment, which clients ignore.
    static let comment = ByteBuffer(staticString: ":\n\n")
}
