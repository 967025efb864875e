import ChatEvents
import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct ClientFrameTests {
    private func frame(_ text: String) throws -> ClientFrame { try ClientFrame(text: Array(text.utf8)) }

    private func code(_ text: String) -> FrameError.Code? {
        do {
            _ = try frame(text)
            return nil
        } catch {
            return (error as? FrameError)?.code
        }
    }

    @Test(
        arguments: [
            (#"{"type":"ping"}"#, .ping), (#" { "type" : "ping" , "more" : [1] } "#, .ping),
            (#"{"type":"typing","typing":true}"#, .typing(true)),
            (#"{"type":"typing","typing":false}"#, .typing(false)),
            (#"{"type":"read","seq":0}"#, .read(0)), (#"{"type":"read","seq":9223372036854775807}"#, .read(.max)),
            (#"{"type":"auth","token":"a.b.c"}"#, .auth(token: "a.b.c")),
            (#"{"type":"typing","type":"ping"}"#, .ping),
        ] as [(String, ClientFrame)])
    func `takes the contract's frames`(text: String, expected: ClientFrame) throws {
        #expect(try frame(text) == expected)
    }

    @Test(arguments: ["", "ping", "{", "[]", "1", "null", #"{"type":"ping"} x"#, #"{"type":"ping",}"#])
    func `a text that is no JSON object is malformed`(text: String) {
        #expect(code(text) == .malformedFrame)
    }

    @Test func `a text that is not Unicode is malformed`() {
        #expect(throws: FrameError.self) {
            try ClientFrame(text: Array(#"{"type":""#.utf8) + [0xFF] + Array(#""}"#.utf8))
        }
        #expect(code(#"{"type":"\ud800"}"#) == .malformedFrame)
        #expect(
            code(#"{"a":"# + String(repeating: "[", count: 100) + String(repeating: "]", count: 100) + "}")
                == .malformedFrame)
    }

    @Test(arguments: [
        "{}", #"{"type":null}"#, #"{"type":1}"#, #"{"type":"Ping"}"#, #"{"type":"message"}"#, #"{"Type":"ping"}"#,
        #"{"type":["ping"]}"#, #"{"type":""}"#,
    ])
    func `an unknown type is an error`(text: String) {
        #expect(code(text) == .unknownType)
    }

    @Test(arguments: [
        #"{"type":"typing"}"#, #"{"type":"typing","typing":"true"}"#, #"{"type":"typing","typing":1}"#,
        #"{"type":"typing","typing":null}"#, #"{"type":"read"}"#, #"{"type":"read","seq":-1}"#,
        #"{"type":"read","seq":1.5}"#, #"{"type":"read","seq":1e-3}"#, #"{"type":"read","seq":"1"}"#,
        #"{"type":"read","seq":9223372036854775808}"#, #"{"type":"auth"}"#, #"{"type":"auth","token":""}"#,
        #"{"type":"auth","token":7}"#, #"{"type":"ping","more":"\u0000"}"#,
    ])
    func `an invalid field is an error`(text: String) {
        #expect(code(text) == .invalidField)
    }

    @Test func `a token has at most 4096 characters`() {
        let longest = String(repeating: "t", count: 4_096)
        #expect(code(#"{"type":"auth","token":"\#(longest)"}"#) == nil)
        #expect(code(#"{"type":"auth","token":"\#(longest)t"}"#) == .invalidField)
    }

    @Test func `the error names the field, not its value`() {
        let error = #expect(throws: FrameError.self) { try frame(#"{"type":"auth","token":["s3cret"]}"#) }
        #expect(error?.message.contains("token") == true)
        #expect(error?.message.contains("s3cret") == false)
    }

    @Test func `an error is small, whatever was sent`() {
        let members = (0..<4_300).map { ##""k\##($0)":"\u0000""## }
        let error = #expect(throws: FrameError.self) {
            try frame(#"{"type":"ping","# + members.joined(separator: ",") + "}")
        }
        #expect(error?.code == .invalidField)
        #expect(error.map { SessionEvent.error($0).jsonBytes.count <= 4_096 } == true)
        #expect((error?.message.split(separator: "; ").count ?? 0) <= 21)
    }
}
