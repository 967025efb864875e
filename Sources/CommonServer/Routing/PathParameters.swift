import CommonUtil
import Hummingbird

/// Hummingbird hands over path parameters as they stand in the URL.
enum PathParameters {
    /// - Throws: `malformed_request` for bad percent-encoding, `validation_failed` for bad UTF-8 and U+0000.
    static func decode(_ parameters: inout Parameters) throws(ChatError) {
        guard parameters.contains(where: { $0.value.utf8.contains(UInt8(ascii: "%")) }) else { return }
        var decoded = Parameters()
        for (name, value) in parameters {
            guard let bytes = PercentEncoding.bytes(value) else {
                throw ChatError(.malformedRequest, "The path is not percent-encoded")
            }
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw .invalid(String(name), "must be UTF-8")
            }
            guard !text.utf8.contains(0) else { throw .invalid(String(name), "must not contain U+0000") }
            decoded.append(key: name, value: text[...])
        }
        parameters = decoded
    }
}
