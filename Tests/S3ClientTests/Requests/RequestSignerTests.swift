import CommonUtil
import NIOHTTP1
import Testing

@testable import S3Client

/// The examples of AWS' documentation, "Signature Calculations for the Authorization Header: Transferring Payload in a
/// Single Chunk".
@Suite(.timeLimit(.minutes(1))) struct RequestSignerTests {
    private static let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    private static let host = ("host", "examplebucket.s3.amazonaws.com")

    private func fields(
        _ method: String, _ path: String, query: [(String, String)] = [], headers: [(String, String)] = [],
        payloadHash: String = empty, token: String = ""
    ) throws -> [String: String] {
        let signer = RequestSigner(
            credentials: try S3Credentials(
                accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                sessionToken: token),
            region: "us-east-1")
        let time = try #require(Timestamp(text: "2013-05-24T00:00:00.000Z"))
        let fields = signer.headers(
            method: method, path: path, query: query, headers: headers + [Self.host], payloadHash: payloadHash, at: time
        )
        return Dictionary(uniqueKeysWithValues: fields)
    }

    private func authorization(_ names: String, _ signature: String) -> String {
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            + "SignedHeaders=\(names), Signature=\(signature)"
    }

    @Test func `signs a read of a range`() throws {
        let fields = try fields("GET", "/test.txt", headers: [("range", "bytes=0-9")])
        #expect(
            fields["authorization"]
                == authorization(
                    "host;range;x-amz-content-sha256;x-amz-date",
                    "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"))
        #expect(fields["x-amz-date"] == "20130524T000000Z")
        #expect(fields["x-amz-content-sha256"] == Self.empty)
        #expect(fields["x-amz-security-token"] == nil)
    }

    @Test func `signs a write`() throws {
        let fields = try fields(
            "PUT", "/" + URIEncoding.encode("test$file.text"),
            headers: [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
            payloadHash: Hex.sha256(Array("Welcome to Amazon S3.".utf8)))
        #expect(
            fields["authorization"]
                == authorization(
                    "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                    "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"))
    }

    @Test func `signs a query without a value`() throws {
        #expect(
            try fields("GET", "/", query: [("lifecycle", "")])["authorization"]
                == authorization(
                    "host;x-amz-content-sha256;x-amz-date",
                    "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"))
    }

    @Test func `signs a query in the order of its names`() throws {
        #expect(
            try fields("GET", "/", query: [("prefix", "J"), ("max-keys", "2")])["authorization"]
                == authorization(
                    "host;x-amz-content-sha256;x-amz-date",
                    "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"))
    }

    @Test func `a session token is sent and signed`() throws {
        let fields = try fields("GET", "/", token: "a/token==")
        #expect(fields["x-amz-security-token"] == "a/token==")
        #expect(
            fields["authorization"]?.contains(
                "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,")
                == true)
    }

    @Test func `paths keep their slashes, and all but unreserved characters are encoded`() {
        #expect(URIEncoding.encode("a b/ü+~*'._-", keeping: "/") == "a%20b/%C3%BC%2B~%2A%27._-")
        #expect(URIEncoding.encode("a/b") == "a%2Fb")
        #expect(RequestSigner.queryText([("b", "1&2"), ("a", ""), ("A", "=")]) == "A=%3D&a=&b=1%262")
        #expect(S3Request(method: .GET, key: "files/a").path(bucket: "b") == "/b/files/a")
        #expect(S3Request(method: .GET).path(bucket: "b") == "/b")
    }

    @Test func `files are cut into parts of 8 MiB, of which there are not too many`() {
        let mebibyte = 1 << 20
        #expect(UploadPlan.parts(size: 16 * mebibyte) == [0..<8 * mebibyte, 8 * mebibyte..<16 * mebibyte])
        #expect(UploadPlan.parts(size: 16 * mebibyte + 1).last == 16 * mebibyte..<16 * mebibyte + 1)
        let large = UploadPlan.parts(size: 1 << 40)
        #expect(large.count <= 10_000)
        #expect(large.last?.upperBound == 1 << 40)
        #expect(zip(large, large.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
    }
}
