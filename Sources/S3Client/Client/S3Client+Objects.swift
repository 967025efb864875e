import AsyncHTTPClient
import CommonUtil
import NIOCore
import NIOHTTP1

extension S3Client {
    /// Stores a local file under a key, in parts where it is large.
    public func put(_ key: String, fileAt path: String, size: Int) async throws(S3Error) {
        let file = FilePart(file: try await LocalFile(path: path, threads: threads), range: 0..<size)
        if size < configuration.multipartThreshold {
            try await put(key, .file(file))
        } else {
            try await putParts(key, of: file)
        }
    }

    /// Stores a few bytes under a key where there is no object yet.
    ///
    /// Stores that do not know the condition replace what another one has stored in the very same moment.
    /// - Throws: ``S3Error/exists`` where there is one.
    public func putIfAbsent(_ key: String, _ bytes: [UInt8]) async throws(S3Error) {
        guard try await size(of: key) == nil else { throw .exists }
        do {
            try await put(key, .bytes(bytes), headers: [("if-none-match", "*")])
        } catch .refused(status: 501, _) {
            try await put(key, .bytes(bytes))
        }
    }

    private func put(_ key: String, _ body: S3Body, headers: [(String, String)] = []) async throws(S3Error) {
        try await perform(S3Request(method: .PUT, key: key, headers: headers, body: body), Self.drain)
    }

    /// The size of an object in bytes; `nil` if there is none.
    public func size(of key: String) async throws(S3Error) -> Int? {
        do {
            return try await perform(S3Request(method: .HEAD, key: key)) { response in
                guard let size = response.headers.first(name: "content-length").flatMap({ Int($0) }) else {
                    throw S3Failure.final(.unavailable("the answer has no size"))
                }
                try await Self.drain(response)
                return size
            }
        } catch .notFound {
            return nil
        }
    }

    /// A part of an object.
    /// - Parameter range: not empty, within the object.
    /// - Returns: exactly these bytes; see ``S3ObjectBytes``.
    public func bytes(of key: String, in range: Range<Int>) async throws(S3Error) -> S3ObjectBytes {
        S3ObjectBytes(client: self, key: key, range: range, first: try await open(key, range))
    }

    /// A whole small object; `nil` if there is none.
    /// - Parameter limit: the longest that is read, in bytes.
    public func contents(of key: String, upTo limit: Int) async throws(S3Error) -> [UInt8]? {
        do {
            return try await perform(S3Request(method: .GET, key: key)) { response in
                do {
                    return Array(try await response.body.collect(upTo: limit).readableBytesView)
                } catch is NIOTooManyBytesError {
                    throw S3Failure.final(.unavailable("the object is too long"))
                }
            }
        } catch .notFound {
            return nil
        }
    }

    /// Asks for a part of an object.
    func open(_ key: String, _ range: Range<Int>) async throws(S3Error) -> HTTPClientResponse {
        let text = "bytes=\(range.lowerBound)-\(range.upperBound - 1)"
        return try await perform(S3Request(method: .GET, key: key, headers: [("range", text)])) { response in
            // A store may ignore the range, and give the whole from its beginning.
            let isWhole = response.status == .ok && range.lowerBound == 0
            let isRange =
                response.status == .partialContent
                && response.headers.first(name: "content-range")?.hasPrefix(
                    "bytes \(range.lowerBound)-\(range.upperBound - 1)/") == true
            let length = response.headers.first(name: "content-length").flatMap { Int($0) }
            guard isWhole || isRange, length ?? range.count == range.count else {
                throw S3Failure.final(.unavailable("the answer has another range"))
            }
            return response
        }
    }

    /// Removes an object. One that is not there is no error.
    public func remove(_ key: String) async throws(S3Error) {
        do {
            try await perform(S3Request(method: .DELETE, key: key), Self.drain)
        } catch .notFound {
        }
    }

    /// A page of the objects whose keys begin so, in the order of their keys.
    /// - Parameter key: the last one of the page before.
    public func list(prefix: String, after key: String? = nil) async throws(S3Error) -> S3Page {
        var query = [("list-type", "2"), ("encoding-type", "url"), ("max-keys", "1000"), ("prefix", prefix)]
        if let key { query.append(("start-after", key)) }
        return try await perform(S3Request(method: .GET, query: query)) { response in
            guard let page = S3Page(try await Self.document(response)) else {
                throw S3Failure.passing(.unavailable("the answer is no list of objects"))
            }
            return page
        }
    }
}
