import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import Testing

@testable import CommonServer

/// How requests are read and responses are written on one connection.
@Suite(.timeLimit(.minutes(2))) struct HTTPConnectionHandlerTests: ConnectionTest {
    let channel = EmbeddedChannel()
    let socket = ConnectionFixture.Socket()

    init() throws { try open() }

    // MARK: Clients that do not read

    @Test func `nothing more is taken from a client that does not read its responses`() throws {
        send(Self.post)
        #expect(try statuses() == [201])
        setWritable(false)
        let before = socket.reads
        channel.pipeline.read()
        #expect(socket.reads == before)
        send(String(repeating: Self.post, count: 10) + Self.get)
        #expect(try statuses() == [] && parts() == [])
        setWritable(true)
        #expect(try statuses() == Array(repeating: 201, count: 10))
        #expect(try parts().count == 2)
        #expect(socket.reads > before)
    }

    @Test func `of many requests no more get a response than the watermark allows`() throws {
        channel.isWritable = false
        send(String(repeating: Self.post, count: 100))
        #expect(try statuses() == [])
    }

    @Test func `while a request is handled the next ones wait in the kernel`() throws {
        send(Self.get)
        let before = socket.reads
        channel.pipeline.read()
        #expect(socket.reads == before + 1)
        send(Self.post)
        channel.pipeline.read()
        #expect(socket.reads == before + 1)
        respond()
        #expect(try statuses() == [200, 201])
        #expect(socket.reads == before + 2)
    }

    // MARK: Bodies and answers

    @Test func `a client that waits for 100 Continue gets it`() throws {
        send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        #expect(try written() == "HTTP/1.1 100 Continue\r\n\r\n")
        send("ok")
        respond()
        #expect(try statuses() == [200])
    }

    @Test func `who announces too large a body is not asked for it`() throws {
        send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 99999\r\n\r\n")
        #expect(try written().isEmpty)
    }

    @Test func `a response of unknown length is chunked, or ends with the connection`() throws {
        send(Self.get)
        respond(HTTPResponse(status: .ok))
        #expect(try written().lowercased().hasSuffix("transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"))
        send("GET / HTTP/1.0\r\n\r\n")
        respond(HTTPResponse(status: .ok))
        #expect(try written().lowercased().hasSuffix("connection: close\r\n\r\nok"))
        #expect(!channel.isActive)
    }

    @Test func `the response to HEAD and one of 204 have no body`() throws {
        send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        respond()
        #expect(try written().hasSuffix("\r\n\r\n"))
        send(Self.get)
        respond(HTTPResponse(status: .noContent))
        #expect(try written() == "HTTP/1.1 204 No Content\r\n\r\n")
    }

    @Test func `a body that breaks is refused, and the response of the route is dropped`() throws {
        send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nnonsense\r\n")
        #expect(try statuses() == [400])
        respond()
        #expect(try written().isEmpty)
        #expect(try parts().count == 2)
    }

    @Test func `a body that breaks in the middle of its response ends the connection`() throws {
        send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
        channel.writeAndFlush(HTTPResponsePart.head(HTTPResponse(status: .ok)), promise: nil)
        send("nonsense\r\n")
        #expect(try statuses() == [200])
        #expect(!channel.isActive)
    }

    @Test func `input after the last response is read for a moment`() throws {
        send("nonsense\r\n\r\n")
        #expect(try statuses() == [400])
        #expect(socket.isOutputClosed)
        send("more")
        #expect(channel.isActive)
        advance(2)
        #expect(!channel.isActive)
    }
}
