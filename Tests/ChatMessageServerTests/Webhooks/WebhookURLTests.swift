import ChatStorage
import CommonUtil
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(1))) struct WebhookURLTests {
    @Test func `a URL is read as what is connected to`() throws {
        let url = try WebhookURL("HTTPS://Hooks.Example.ORG/a/b?c=d#e")
        #expect(
            url.isEncrypted && url.host == .name("hooks.example.org") && url.port == 443 && url.target == "/a/b?c=d")
        #expect(url.text == "https://hooks.example.org:443/a/b?c=d")
        #expect(try WebhookURL("http://h.example:8080").text == "http://h.example:8080/")
        #expect(try WebhookURL("https://h.example?x=/@").text == "https://h.example:443/?x=/@")
        #expect(try WebhookURL("https://h.example./").host == .name("h.example"))
        #expect(try WebhookURL("https://1.2.3.4:9/").host == .address("1.2.3.4"))
        #expect(try WebhookURL("https://[2001:DB8::0:1]/").text == "https://[2001:db8::1]:443/")
        #expect(try WebhookURL("https://my_host.1a/").host == .name("my_host.1a"))
    }

    @Test(arguments: [
        "", "https", "https:/x", "https://", "https:///x", "ftp://h.example/", "file:///etc/passwd", "//h.example/",
        "javascript://h.example/", "https://user@h.example/", "https://user:password@h.example/",
        "https://h.example@127.0.0.1/", "https://@h.example/", "https://127.1/", "https://2130706433/",
        "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://127.0.0.1./x.",
        "https://1.2.3.4.5/",
        "https://h.example.0x1/", "https://[::1/", "https://[::1]x/", "https://[1.2.3.4]/", "https://[fe80::1%25lo]/",
        "https://h.example:0/", "https://h.example:65536/", "https://h.example:+1/", "https://h.example:1:2/",
        "https://-h.example/", "https://h..example/", "https://h example/", "https://h.example\\@127.0.0.1/",
        "https://h.example/\n", "https://bücher.example/", "https://h%2eexample/", "https://h.example/ä",
        "https://" + String(repeating: "a", count: 64) + ".example/",
        "https://h.example/" + String(repeating: "a", count: 2_048),
    ])
    func `anything else is refused`(text: String) {
        #expect { try WebhookURL(text) } throws: { ($0 as? ChatError)?.code == .webhookAddress }
    }
}

@Suite(.timeLimit(.minutes(1))) struct WebhookSecretTests {
    @Test func `signatures are those of Standard Webhooks`() throws {
        // The example of the specification's reference implementations.
        let secret = try #require(
            Base64URL.decode("plJ3nmyCDGBKInavdOK15jsl"))
        let body = Array(#"{"event_type":"ping","data":{"success":true}}"#.utf8)
        let signature = WebhookSecret.signature(
            of: body, id: "msg_loFOjxBNrRLzqYUf", seconds: 1_731_705_121, secrets: [secret])
        #expect(signature == "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=")
        let both = WebhookSecret.signature(
            of: body, id: "msg_loFOjxBNrRLzqYUf", seconds: 1_731_705_121, secrets: [[1], secret])
        #expect(both.split(separator: " ").count == 2)
        #expect(both.hasSuffix(" " + signature))
    }

    @Test func `a secret has a prefix and 24 to 64 bytes`() {
        let secret = WebhookSecret.generate()
        #expect(secret.count == 32)
        #expect(secret != WebhookSecret.generate())
        #expect(WebhookSecret.bytes(of: WebhookSecret.text(of: secret)) == secret)
        for count in [24, 64] {
            let bytes = [UInt8](repeating: 7, count: count)
            #expect(WebhookSecret.bytes(of: WebhookSecret.text(of: bytes)) == bytes)
        }
        for count in [0, 1, 23, 65] {
            #expect(WebhookSecret.bytes(of: WebhookSecret.text(of: [UInt8](repeating: 7, count: count))) == nil)
        }
        for text in [
            "", "whsec_", "whsec_!!", "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ] {
            #expect(WebhookSecret.bytes(of: text) == nil)
        }
    }

    @Test func `a failure is followed by a longer pause, and Retry-After is heeded`() {
        func pause(_ response: WebhookResponse, _ failures: Int) -> Duration? {
            if case .failed(retryAfter: let pause) = response.outcome(failures: failures) { pause } else { nil }
        }
        #expect(WebhookResponse.status(204, retryAfter: nil).outcome(failures: 3) == .delivered)
        #expect(WebhookResponse.status(410, retryAfter: nil).outcome(failures: 0) == .gone)
        let once = pause(.failed("x"), 0)
        #expect(once.map { (.milliseconds(500)...Duration.seconds(1)).contains($0) } == true)
        let often = pause(.status(500, retryAfter: nil), 40)
        #expect(often.map { (.seconds(300)...Duration.seconds(600)).contains($0) } == true)
        #expect(pause(.status(503, retryAfter: .seconds(7)), 0) == .seconds(7))
        #expect(pause(.status(429, retryAfter: .seconds(1_000_000)), 0) == .seconds(86_400))
        #expect(pause(.status(302, retryAfter: nil), 0) != nil)
        #expect(WebhookResponse.retryAfter("120") == .seconds(120))
        for text in [nil, "-1", "tomorrow", "1.5", "99999999999999999999"] {
            #expect(WebhookResponse.retryAfter(text) == nil)
        }
    }

    @Test func `a date is waited for, from now on, and not beyond a day`() throws {
        let now = try #require(Timestamp(text: "2015-10-21T07:27:00.500Z"))
        for (text, seconds) in [
            ("Wed, 21 Oct 2015 07:28:00 GMT", 60), ("Wed, 21 Oct 2015 07:27:00 GMT", 0),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 0), ("Fri, 01 Jan 2100 00:00:00 GMT", 86_400),
        ] {
            #expect(WebhookResponse.retryAfter(text, now: now) == .seconds(seconds), "\(text)")
        }
    }

    @Test func `the three forms of a date are one time`() {
        let time = Timestamp(text: "1994-11-06T08:49:37.000Z")
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
        ] {
            #expect(HTTPDateText.time(text) == time, "\(text)")
        }
        #expect(HTTPDateText.time("Thursday, 06-Nov-25 08:49:37 GMT") == Timestamp(text: "2025-11-06T08:49:37.000Z"))
    }

    @Test(arguments: [
        "", " ", "-", "Sun", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 06 Nov 994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT", "7, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z",
        "Sun, 06 Nov +994 08:49:37 GMT", "Sun, ٠٦ Nov 1994 08:49:37 GMT", "Sun Nov 6 1994",
    ])
    func `anything else is no date`(text: String) { #expect(HTTPDateText.time(text) == nil) }
}
