import AsyncHTTPClient
import CommonUtil
import NIOHTTP1

extension S3Client {
    /// Stores a file in parts, one after the other. What was sent is thrown away where it fails.
    func putParts(_ key: String, of file: FilePart) async throws(S3Error) {
        let id = try await beginParts(key)
        do {
            var tags: [String] = []
            for range in UploadPlan.parts(size: file.range.count) {
                let part = FilePart(file: file.file, range: range)
                tags.append(try await putPart(key, id, number: tags.count + 1, part))
            }
            try await completeParts(key, id, tags, size: file.range.count)
        } catch {
            // Its own task: this one may be cancelled. What stays all the same, `abortUploads` removes.
            await Task { try? await abort(key, id) }.value
            throw error
        }
    }

    private func beginParts(_ key: String) async throws(S3Error) -> String {
        try await perform(S3Request(method: .POST, key: key, query: [("uploads", "")])) { response in
            guard let id = try await Self.document(response).text(of: "UploadId"), !id.isEmpty else {
                throw S3Failure.passing(.unavailable("the answer names no upload"))
            }
            return id
        }
    }

    /// - Returns: the part's tag.
    private func putPart(_ key: String, _ id: String, number: Int, _ part: FilePart) async throws(S3Error) -> String {
        let request = S3Request(
            method: .PUT, key: key, query: [("partNumber", "\(number)"), ("uploadId", id)], body: .file(part))
        return try await perform(request) { response in
            guard let tag = response.headers.first(name: "etag") else {
                throw S3Failure.passing(.unavailable("the answer has no tag"))
            }
            try await Self.drain(response)
            return tag
        }
    }

    private func completeParts(_ key: String, _ id: String, _ tags: [String], size: Int) async throws(S3Error) {
        let parts = tags.enumerated().map { index, tag in
            "<Part><PartNumber>\(index + 1)</PartNumber><ETag>\(XMLText.escaped(tag))</ETag></Part>"
        }
        let text = "<CompleteMultipartUpload>\(parts.joined())</CompleteMultipartUpload>"
        do {
            try await perform(
                S3Request(method: .POST, key: key, query: [("uploadId", id)], body: .bytes(Array(text.utf8)))
            ) { response in
                _ = try await Self.document(response)
            }
        } catch .refused(status: 404, let code) {
            // An attempt before, whose answer was lost, may have completed it.
            guard try await self.size(of: key) == size else { throw .refused(status: 404, code: code) }
        }
    }

    private func abort(_ key: String, _ id: String) async throws(S3Error) {
        do {
            try await perform(S3Request(method: .DELETE, key: key, query: [("uploadId", id)]), Self.drain)
        } catch .refused(status: 404, _) {
            // Somebody else has.
        }
    }

    /// Throws away the uploads in parts that were begun before a time and never completed.
    /// - Parameter prefix: the beginning of their keys.
    public func abortUploads(prefix: String, startedBefore time: Timestamp) async throws(S3Error) {
        var marker: (key: String, id: String)?
        repeat {
            let page = try await uploads(prefix: prefix, after: marker)
            for upload in page.uploads where upload.startedAt < time && upload.key.hasPrefix(prefix) {
                try await abort(upload.key, upload.id)
            }
            // A marker that does not move would never end.
            guard let next = page.next, marker.map({ $0 != next }) ?? true else { return }
            marker = next
        } while true
    }

    /// A page of the uploads in parts that have not been completed.
    func uploads(prefix: String, after marker: (key: String, id: String)? = nil) async throws(S3Error) -> UploadPage {
        var query = [("uploads", ""), ("max-uploads", "1000"), ("prefix", prefix)]
        if let marker { query += [("key-marker", marker.key), ("upload-id-marker", marker.id)] }
        return try await perform(S3Request(method: .GET, query: query)) { response in
            guard let page = UploadPage(try await Self.document(response)) else {
                throw S3Failure.passing(.unavailable("the answer is no list of uploads"))
            }
            return page
        }
    }
}
