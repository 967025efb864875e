import CommonLogging
import CommonServer
import CommonUtil
import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1

/// What a request that is no acceptable handshake is told over HTTP.
enum HandshakeRejection {
    static func response(_ error: ChatError, traceID: String) -> Response {
        var response = error.response(traceID: traceID)
        switch error.code {
        case .upgradeRequired:
            response.headers[.upgrade] = "websocket"
            response.headers[.secWebSocketVersion] = HandshakeCheck.version
        case .methodNotAllowed:
            response.headers[.allow] = "GET"
        default:
            break
        }
        return response
    }

    /// Answers a handshake itself and closes: NIO's upgrade handler drops a request whose upgrade is declined.
    /// - Returns: a failed future, as the upgrade handler wants it.
    static func send(
        _ error: ChatError, to request: HTTPRequestHead, on channel: any Channel
    ) -> EventLoopFuture<HTTPHeaders> {
        let trace = TraceContext(traceparent: request.headers[HTTPField.Name.traceparent.canonicalName].first)
        let response = response(error, traceID: trace.traceID)
        let body = error.problemBody(traceID: trace.traceID)
        var headers = HTTPHeaders(response.headers.map { ($0.name.rawName, $0.value) })
        let requestID = RequestID.accepted(request.headers[HTTPField.Name.requestID.canonicalName].first)
        headers.replaceOrAdd(name: HTTPField.Name.requestID.rawName, value: requestID ?? trace.spanID)
        headers.replaceOrAdd(name: "Content-Length", value: String(body.readableBytes))
        headers.replaceOrAdd(name: "Connection", value: "close")
        let head = HTTPResponseHead(
            version: .http1_1, status: .init(statusCode: response.status.code), headers: headers)
        channel.write(HTTPServerResponsePart.head(head), promise: nil)
        channel.write(HTTPServerResponsePart.body(.byteBuffer(body)), promise: nil)
        return channel.writeAndFlush(HTTPServerResponsePart.end(nil)).flatMap {
            channel.close(mode: .output)
        }.flatMapThrowing { throw error }
    }
}
