import CHiredis
import NIOCore

/// A look at a `redisReply` before it is freed: lets the pub/sub path take what it needs with one copy each.
struct RESPReplyView {
    let reply: UnsafePointer<redisReply>

    init(reply: UnsafeMutablePointer<redisReply>) {
        self.reply = UnsafePointer(reply)
    }

    /// The elements of an array, else `nil`.
    var elements: UnsafeBufferPointer<UnsafeMutablePointer<redisReply>?>? {
        guard reply.pointee.type == REDIS_REPLY_ARRAY else { return nil }
        return UnsafeBufferPointer(start: reply.pointee.element, count: reply.pointee.elements)
    }

    /// The bytes of any kind of string; empty for all else.
    var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: reply.pointee.str, count: reply.pointee.str == nil ? 0 : reply.pointee.len)
    }

    var isBulkString: Bool { reply.pointee.type == REDIS_REPLY_STRING }
    var text: String { String(decoding: bytes, as: UTF8.self) }
    var buffer: ByteBuffer { ByteBuffer(bytes: bytes) }

    /// A copy of the whole tree. The recursion is bounded by hiredis' limit on nesting.
    var value: RESPValue {
        switch reply.pointee.type {
        case REDIS_REPLY_STRING: .bulkString(buffer)
        case REDIS_REPLY_STATUS: .simpleString(text)
        case REDIS_REPLY_ERROR: .error(text)
        case REDIS_REPLY_INTEGER: .integer(reply.pointee.integer)
        case REDIS_REPLY_ARRAY:
            .array((elements ?? .init(start: nil, count: 0)).map { $0.map { RESPReplyView(reply: $0).value } ?? .null })
        default: .null
        }
    }

    /// The element at `index`, if this is an array that has it.
    subscript(index: Int) -> RESPReplyView? {
        guard let elements, elements.indices.contains(index), let element = elements[index] else { return nil }
        return RESPReplyView(reply: element)
    }
}
