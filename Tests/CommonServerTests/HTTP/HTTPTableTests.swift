import CommonAuth
import CommonServer
import CommonUtil
import Glibc
import Hummingbird
import NIOCore
import NIOPosix
import Testing

/// A request that is answered on its connection and one that goes through the router are read by the same rules and
/// answered with the same bytes.
@Suite("HTTP: a table of cases, both ways", .timeLimit(.minutes(2)))
struct HTTPTableTests {
    private struct Echo: JSONEncodable {
        let text: String
        func write(to writer: inout JSONWriter) { writer.object { $0.member("text", text) } }
    }

    private static func text(_ fields: consuming FieldReader) throws -> String {
        let text = fields.string("text", length: 1...100) ?? ""
        try fields.finish()
        return text
    }

    static let paths = ["/direct", "/routed"]

    static func routes() -> Routes {
        var routes = Routes(authenticator: Authenticator(mode: .trusted, verifier: nil))
        routes.postDirectly("/direct", admission: { $1(nil) }) { call, respond in
            let echo = Echo(text: try text(FieldReader(body: call.body)))
            respond(.success(DirectResponse(jsonBytes: echo.jsonBytes, status: .created)))
        }
        routes.post("/routed", authenticated: true) { request, context in
            Response(json: Echo(text: try text(try await request.fields(context))), status: .created)
        }
        routes.get("/last") { _, _ in Response(json: Echo(text: "last")) }
        return routes
    }

    @Test func `there are at least 300 cases, each with a name of its own`() {
        #expect(HTTPCases.all.count >= 300)
        #expect(Set(HTTPCases.all.map(\.description)).count == HTTPCases.all.count)
    }

    @Test(arguments: [false, true])
    func `each case has the responses of the table, alike both ways, whole and byte by byte`(byteByByte: Bool)
        async throws
    {
        try await TestServer.run(routes: Self.routes()) { server in
            try await withThrowingTaskGroup { group in
                // A few at a time.
                var cases = HTTPCases.all.filter { !byteByByte || $0.text.utf8.count < 1_000 }[...]
                for _ in 0..<8 {
                    if let next = cases.popFirst() { group.addTask { try await Self.check(next, byteByByte, server) } }
                }
                while try await group.next() != nil {
                    if let next = cases.popFirst() { group.addTask { try await Self.check(next, byteByByte, server) } }
                }
            }
        }
    }

    @Test func `a request whose body is refused keeps its ids`() async throws {
        try await TestServer.run(routes: Self.routes()) { server in
            let trace = "0af7651916cd43dd8448eb211c80319c"
            let bytes = try await server.exchange(
                Array(
                    """
                    POST /routed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Request-Id: mine\r
                    traceparent: 00-\(trace)-b7ad6b7169203331-01\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n
                    """.utf8))
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(text.contains("X-Request-Id: mine\r\n"), "\(text)")
            #expect(text.contains(#""traceId":"\#(trace)""#), "\(text)")
        }
    }

    private static func check(_ test: HTTPCase, _ byteByByte: Bool, _ server: TestServer) async throws {
        var seen: [[HTTPResponses.Answer]] = []
        for path in paths {
            let bytes = try await server.exchange(test.bytes(path: path), byteByByte: byteByByte)
            let responses = HTTPResponses(bytes) { index in test.text.hasPrefix("HEAD") && index == 0 }
            #expect(responses.isWhole, "\(test): \(String(decoding: bytes, as: UTF8.self))")
            let answers = responses.answers.filter { !(byteByByte && test.expectsContinue && $0.status == 100) }
            #expect(answers.map(\.status) == test.allStatuses, "\(test), \(path)")
            // Whatever was sent, an answer can be named.
            #expect(answers.allSatisfy { $0.hasRequestID }, "\(test), \(path)")
            seen.append(answers)
        }
        // Of a refused method the path is not part.
        #expect(seen[0] == seen[1], "\(test)")
    }
}

extension TestServer {
    /// Sends bytes and returns all that comes until the server ends the connection.
    func exchange(_ bytes: [UInt8], byteByByte: Bool = false, endsOutput: Bool = false) async throws -> [UInt8] {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(10))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            do {
                if byteByByte {
                    for byte in bytes { try await outbound.write(ByteBuffer(bytes: [byte])) }
                } else {
                    try await outbound.write(ByteBuffer(bytes: bytes))
                }
                if endsOutput { outbound.finish() }
            } catch {
                // The server has ended the connection before it read all.
            }
            var answer: [UInt8] = []
            do {
                for try await buffer in inbound { answer += Array(buffer: buffer) }
            } catch let error as IOError where error.errnoCode == ECONNRESET {
                // Bytes that it did not read any more.
            }
            return answer
        }
    }
}
