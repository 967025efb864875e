import ChatEvents
import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct MessagePayloadTests {
    private func canonical(_ json: String, _ type: MessageType) throws -> String {
        guard case .object(let members) = try JSONParser.parse(Array(json.utf8)) else { return "no object" }
        return try MessagePayload.canonicalText(members, type: type)
    }

    private func fieldsAtFault(_ json: String, _ type: MessageType) throws -> [String] {
        do {
            _ = try canonical(json, type)
            return []
        } catch let error as ChatError {
            #expect(error.code == .validationFailed)
            return error.fieldErrors.map(\.field)
        }
    }

    @Test(arguments: [
        (#"{"text":"Hello"}"#, MessageType.text, #"{"text":"Hello"}"#),
        (#"{ "z" : 1.10 , "text":"a\/b", "a":[1e400,null] }"#, .text, #"{"a":[1e400,null],"text":"a/b","z":1.10}"#),
        (
            #"{"imageUrl":"https://example.org/a.png","width":0}"#, .image,
            #"{"imageUrl":"https://example.org/a.png","width":0}"#
        ),
        (
            #"{"fileUrl":"http://h/f","fileName":"f","fileSize":12}"#, .file,
            #"{"fileName":"f","fileSize":12,"fileUrl":"http://h/f"}"#
        ),
        (#"{"url":"http://h/v","durationSeconds":1.5}"#, .video, #"{"durationSeconds":1.5,"url":"http://h/v"}"#),
        (#"{"latitude":-90,"longitude":180.0}"#, .location, #"{"latitude":-90,"longitude":180.0}"#),
        (#"{"stickerId":"s"}"#, .sticker, #"{"stickerId":"s"}"#),
        (#"{}"#, .richContent, #"{}"#),
        // Two names, though Swift's strings are equal.
        (#"{"\u00e9":1,"e\u0301":2}"#, .richContent, "{\"e\u{301}\":2,\"\u{E9}\":1}"),
    ])
    func `a payload becomes compact text with sorted keys, its data untouched`(
        json: String, type: MessageType, text: String
    ) throws {
        #expect(try canonical(json, type) == text)
    }

    @Test(arguments: [
        (#"{}"#, MessageType.text, ["payload.text"]),
        (#"{"text":""}"#, .text, ["payload.text"]),
        (#"{"text":5}"#, .text, ["payload.text"]),
        (#"{"imageUrl":"ftp://h/a","width":-1}"#, .image, ["payload.imageUrl", "payload.width"]),
        (#"{"imageUrl":"not a url"}"#, .image, ["payload.imageUrl"]),
        (
            #"{"imageUrl":"https://h/\n","thumbnailUrl":"https://h/a b"}"#, .image,
            ["payload.imageUrl", "payload.thumbnailUrl"]
        ),
        (#"{"fileUrl":" https://h/","fileName":"f"}"#, .file, ["payload.fileUrl"]),
        (
            #"{"url":"https://h/\u0085","thumbnailUrl":"https://h/\u007f"}"#, .video,
            ["payload.url", "payload.thumbnailUrl"]
        ),
        (#"{"fileUrl":"http://h/f"}"#, .file, ["payload.fileName"]),
        (#"{"url":"http://h/v","durationSeconds":-1}"#, .audio, ["payload.durationSeconds"]),
        (#"{"latitude":90.1,"longitude":"0"}"#, .location, ["payload.latitude", "payload.longitude"]),
        (#"{"stickerId":null}"#, .sticker, ["payload.stickerId"]),
    ])
    func `a missing member of a payload is named`(json: String, type: MessageType, fields: [String]) throws {
        #expect(try fieldsAtFault(json, type) == fields)
    }

    @Test func `text is counted in Unicode scalars, up to 8,000`() throws {
        let longest = String(repeating: "é", count: 8_000)
        #expect(try canonical(#"{"text":"\#(longest)"}"#, .text).utf8.count == 16_011)
        #expect(try fieldsAtFault(#"{"text":"\#(longest)x"}"#, .text) == ["payload.text"])
    }

    @Test func `numbers of more than 64 digits are refused`() throws {
        let digits = String(repeating: "7", count: 64)
        #expect(try canonical(#"{"n":-\#(digits)}"#, .richContent) == #"{"n":-\#(digits)}"#)
        #expect(try fieldsAtFault(#"{"n":[{"m":\#(digits).5}]}"#, .richContent) == ["payload"])
    }
}
