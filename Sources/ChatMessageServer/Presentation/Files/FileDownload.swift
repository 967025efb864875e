import ChatFileStore
import ChatStorage
import CommonLogging
import CommonServer
import CommonUtil
import HTTPTypes
import Hummingbird

/// The response to a request for the bytes of a file.
struct FileDownload {
    private let file: ChatFile
    private let isHead: Bool
    private let selection: FileSelection

    init(file: ChatFile, _ request: Request) {
        self.file = file
        isHead = request.method == .head
        // RFC 9110 section 14.2: ranges are defined for GET alone.
        selection = FileSelection(
            .init(
                range: isHead ? nil : request.headers[.range], ifRange: request.headers[.ifRange],
                ifNoneMatch: request.headers[.ifNoneMatch]),
            size: file.size, tag: Self.tag(file))
    }

    private static func tag(_ file: ChatFile) -> String { "\"\(Hexadecimal.encode(file.sha256))\"" }

    /// - Parameter open: opens a part of the file.
    func response(
        _ context: ChatRequestContext, open: (ChatFile, Range<Int>) async throws -> FileBytes
    ) async throws -> Response {
        var headers: HTTPFields = [
            .eTag: Self.tag(file), .acceptRanges: "bytes", .cacheControl: "private, max-age=3600, immutable",
            // The fields of CORS are there for a request with `Origin` alone: an `<img>` has none, a later `fetch` has one.
            .vary: "Origin",
        ]
        let range: Range<Int>
        var status = HTTPResponse.Status.ok
        switch selection {
        case .unchanged:
            var response = Response(status: .notModified, headers: headers)
            // RFC 9110 section 8.6: it would be the size of the file.
            response.headers[.contentLength] = nil
            return response
        case .unsatisfiable:
            var response = ChatError(.rangeNotSatisfiable).response(traceID: context.trace.traceID)
            response.headers[.contentRange] = "bytes */\(file.size)"
            return response
        case .whole: range = 0..<file.size
        case .part(let part):
            range = part
            status = .partialContent
            headers[.contentRange] = "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(file.size)"
        }
        headers[.contentType] = file.mimeType
        let isInline = MediaType(rawValue: file.mimeType)?.isInline ?? false
        headers[.contentDisposition] = FileName.disposition(file.name, isInline: isInline)
        headers[.contentSecurityPolicy] = "sandbox; default-src 'none'"
        guard !isHead else {
            headers[.contentLength] = String(file.size)
            return Response(status: status, headers: headers)
        }
        return Response(
            status: status, headers: headers, length: range.count, streaming: try await open(file, range), context)
    }
}
