import ChatTestSupport
import CommonUtil
import Testing

@testable import S3Client

@Suite(.timeLimit(.minutes(2))) struct XMLReaderTests {
    private func read(_ text: String) -> XMLElement? { XMLReader.read(Array(text.utf8)) }

    @Test func `reads elements and text`() {
        let document = read(
            """
            \u{FEFF}<?xml version="1.0" encoding="UTF-8"?>
            <!-- a list -->
            <s3:List xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Key>a&amp;b&#x20;&#252;&lt;</Key><Empty/><Empty a="b" />
            <Key><![CDATA[<c>&amp;]]></Key></s3:List>
            """)
        #expect(document?.name == "List")
        #expect(document?.children.map(\.name) == ["Key", "Empty", "Empty", "Key"])
        #expect(document?.text(of: "Key") == "a&b ü<")
        #expect(document?.children.last?.text == "<c>&amp;")
        #expect(document?.text(of: "Other") == nil)
    }

    @Test(arguments: [
        "", " ", "text", "<a>", "<a><b></a></b>", "</a>", "<a></b>", "<a>&unknown;</a>", "<a>&amp</a>",
        "<a>&#xD800;</a>",
        "<a>&#99999999999;</a>", "<a", "<", "<>", "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "<?xml", "<a><!-- </a>",
        "<![CDATA[x]]>", "text<a/>", "<html><body>502 Bad Gateway<br></body></html>", "{\"a\": 1}",
    ])
    func `refuses what is no such document`(text: String) { #expect(read(text) == nil) }

    @Test func `refuses bytes that are not UTF-8, and elements without end`() {
        #expect(XMLReader.read(Array("<a>".utf8) + [0xFF] + Array("</a>".utf8)) == nil)
        #expect(read(String(repeating: "<a>", count: 16) + String(repeating: "</a>", count: 16)) != nil)
        #expect(read(String(repeating: "<a>", count: 17) + String(repeating: "</a>", count: 17)) == nil)
        #expect(read(String(repeating: "<a>", count: 100_000)) == nil)
    }

    @Test func `whatever comes, it ends`() throws {
        var fuzzer = Fuzzer("xml")
        try fuzzer.run { input, _ in
            guard let document = XMLReader.read(input) else { return nil }
            _ = S3Page(document)
            _ = UploadPage(document)
            return document.name.isEmpty ? "an element without a name" : nil
        }
    }

    // MARK: Answers

    @Test func `reads a list of objects`() throws {
        let page = try #require(
            read(String(decoding: try Fuzzer.input("xml", "objects"), as: UTF8.self)).flatMap(S3Page.init))
        let time = try #require(Timestamp(text: "2009-10-12T17:50:30.000Z"))
        #expect(
            page.objects == [
                S3Object(key: "files/a", size: 434_234, modifiedAt: time),
                S3Object(key: "files/b ü", size: 0, modifiedAt: time),
            ])
        #expect(page.isTruncated)
    }

    @Test func `reads a list of uploads`() throws {
        let page = try #require(
            read(String(decoding: try Fuzzer.input("xml", "uploads"), as: UTF8.self)).flatMap(UploadPage.init))
        #expect(page.uploads.map(\.id) == ["one", "two"])
        #expect(page.next?.key == "files/b")
        #expect(page.next?.id == "two")
    }

    @Test(arguments: [
        "<Other/>", "<ListBucketResult/>",
        "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key></Contents></ListBucketResult>",
        """
        <ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key><Size>-1</Size>\
        <LastModified>2009-10-12T17:50:30.000Z</LastModified></Contents></ListBucketResult>
        """,
        """
        <ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated><Contents><Key>%zz</Key><Size>1</Size>\
        <LastModified>2009-10-12T17:50:30.000Z</LastModified></Contents></ListBucketResult>
        """,
    ])
    func `a list that lacks something is none`(text: String) { #expect(read(text).flatMap(S3Page.init) == nil) }

    @Test func `errors are distinguished`() {
        func error(_ status: Int, _ code: String) -> S3Failure { S3Failure(status: status, code: code) }
        #expect(S3Failure(status: 404, code: "", isHead: true) == .final(.notFound))
        #expect(error(404, "").isPassing)
        #expect(error(404, "NoSuchKey") == .final(.notFound))
        #expect(error(404, "NoSuchBucket") == .final(.refused(status: 404, code: "NoSuchBucket")))
        #expect(error(403, "SignatureDoesNotMatch") == .final(.refused(status: 403, code: "SignatureDoesNotMatch")))
        #expect(error(403, "QuotaExceeded") == .final(.full))
        #expect(error(507, "") == .final(.full))
        #expect(error(412, "PreconditionFailed") == .final(.exists))
        #expect(error(301, "PermanentRedirect") == .final(.refused(status: 301, code: "PermanentRedirect")))
        for (status, code) in [(500, ""), (503, "SlowDown"), (400, "RequestTimeout"), (429, ""), (504, "")] {
            #expect(error(status, code).isPassing)
        }
    }

    @Test func `of an error's body only the code goes on`() {
        let body = "<Error><Code>Access\n Denied%s</Code><AWSAccessKeyId>secret</AWSAccessKeyId></Error>"
        #expect(S3Failure.code(Array(body.utf8)) == "AccessDenieds")
        #expect(S3Failure.code(Array("<html/>".utf8)) == "")
        #expect(
            S3Failure.code(Array("<Error><Code>\(String(repeating: "a", count: 1_000))</Code></Error>".utf8)).count
                == 64)
    }
}
