/// Files.
extension ChatCore {
    /// Time without progress after which an upload has failed, in milliseconds.
    private static let stall: Int64 = 60_000
    /// Timeout of the upload of a thumbnail, in milliseconds.
    private static let thumbnailTimeout: Int64 = 20_000
    private static let maximumResponseBytes = 65_536

    /// Uploads a file and its thumbnail. An upload that breaks is repeated until the task is cancelled or `run()` ends.
    /// - Parameter key: the same key is the same upload.
    nonisolated func upload(
        _ file: OutgoingFile, to roomID: String, key: String, onProgress: @escaping @Sendable (UploadProgress) -> Void
    ) async throws -> UploadedFile {
        guard file.contentType.isHeaderValue else {
            throw ChatError(.invalid, "Invalid media type: \(file.contentType)")
        }
        let path = Self.uploadPath(roomID, name: file.name)
        let headers: [(name: String, value: String)] = [("content-type", file.contentType), ("idempotency-key", key)]
        return try await untilEnd { [self] in
            let uploaded = try await uploadRepeatedly {
                try await send(try await UploadBody(file.source), path, headers, onProgress)
            }
            if let thumbnail = file.thumbnail { await add(thumbnail, to: uploaded, in: roomID) }
            try Task.checkCancellation()
            return uploaded
        }
    }

    /// Makes attempts until the server has stored the file or refused it.
    private nonisolated func uploadRepeatedly(
        _ attempt: () async throws -> ClientResponse
    ) async throws -> UploadedFile {
        var upload = Upload(random: random)
        while true {
            switch try await upload.step(after: attempt) {
            case .stored(let uploaded): return uploaded
            case .retry(let milliseconds): try await Task.sleep(for: .milliseconds(milliseconds))
            case .failed(let error): throw error
            }
        }
    }

    /// Uploads the thumbnail with one attempt. A failure is ignored, since the file is usable without it.
    private nonisolated func add(_ thumbnail: [UInt8], to file: UploadedFile, in roomID: String) async {
        let path = "\(Self.uploadPath(roomID, name: "thumbnail"))&thumbnailOf=\(file.fileID.percentEncoded)"
        _ = try? await withDeadline(milliseconds: Self.thumbnailTimeout) { [self] in
            try await send(UploadBody(thumbnail), path, [("content-type", "application/octet-stream")]) { _ in }
        }
    }

    private static func uploadPath(_ roomID: String, name: String) -> String {
        "/api/v1/files?roomId=\(roomID.percentEncoded)&name=\(name.percentEncoded)"
    }

    private nonisolated func send(
        _ body: UploadBody, _ path: String, _ headers: [(name: String, value: String)],
        _ onProgress: @escaping @Sendable (UploadProgress) -> Void
    ) async throws -> ClientResponse {
        try await authorized { [self] token in
            var call = HTTPCall(method: .post, server: try await addresses().messages, path: path)
            call.headers = await authorization(token) + headers
            call.timeoutMilliseconds = Self.stall
            call.maximumResponseBytes = Self.maximumResponseBytes
            return try await transport.upload(call, body) { sent in
                onProgress(UploadProgress(sent: sent, total: body.size))
            }
        }
    }

    /// The files of these ids, in their order, without those that the user may not see.
    nonisolated func files(_ ids: [String]) async throws -> [StoredFile] {
        let list = ids.map(\.percentEncoded).joined(separator: ",")
        let json = try await rest(.get, .messages, "/api/v1/files?ids=\(list)")
        let server = try await addresses().messages
        return (json["items"]?.array ?? []).compactMap { $0.object.flatMap { StoredFile(json: $0, server: server) } }
    }

    /// Runs an operation only as long as the client does.
    /// - Throws: ``ChatError`` with code `closed` once `run()` has ended.
    nonisolated func untilEnd<Result: Sendable>(
        _ operation: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        let before = ends.value
        guard await !hasRun else { throw ChatError.closed }
        return try await withLimit(
            { [ends] in
                for await count in LatestValues(source: ends) where count != before { throw ChatError.closed }
                throw CancellationError()
            }, operation)
    }
}

extension Upload {
    /// Makes one attempt, and returns what follows from its outcome.
    /// - Throws: `CancellationError`.
    mutating func step(after attempt: () async throws -> ClientResponse) async throws -> Step {
        do {
            return answered(try await attempt())
        } catch let error as ChatError {
            return failed(error)
        }
    }
}

extension String {
    /// Whether it can be the value of an HTTP field: visible ASCII characters, and spaces between them.
    fileprivate var isHeaderValue: Bool {
        !isEmpty && utf8.count <= 255 && utf8.allSatisfy { (0x20...0x7E).contains($0) }
            && !hasPrefix(" ") && !hasSuffix(" ")
    }
}
