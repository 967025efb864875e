import ChatStorage
import CommonUtil
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(1))) struct FileURLSignerTests {
    private static let window: Int64 = 1_800
    private let fileID = FileID(verified: "abc")
    private let old: FileSecret = .init(bytes: [UInt8](repeating: 1, count: 32), createdAt: Self.at(0))
    private let new: FileSecret = .init(
        bytes: [UInt8](repeating: 2, count: 32), createdAt: Self.at(1_000_000 * 1_800 - 100))

    private static func at(_ seconds: Int64) -> Timestamp { Timestamp(microseconds: seconds * 1_000_000) }
    private func at(_ seconds: Int64) -> Timestamp { Self.at(seconds) }

    private func check(_ url: String, of fileID: FileID? = nil, _ signer: FileURLSigner, at seconds: Int64)
        -> FileURLSigner.Verdict
    {
        let parts =
            url.split(separator: "?").last?.split(separator: "&").map { $0.split(separator: "=").last ?? "" } ?? []
        return signer.check(
            fileID ?? self.fileID, expires: parts.first.map(String.init), signature: parts.last.map(String.init),
            at: at(seconds))
    }

    @Test func `a URL is the same for half an hour and good for 60 to 90 minutes`() {
        let signer = FileURLSigner(secrets: [old])
        let start = 1_000_000 * Self.window
        let url = signer.url(of: fileID, at: at(start))
        #expect(signer.url(of: fileID, at: at(start + Self.window - 1)) == url)
        #expect(signer.url(of: fileID, at: at(start + Self.window)) != url)
        #expect(check(url, signer, at: start + 5_399) == .good)
        #expect(check(url, signer, at: start + 5_400) == .expired)
    }

    @Test func `a URL is of its file alone`() {
        let signer = FileURLSigner(secrets: [old])
        let url = signer.url(of: fileID, at: at(Self.window * 10))
        #expect(check(url, of: FileID(verified: "abd"), signer, at: Self.window * 10) == .bad)
        #expect(check(url, FileURLSigner(secrets: [new]), at: Self.window * 10) == .bad)
        #expect(check(url, FileURLSigner(secrets: []), at: Self.window * 10) == .bad)
    }

    @Test func `a new secret signs once every server knows it, and both are good`() {
        let (before, after) = (FileURLSigner(secrets: [old]), FileURLSigner(secrets: [new, old]))
        let start = 1_000_000 * Self.window
        // Made just before: a server that has not read it yet makes the same URL.
        #expect(after.url(of: fileID, at: at(start + 10)) == before.url(of: fileID, at: at(start + 10)))
        let later = start + Self.window
        let url = after.url(of: fileID, at: at(later))
        #expect(url != before.url(of: fileID, at: at(later)))
        #expect(check(url, after, at: later) == .good)
        #expect(check(before.url(of: fileID, at: at(later)), after, at: later) == .good)
    }

    @Test(arguments: [nil, "", "x", "-1", "+5400", "05400", " 5400", "5400.0", "99999999999999999999"])
    func `anything but the signed number is bad`(expires: String?) {
        let signer = FileURLSigner(secrets: [old])
        let signature = signer.url(of: fileID, at: at(0)).split(separator: "=").last.map(String.init)
        #expect(signer.check(fileID, expires: "5400", signature: signature, at: at(0)) == .good)
        #expect(signer.check(fileID, expires: expires, signature: signature, at: at(0)) == .bad)
        #expect(signer.check(fileID, expires: "5400", signature: expires, at: at(0)) == .bad)
    }
}
