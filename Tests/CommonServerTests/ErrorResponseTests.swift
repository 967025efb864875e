import CommonUtil
import HTTPTypes
import Hummingbird
import NIOCore
import Testing

@testable import CommonServer

@Suite(.timeLimit(.minutes(2))) struct ErrorResponseTests {
    private enum Kind: String, CaseIterable { case one, two }

    private func reader(_ json: String) throws -> FieldReader { try FieldReader(body: Array(json.utf8)) }

    /// However many members are at fault and however they are named, an answer to them is small.
    @Test(arguments: ["abcdefgh", "\u{1}\u{2}\u{3}", "ä€😀", String(repeating: "k", count: 1_000), "\"\\\"\\"])
    func `errors are small`(name: String) throws {
        let escaped = name.utf16.map { unit in
            let digits = String(unit, radix: 16)
            return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }.joined()
        let members = (0..<50).map { #""\#($0)\#(escaped)":"\u0000""# }
        let fields = try reader("{\(members.joined(separator: ","))}")
        let error = fields.incomplete
        #expect((1...20).contains(error.fieldErrors.count))
        #expect(error.problemBody(traceID: String(repeating: "0", count: 32)).readableBytes <= 4_096)
        #expect(error.detail.hasSuffix("; and more"))
        #expect(error.fieldErrors.first?.field.hasPrefix("0") == true)
    }

    @Test func `twenty errors are named without more`() throws {
        let errors = (0..<20).map { FieldError("f\($0)", "is wrong") }
        #expect(ChatError(invalid: errors).fieldErrors == errors)
        #expect(!ChatError(invalid: errors).detail.contains("and more"))
        #expect(ChatError(invalid: errors + errors).fieldErrors == errors)
    }

    @Test func `details are shortened`() throws {
        let error = ChatError(.malformedRequest, String(repeating: "\u{1}", count: 100_000))
        #expect(error.problemBody(traceID: "").readableBytes <= 4_096)
        #expect(error.detail.hasSuffix("\u{1}…"))
        #expect(ChatError(.malformedRequest, "short").detail == "short")
    }

    @Test func `problems have the fields of the contract`() throws {
        let error = ChatError.invalid("name", "is required")
        let response = error.response(traceID: "t1")
        #expect(response.status == .unprocessableContent)
        #expect(response.headers[.contentType] == "application/problem+json")
        #expect(ChatError.unavailable("x").response(traceID: "").headers[.retryAfter] == "1")
        #expect(ChatError(.missingToken).response(traceID: "").headers[.wwwAuthenticate] == "Bearer")
    }
}
