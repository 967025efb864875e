import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct JSONWriterTests {
    private func text(_ write: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        write(&writer)
        return writer.text
    }

    @Test func `commas are set and values nested`() {
        let text = text { writer in
            writer.object { writer in
                writer.member("a", Int64.min)
                writer.member("b", true)
                writer.member("none", ifPresent: String?.none)
                writer.key("c")
                writer.array([1, 2] as [Int64]) { $0.integer($1) }
                writer.key("d")
                writer.array([[], ["x", "y"]]) { writer, row in writer.array(row) { $0.string($1) } }
                writer.key("e")
                writer.object { _ in }
                writer.key("f")
                writer.null()
                writer.key("g")
                writer.raw(#"{"z":1}"#.utf8)
                writer.member("h", "")
            }
        }
        #expect(
            text
                == #"{"a":-9223372036854775808,"b":true,"c":[1,2],"d":[[],["x","y"]],"e":{},"f":null,"g":{"z":1},"h":""}"#
        )
    }

    /// A string that ends in what looks like structure must not confuse the commas.
    @Test func `strings that end in brackets are no structure`() {
        #expect(text { $0.array(["[", "{", ":", "\""]) { $0.string($1) } } == #"["[","{",":","\""]"#)
    }

    @Test func `names from clients are escaped`() throws {
        let written = text { writer in
            writer.object {
                $0.key(JSONKey("a\"\n")); $0.null()
            }
        }
        #expect(written == #"{"a\"\n":null}"#)
        let value = try JSONParser.parse(Array(#"{"\"b":1,"a":{"\u0001":2}}"#.utf8))
        #expect(value.canonicalText == #"{"\"b":1,"a":{"\u0001":2}}"#)
    }

    @Test func `characters that need it are escaped`() throws {
        let every = String(String.UnicodeScalarView((0...0x7F).compactMap(Unicode.Scalar.init(_:)))) + "é😀\u{2028}"
        let written = text { $0.string(every) }
        #expect(try JSONParser.parse(Array(written.utf8)) == .string(every))
        #expect(text { $0.string("\u{1}\u{1F}\n\"\\/") } == #""\u0001\u001f\n\"\\/""#)
    }

    @Test(arguments: [
        (#" { "b" : [ 1.10 , -0 , 1e400 ] , "a" : "\u00e9\/" } "#, #"{"a":"é/","b":[1.10,-0,1e400]}"#),
        (#"{"\u0061":1,"a":2}"#, #"{"a":2}"#), ("[null,true,false,{}]", "[null,true,false,{}]"),
    ])
    func `canonical text is compact and sorted`(text: String, canonical: String) throws {
        let value = try JSONParser.parse(Array(text.utf8))
        #expect(value.canonicalText == canonical)
        #expect(try JSONParser.parse(Array(canonical.utf8)) == value)
    }

    @Test func `U+0000 and long numbers are found`() throws {
        func value(_ text: String) throws -> JSONValue { try JSONParser.parse(Array(text.utf8)) }
        #expect(try value(#"{"a":[{"b\u0000":1}]}"#).containsNUL)
        #expect(try value(#"{"a":["\u0000"]}"#).containsNUL)
        #expect(try !value(#"{"a":["0"]}"#).containsNUL)
        #expect(try value(#"{"a":[-12.34e56, 1]}"#).longestNumber == 6)
        #expect(try value(#"["123456"]"#).longestNumber == 0)
    }
}
