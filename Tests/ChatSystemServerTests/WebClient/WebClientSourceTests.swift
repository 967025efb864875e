import ChatLocalStack
import Testing

@Suite(.timeLimit(.minutes(2))) struct WebClientSourceTests {
    private static let scripts = WebClientFolder.names.filter { $0.hasSuffix(".js") }

    @Test func `the page and its modules name only existing files, and every file is named`() throws {
        let page = try WebClientFolder.text("index.html")
        var named: Set<String> = ["index.html"]
        // Parts of the page itself, and modules of the library, are not files of this folder.
        for match in page.matches(of: /(?:src|href)="([^"]*)"/)
        where !match.1.hasPrefix("#") && !match.1.hasPrefix("/client/v1/") {
            let name = try #require(match.1.wholeMatch(of: /\/web\/([a-z.-]+)/), "\(match.1)").1
            named.insert(String(name))
        }
        #expect(named.contains("app.js"))
        for script in Self.scripts {
            let text = try WebClientFolder.text(script)
            for match in text.matches(of: /(?:from |import |import\()'([^']*)'/)
            where !match.1.hasPrefix("/client/v1/") {
                let name = try #require(match.1.wholeMatch(of: /\.\/([a-z.-]+)/), "\(script): \(match.1)").1
                named.insert(String(name))
            }
            for match in text.matches(of: /'\/web\/([a-z.-]+)'/) { named.insert(String(match.1)) }
        }
        #expect(named == Set(WebClientFolder.names))
    }

    @Test func `modules use only elements that the page has`() throws {
        let page = try WebClientFolder.text("index.html")
        let ids = page.matches(of: /\bid="([^"]*)"/).map { String($0.1) }
        #expect(Set(ids).count == ids.count)
        var asked = 0
        for script in Self.scripts {
            for match in try WebClientFolder.text(script).matches(of: /byId\('([^']*)'\)/) {
                #expect(ids.contains(String(match.1)), "\(script)")
                asked += 1
            }
        }
        #expect(asked > 0)
    }

    @Test func `labels and descriptions name elements of the page`() throws {
        let page = try WebClientFolder.text("index.html")
        let ids = Set(page.matches(of: /\bid="([^"]*)"/).map { String($0.1) })
        let named = page.matches(of: /(?:for|aria-labelledby)="([^"]*)"/).map { String($0.1) }
        #expect(!named.isEmpty)
        for id in named { #expect(ids.contains(id), "\(id)") }
        // A hidden one is nobody's to see or to reach: a button opens it.
        for match in page.matches(of: /<(?:input|select|textarea) id="([^"]*)"([^>]*)>/)
        where !match.2.split(separator: " ").contains("hidden") {
            #expect(page.contains("<label for=\"\(match.1)\""), "\(match.1) has no label")
        }
    }

    @Test(arguments: scripts)
    func `no module makes HTML or code from text`(_ script: String) throws {
        let text = try WebClientFolder.text(script)
        #expect(
            try text.firstMatch(
                of: Regex(
                    "innerHTML|outerHTML|insertAdjacentHTML|setHTML|srcdoc|createContextualFragment|DOMParser|document\\.write|eval\\(|new Function"
                )) == nil)
    }

    @Test func `the page has no inline script or style, and loads nothing from other hosts`() throws {
        let page = try WebClientFolder.text("index.html")
        #expect(page.firstMatch(of: /<style|style=|<script(?![^>]* src=)|\son[a-z]+=|https?:/) == nil)
        for sheet in WebClientFolder.names where sheet.hasSuffix(".css") {
            #expect(try WebClientFolder.text(sheet).firstMatch(of: /url\(|@import|https?:/) == nil)
        }
    }

    @Test(.enabled("needs Node.js 20.19 or newer") { try await Self.hasNode() })
    func `the tests of the modules pass (Tests-WebClient)`() async throws {
        let folder = try PrivateFolder.temporary(prefix: "web-client")
        defer { PrivateFolder.remove(folder) }
        // Every module is parsed, also those that need a page and so have no test of this kind.
        let checks = Self.scripts.map { ["--check", WebClientFolder.file($0)] }
        for arguments in checks + [["--test", WebClientFolder.tests]] {
            let process = try Self.run(arguments, logFile: "\(folder)/node.log")
            let status = try await process.waitForExit()
            #expect(status == .exited(0), "\(arguments): \(process.logTail(40).joined(separator: "\n"))")
        }
    }

    /// Older ones take the modules for scripts of another kind.
    private static func hasNode() async throws -> Bool {
        guard ExecutableSearch.inPath("node") != nil else { return false }
        let question = "process.exit(process.features.require_module ? 0 : 1)"
        return try await run(["--eval", question]).waitForExit() == .exited(0)
    }

    private static func run(_ arguments: [String], logFile: String = "/dev/null") throws -> LocalProcess {
        try LocalProcess(.init(ExecutableSearch.inPath("node") ?? "", arguments, logFile: logFile))
    }
}
