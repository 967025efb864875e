import Testing

@testable import S3Client

@Suite(.timeLimit(.minutes(1))) struct S3ConfigurationTests {
    private func configuration(_ url: String) throws(S3Error) -> S3Configuration {
        try S3Configuration(url: url, accessKey: "the-access", secretKey: "the-secret", sessionToken: "the-token")
    }

    @Test func `reads endpoint, bucket and region`() throws {
        let configuration = try configuration("https://S3.example.org/chat-files?region=eu-central-1")
        #expect(configuration.authority == "s3.example.org")
        #expect(configuration.bucket == "chat-files")
        #expect(configuration.region == "eu-central-1")
        #expect(configuration.usesTLS)
    }

    @Test func `port and region may be left to their defaults, and a slash may follow`() throws {
        #expect(try configuration("https://a:443/abc").authority == "a")
        #expect(try configuration("https://a:9000/abc/").authority == "a:9000")
        #expect(try configuration("https://[2001:db8::1]:9000/abc").authority == "[2001:db8::1]:9000")
        #expect(try configuration("https://a/abc").region == "us-east-1")
    }

    @Test(arguments: [
        "http://localhost/abc", "http://127.0.0.1:9000/abc", "http://127.8.9.1/abc", "http://[::1]:9000/abc",
    ])
    func `http is for this machine`(url: String) throws { #expect(try !configuration(url).usesTLS) }

    @Test(arguments: [
        "", "abc", "s3.example.org/abc", "ftp://a/abc", "http://a/abc", "http://10.0.0.1/abc",
        "http://127.0.0.1.example/abc",
        "http://localhost.example/abc", "https:///abc", "https://a", "https://a/", "https://a/ab", "https://a/ABC",
        "https://a/abc/def", "https://a/-abc", "https://a/a%2fb", "https://a/abc?region=", "https://a/abc?region=EU",
        "https://a/abc?zone=x", "https://a/abc?region=a&region=b", "https://u:p@a/abc", "https://a/abc#x",
        "https://a:0/abc", "https://a:65536/abc",
    ])
    func `other URLs are refused, and not shown`(url: String) {
        let error = #expect(throws: S3Error.self) { try configuration(url) }
        #expect(error?.description.contains("invalid configuration") == true)
        #expect(url.isEmpty || error?.description.contains(url) == false)
    }

    @Test func `credentials that cannot be sent are refused`() {
        for (access, secret, token) in [
            ("", "b", ""), ("a", "", ""), ("a\r\n", "b", ""), ("a", "b c", ""), ("a", "b", "ü"),
        ] {
            #expect(throws: S3Error.self) {
                try S3Configuration(url: "https://a/abc", accessKey: access, secretKey: secret, sessionToken: token)
            }
        }
    }

    @Test func `nothing shows the credentials`() throws {
        let configuration = try configuration("https://a/abc")
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in ["\(configuration)", String(reflecting: configuration), dumped] {
            for secret in ["the-access", "the-secret", "the-token"] { #expect(!text.contains(secret)) }
        }
    }
}
