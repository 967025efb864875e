import ChatLocalStack
import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct WebClientTests {
    private func client() async throws -> RESTClient {
        RESTClient(baseURL: try await SharedStack.running().processes.systemServer.url)
    }

    @Test(arguments: WebClientFolder.names)
    func `every file of the repository is served unchanged`(_ name: String) async throws {
        let client = try await client()
        let path = WebClientFolder.path(name)
        let answer = try await client.get(path)
        #expect(answer.status == 200)
        #expect(try answer.bytes == WebClientFolder.bytes(name))
        let contentType = try #require(Self.contentType(name))
        #expect(answer.header("Content-Type") == contentType)
        #expect(answer.header("Cache-Control") == "no-cache")
        #expect(answer.header("X-Content-Type-Options") == "nosniff")
        #expect(answer.header("Referrer-Policy") == "no-referrer")
        #expect(answer.header("X-Frame-Options") == "DENY")

        let head = try await client.send(.init("HEAD"), path)
        #expect(head.status == 200 && head.bytes.isEmpty)
        for field in ["Content-Type", "Content-Length", "ETag", "Content-Security-Policy"] {
            #expect(head.header(field) != nil && head.header(field) == answer.header(field))
        }
    }

    private static func contentType(_ name: String) -> String? {
        switch name.split(separator: ".").last {
        case "html": "text/html; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "js": "text/javascript; charset=utf-8"
        case "svg": "image/svg+xml"
        default: nil
        }
    }

    @Test func `there are files to serve`() {
        #expect(WebClientFolder.names.contains("index.html") && WebClientFolder.names.contains("app.js"))
    }

    @Test func `a file that the browser has is not sent again`() async throws {
        let client = try await client()
        let tag = try #require(try await client.get("/").header("ETag"))
        #expect(tag.wholeMatch(of: /"[!-~]+"/) != nil)
        for known in [tag, "W/\(tag)", "\"other\", \(tag)", "*"] {
            let answer = try await client.get("/", headers: [("If-None-Match", known)])
            #expect(answer.status == 304, "\(known)")
            #expect(answer.bytes.isEmpty)
            #expect(answer.header("ETag") == tag)
            #expect(answer.header("Cache-Control") == "no-cache")
            #expect(answer.header("Content-Security-Policy") != nil)
        }
        for other in ["\"other\"", tag.replacing("\"", with: ""), ""] {
            #expect(try await client.get("/", headers: [("If-None-Match", other)]).status == 200, "\(other)")
        }
        #expect(try await client.get("/web/app.js").header("ETag") != tag)
    }

    @Test(arguments: [
        "/web", "/web/", "/web/index.html", "/web/configuration.json", "/index.html", "/web/nothing.js", "/web/App.js",
        "/web//app.js",
        "/web/%61pp.js", "/web/../openapi.yaml", "/web/..%2f..%2fopenapi.yaml", "/app.js", "/favicon.ico",
    ])
    func `unknown paths get the usual errors`(_ path: String) async throws {
        let answer = try await client().get(path)
        #expect(answer.status == 404)
        #expect(answer.header("Content-Type") == "application/problem+json")
        #expect(answer.code == "not_found")
    }

    @Test(arguments: [RESTClient.Method.post, .put, .delete])
    func `the page can only be read`(_ method: RESTClient.Method) async throws {
        #expect(try await client().send(method, "/").status == 404)
    }

    @Test func `the page may connect only to the servers`() async throws {
        let stack = try await SharedStack.running()
        let client = try await client()
        let message = try #require(stack.processes.messageServers.first).port
        let webSocket = stack.webSocketPort()
        #expect(
            try await client.get("/").header("Content-Security-Policy") == """
                default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: http: data: blob:; \
                media-src https: http: blob:; \
                connect-src 'self' http://127.0.0.1:\(message) ws://127.0.0.1:\(webSocket) \
                http://127.0.0.1:\(webSocket); \
                require-trusted-types-for 'script'; trusted-types 'none'; base-uri 'none'; form-action 'none'; \
                frame-ancestors 'none'
                """)
    }

    @Test func `an operator can set the public addresses`() async throws {
        try await SharedStack.running().withServer(
            .system,
            [
                "CHAT_PUBLIC_MESSAGE_URL": "https://chat.example.org/messages/",
                "CHAT_PUBLIC_WEBSOCKET_URL": "wss://sockets.example.org:8443",
            ]
        ) { server in
            let client = RESTClient(baseURL: server.url)
            let policy = try #require(try await client.get("/").header("Content-Security-Policy"))
            let sources = "https://chat.example.org wss://sockets.example.org:8443 https://sockets.example.org:8443"
            #expect(policy.contains("; connect-src 'self' \(sources); "))
        }
    }
}
