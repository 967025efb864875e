import ChatStorage
import CommonUtil
import Synchronization
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(1))) struct FileURLsTests {
    private static let secret = FileSecret(bytes: [UInt8](repeating: 1, count: 32), createdAt: .now)
    private let fileID = FileID(verified: "abc")

    /// Checks the signature of another server, which has the secret.
    private func check(_ urls: FileURLs, forged: Bool = false) async -> FileURLSigner.Verdict {
        let url = FileURLSigner(secrets: [Self.secret]).url(of: fileID, at: .now)
        let fields = url.split(separator: "?").last?.split(separator: "&").map { $0.split(separator: "=").last ?? "" }
        return await urls.check(
            fileID, expires: fields?.first.map(String.init),
            signature: forged ? "AAAA" : fields?.last.map(String.init))
    }

    @Test func `requests that come while a new secret is read wait for it, and it is read once`() async {
        let reads = Mutex(0)
        let (gate, open) = AsyncStream<Never>.makeStream()
        let (begun, begins) = AsyncStream<Void>.makeStream()
        let urls = FileURLs {
            reads.withLock { $0 += 1 }
            begins.yield()
            for await _ in gate {}
            return [Self.secret]
        }
        async let first = check(urls)
        #expect(await begun.first { true } != nil)
        async let second = check(urls)
        open.finish()
        #expect(await (first, second) == (.good, .good))
        #expect(reads.withLock { $0 } == 1)
    }

    @Test func `forged signatures make one reading a second at most`() async {
        let reads = Mutex(0)
        let urls = FileURLs {
            reads.withLock { $0 += 1 }
            return []
        }
        let start = ContinuousClock.now
        for _ in 0..<50 { #expect(await check(urls, forged: true) == .bad) }
        let seconds = Int((ContinuousClock.now - start) / .seconds(1))
        #expect((1...seconds + 1).contains(reads.withLock { $0 }))
    }
}
