import CHiredis
import NIOCore

/// hiredis' reply parser. Owns the `redisReader` and frees it.
///
/// hiredis limits nesting to eight levels; this adds a bound on the bytes of one reply and on the length of an array,
/// for which hiredis would allocate whatever the server announces.
final class RESPReader {
    static let maximumArrayLength: CInt = 1 << 20

    private let reader: UnsafeMutablePointer<redisReader>
    /// hiredis' constructors. `privdata` points here, so that `createArray` can call the one it replaces.
    private let defaults: UnsafeMutablePointer<redisReplyObjectFunctions>
    private let bounded: UnsafeMutablePointer<redisReplyObjectFunctions>
    private let maximumReplyBytes: Int
    /// Bytes of the reply that is not complete yet.
    private var pendingBytes = 0

    /// - Returns: `nil` if there is no memory for it.
    init?(maximumReplyBytes: Int) {
        guard let reader = redisReaderCreate() else { return nil }
        guard let functions = reader.pointee.fn else {
            redisReaderFree(reader)
            return nil
        }
        self.reader = reader
        self.maximumReplyBytes = maximumReplyBytes
        defaults = .allocate(capacity: 1)
        defaults.initialize(to: functions.pointee)
        bounded = .allocate(capacity: 1)
        bounded.initialize(to: functions.pointee)
        bounded.pointee.createArray = { task, length in
            guard let task, length <= RESPReader.maximumArrayLength, let defaults = task.pointee.privdata else {
                return nil
            }
            return defaults.assumingMemoryBound(to: redisReplyObjectFunctions.self).pointee.createArray(task, length)
        }
        reader.pointee.fn = bounded
        reader.pointee.privdata = UnsafeMutableRawPointer(defaults)
    }

    deinit {
        redisReaderFree(reader)
        defaults.deallocate()
        bounded.deallocate()
    }

    /// Copies the bytes into the reader.
    func feed(_ bytes: UnsafeRawBufferPointer) throws(RedisError) {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
        let text = start.assumingMemoryBound(to: CChar.self)
        guard redisReaderFeed(reader, text, bytes.count) == REDIS_OK else { throw .protocolViolation }
        pendingBytes += bytes.count
    }

    /// The next complete reply as `convert` makes it, or `nil` when more bytes are needed. The view that `convert`
    /// gets is valid only during its call.
    func next<Reply>(_ convert: (RESPReplyView) -> Reply) throws(RedisError) -> Reply? {
        var object: UnsafeMutableRawPointer?
        guard redisReaderGetReply(reader, &object) == REDIS_OK else { throw .protocolViolation }
        guard let object else {
            guard pendingBytes <= maximumReplyBytes else { throw .protocolViolation }
            return nil
        }
        pendingBytes = reader.pointee.len - reader.pointee.pos
        defer { freeReplyObject(object) }
        return convert(RESPReplyView(reply: object.assumingMemoryBound(to: redisReply.self)))
    }
}

/// A view of a `redisReply` before it is freed, by which published messages are read with one copy.
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
