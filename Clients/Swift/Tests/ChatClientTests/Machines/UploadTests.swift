import Testing

@testable import ChatClient

@Suite(.timeLimit(.minutes(1))) struct UploadTests {
    private func problem(_ status: Int, _ code: String, retryAfter: String? = nil) -> ClientResponse {
        var response = ClientResponse(status: status, body: Array(#"{"code":"\#(code)"}"#.utf8))
        if let retryAfter { response.headers["retry-after"] = retryAfter }
        return response
    }

    @Test func `tries of what passes follow after growing pauses`() throws {
        var upload = Upload { 0.5 }
        let broken: [ClientResponse] = [
            problem(503, "unavailable"), problem(429, "rate_limited"), problem(408, "request_timeout"),
            problem(425, "too_early"), problem(409, "upload_in_progress"), ClientResponse(status: 502, body: [0x3C]),
            ClientResponse(status: 201, body: Array(#"{"fileI"#.utf8)),
            ClientResponse(status: 200, body: Array("{}".utf8)),
        ]
        var pauses: [Int64] = []
        for answer in broken {
            guard case .retry(let pause) = upload.answered(answer) else {
                Issue.record("not again: \(answer)")
                continue
            }
            pauses.append(pause)
        }
        #expect(pauses == [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000])
        for error in [ChatError.timeout, .cut] {
            guard case .retry = upload.failed(error) else {
                Issue.record("not again: \(error)")
                continue
            }
        }
        guard
            case .stored(let file) = upload.answered(ClientResponse(status: 200, body: Array(#"{"fileId":"f"}"#.utf8)))
        else {
            Issue.record("not stored")
            return
        }
        #expect(file.fileID == "f")
    }

    @Test(arguments: [("1", 1000), ("0", 500), ("86400", 300_000)])
    func `a pause that the server asks for is kept, up to five minutes`(_ asked: String, _ pause: Int64) {
        var upload = Upload { 0.999 }
        _ = upload.answered(problem(503, "unavailable"))
        guard case .retry(let milliseconds) = upload.answered(problem(409, "upload_in_progress", retryAfter: asked))
        else {
            Issue.record("not again")
            return
        }
        #expect(milliseconds >= pause && milliseconds < pause + 500)
    }

    @Test(arguments: [
        (413, "file_too_large"), (413, "file_quota"), (404, "files_off"), (404, "room_not_found"),
        (403, "not_a_member"),
        (409, "room_archived"), (409, "idempotency_key_reused"), (422, "validation_failed"), (401, "unauthorized"),
    ])
    func `a refusal ends it`(_ status: Int, _ code: String) {
        var upload = Upload { 0.5 }
        guard case .failed(let error) = upload.answered(problem(status, code)) else {
            Issue.record("not failed")
            return
        }
        #expect(error.code.rawValue == code)
        #expect(error.status == status)
        #expect(!error.isTemporary)
    }

    @Test(arguments: [
        ("image/png", "image"), ("video/mp4", "video"), ("audio/mpeg", "audio"), ("application/pdf", "file"),
        ("text/plain", "file"), ("imagery/x", "file"), ("", "file"),
    ])
    func `what the bytes are decides the type of the message`(_ mimeType: String, _ messageType: String) {
        #expect(UploadedFile(json: ["fileId": "f", "mimeType": .string(mimeType)])?.messageType == messageType)
    }
}
