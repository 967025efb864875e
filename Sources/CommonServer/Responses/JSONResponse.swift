import CommonUtil
import HTTPTypes
import Hummingbird
import NIOCore

extension Response {
    /// A JSON answer. It is about one caller, so no cache may keep it.
    public init(json value: some JSONEncodable, status: HTTPResponse.Status = .ok) {
        self.init(jsonBytes: value.jsonBytes, status: status)
    }

    /// A JSON answer that is text already.
    public init(jsonBytes bytes: [UInt8], status: HTTPResponse.Status = .ok) {
        self = BufferedResponse(jsonBytes: bytes, status: status).response
    }

    public static var noContent: Response {
        var response = Response(status: .noContent)
        // RFC 9110 section 8.6: no Content-Length with 204.
        response.headers[.contentLength] = nil
        return response
    }
}
