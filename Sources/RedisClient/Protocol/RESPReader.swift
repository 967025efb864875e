import CHiredis
import NIOCore

/// hiredis' reply parser: bytes in, replies out. Owns the `redisReader` and frees it.
///
/// hiredis limits nesting to eight levels; this adds a bound on the bytes of one reply and on the length of an array,
/// for which hiredis would allocate whatever the server announces.
final class RESPReader {
    static let maximumArrayLength: CInt = 1 << 20

    private let reader: UnsafeMutablePointer<redisReader>
    /// hiredis' own constructors. `privdata` points here, so that `createArray` can call the one it replaces.
    private let defaults: UnsafeMutablePointer<redisReplyObjectFunctions>
    private let bounded: UnsafeMutablePointer<redisReplyObjectFunctions>
    private let maximumReplyBytes: Int
    /// Bytes of the reply that is not complete yet.
    private var pendingBytes = 0

    /// `nil` when there is no memory for it.
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
