import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import Testing

@testable import CommonServer

/// When and how one connection ends.
@Suite(.timeLimit(.minutes(2))) struct HTTPConnectionEndTests: ConnectionTest {
    let channel = EmbeddedChannel()
    let socket = ConnectionFixture.Socket()

    init() throws { try open() }

    // MARK: Time

    @Test(arguments: ["", "GET / HTTP/1.1\r\nHost: x\r\n", "\r\n\r\n"])
    func `a connection has ten seconds for its first head`(beginning: String) throws {
        if !beginning.isEmpty { send(beginning) }
        advance(9)
        #expect(channel.isActive)
        advance(1)
        #expect(!channel.isActive)
        #expect(try written().isEmpty)
    }

    @Test(arguments: [true, false]) func `75 seconds after a response it is closed`(direct: Bool) throws {
        send(direct ? Self.post : Self.get)
        if !direct { respond() }
        advance(74)
        #expect(channel.isActive)
        advance(1)
        #expect(!channel.isActive)
    }

    /// With a request first, the time is that until the next one.
    @Test(arguments: [(false, 9), (true, 74)]) func `half empty lines do not keep a connection`(
        hasResponse: Bool, seconds: Int
    ) throws {
        if hasResponse { send(Self.post) }
        for second in 0..<seconds {
            send(second.isMultiple(of: 2) ? "\r" : "\n")
            advance(1)
            #expect(channel.isActive)
        }
        if !seconds.isMultiple(of: 2) { send("\n") }
        advance(1)
        #expect(!channel.isActive)
    }

    @Test(arguments: [String(post.dropLast()), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n123"])
    func `a body has sixty seconds`(request: String) throws {
        send(request)
        advance(59)
        #expect(channel.isActive)
        advance(1)
        #expect(!channel.isActive)
    }

    @Test func `a response that takes long is waited for`() throws {
        send(Self.get)
        advance(1_000)
        respond()
        #expect(channel.isActive)
        #expect(try statuses() == [200])
    }

    // MARK: The end of what a client sends

    @Test(arguments: [
        "GET / HTTP/1.1\r\nHo", String(post.dropLast()), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n123",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123",
    ])
    func `half a request is refused at once where no more will come`(request: String) throws {
        send(request)
        sendNoMore()
        #expect(try statuses() == [400])
        #expect(!channel.isActive)
    }

    @Test func `a client that ends its output gets all responses, then the end`() throws {
        send(Self.post + Self.get + Self.post)
        sendNoMore()
        #expect(try statuses() == [201] && channel.isActive)
        respond()
        #expect(try statuses() == [200, 201])
        #expect(!channel.isActive)
    }

    @Test func `a client that ends its output and does not read yet gets all responses`() throws {
        setWritable(false)
        send(Self.post + Self.post)
        sendNoMore()
        #expect(channel.isActive)
        setWritable(true)
        #expect(try statuses() == [201, 201])
        #expect(!channel.isActive)
    }

    @Test func `a client that sent nothing and will send nothing is closed`() throws {
        sendNoMore()
        #expect(!channel.isActive)
        #expect(try written().isEmpty)
    }

    // MARK: Stopping

    @Test func `a connection on which nothing is under way ends at once when the server stops`() throws {
        send(Self.post)
        stop()
        #expect(!channel.isActive)
    }

    @Test func `a request in progress gets its response, with connection close`() throws {
        send(Self.get)
        stop()
        advance(60)
        #expect(channel.isActive)
        respond()
        let text = try written()
        #expect(text.lowercased().contains("connection: close") && text.ranges(of: "HTTP/1.1").count == 1)
        #expect(!channel.isActive)
    }

    @Test(arguments: [
        String(post.dropLast()), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n123",
    ])
    func `a body that does not come is waited for five seconds`(request: String) throws {
        send(request)
        stop()
        advance(4)
        #expect(channel.isActive)
        advance(1)
        #expect(!channel.isActive)
    }

    @Test func `a response that is not read is waited for five seconds`() throws {
        send(Self.get)
        setWritable(false)
        stop()
        advance(4)
        #expect(channel.isActive)
        advance(1)
        #expect(!channel.isActive)
    }
}

/// A connection beyond the reserve of descriptors.
@Suite(.timeLimit(.minutes(2))) struct OperationsConnectionTests: ConnectionTest {
    let channel = EmbeddedChannel()
    let socket = ConnectionFixture.Socket()

    @Test func `a connection beyond the reserve gets health checks and nothing else, one of them`() throws {
        for (path, status) in [("/health/live", nil), ("/metrics", nil), ("/things", 503), ("/", 503)]
            as [(String, Int?)]
        {
            let test = Self()
            try test.open(.operations)
            test.send("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n" + Self.get)
            if status == nil { test.respond() }
            #expect(try test.statuses() == [status ?? 200])
            #expect(try test.parts().count == (status == nil ? 2 : 0))
            test.advance(2)
            #expect(!test.channel.isActive)
        }
    }
}
