import Crypto
import Foundation
import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(1))) struct WebhookSignatureTests {
    // The example of the specification, https://github.com/standard-webhooks/standard-webhooks.
    private static let body = Data(#"{"test": 2432232314}"#.utf8)
    private static let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    private static let time = 1_614_265_330.0

    private func isGood(
        id: String = "msg_p5jXN8AQM9LWM0D4loKWxJek", signatures: String = signature, body: Data = body,
        after seconds: Double = 0
    ) throws -> Bool {
        let key = try #require(Data(base64Encoded: "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        return WebhookSignature(key: SymmetricKey(data: key)).isGood(
            id: id, timestamp: "1614265330", signatures: signatures, body: body,
            now: Date(timeIntervalSince1970: Self.time + seconds))
    }

    @Test func `a signature of the id, the time and the body is good, also beside others`() throws {
        #expect(try isGood())
        #expect(try isGood(signatures: "v1a,xx v1,AAAA \(Self.signature)"))
        #expect(try isGood(after: 299))
    }

    @Test func `a signature of anything else is not, nor an old one`() throws {
        #expect(try !isGood(id: "msg_other"))
        #expect(try !isGood(body: Self.body + [0x20]))
        #expect(try !isGood(signatures: ""))
        #expect(try !isGood(signatures: String(Self.signature.dropFirst(3))))
        #expect(try !isGood(after: 301))
        #expect(try !isGood(after: -301))
    }

    @Test func `secrets are as the contract has them, and each is another`() {
        let (one, other) = (WebhookSignature(), WebhookSignature())
        #expect(one.secret.hasPrefix("whsec_"))
        #expect(Data(base64Encoded: String(one.secret.dropFirst(6)))?.count == 32)
        #expect(one.secret != other.secret)
    }
}
