import ChatTestSupport
import CommonUtil
import Foundation
import Testing

@testable import ChatEvents

@Suite(.timeLimit(.minutes(2))) struct EventFuzzTests {
    @Test func `the scanner accepts the same objects as the parser and Foundation`() throws {
        var fuzzer = Fuzzer("events")
        try fuzzer.run { input, _ in
            let envelope = EventEnvelope(input)
            let parsed = Result { () throws(JSONError) in try JSONParser.parse(input) }
            switch parsed {
            case .success(.object(let members)):
                guard let envelope else {
                    // What has a `seq` may be refused because of it, and of a key given twice each value counts.
                    return members[JSONKey(EventKey.seq)] == nil ? "refused, but an object" : nil
                }
                if case .number(let text)? = members[JSONKey(EventKey.seq)], let seq = Int64(text), seq > 0 {
                    // A key that is written with escapes is not looked at; all events are ours or have none.
                    let isPlain = !input.contains(UInt8(ascii: "\\"))
                    if isPlain, envelope.seq != seq { return "seq \(String(describing: envelope.seq)), not \(seq)" }
                }
                return nil
            case .failure(.notUnicode):
                // Half a surrogate pair is no error of the scanner's, which resolves no escapes.
                return nil
            case .success, .failure:
                return envelope == nil ? nil : "taken, but no object"
            }
        }
    }

    @Test func `a client frame is read or refused, and means the same to Foundation`() throws {
        var fuzzer = Fuzzer("client-frames")
        try fuzzer.run { input, _ in
            guard let frame = try? ClientFrame(text: input) else { return nil }
            // Foundation refuses numbers that it cannot hold, and of a key given twice it may take the other value.
            guard let object = try? JSONSerialization.jsonObject(with: Data(input)) as? [String: Any] else {
                return input.contains { (0x30...0x39).contains($0) } ? nil : "taken, but no object to Foundation"
            }
            let quotes = input.count { $0 == UInt8(ascii: "\"") }
            switch frame {
            case .typing(let isTyping) where quotes == 6 && object["typing"] as? Bool != isTyping:
                return "another `typing`"
            case .auth(let token) where quotes == 8 && object["token"] as? String != token: return "another token"
            default: return nil
            }
        }
    }
}
