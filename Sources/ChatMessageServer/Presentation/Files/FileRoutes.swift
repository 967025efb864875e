import ChatStorage
import CommonAuth
import CommonServer
import CommonUtil
import HTTPTypes
import Hummingbird

/// The routes of files.
enum FileRoutes {
    private static let path = FileURLSigner.path
    private static let maximumIDs = 100

    /// - Parameters:
    ///   - files: `nil` if there are no files (`files_off`).
    ///   - authenticator: of readers, who can also come with a signed URL alone.
    static func add(to routes: inout Routes, _ files: FileParts?, authenticator: Authenticator) {
        routes.postUpload(path, scope: .messages) { request, context in
            let files = try required(files)
            let asked = try upload(request, by: context.requireUser().userID)
            let (file, isNew) = try await files.uploads.upload(asked) { request.uploadedBytes(context) }
            return Response(json: files.service.view(file), status: isNew ? .created : .ok)
        }
        routes.get(path, authenticated: true, scope: .messages) { request, context in
            let files = try required(files)
            return Response(json: try await files.service.files(ids(request), for: context.requireUser().userID))
        }
        routes.get(path + "/{id}/info", authenticated: true, scope: .messages) { _, context in
            let service = try required(files).service
            return Response(
                json: service.view(try await service.file(context.fileID(), for: context.requireUser().userID)))
        }
        let readLimit = routes.readLimit
        let trustedProxies = files?.trustedProxies ?? []
        routes.get(path + "/{id}", countsItself: true) { request, context in
            let service = try required(files).service
            let fileID = try context.fileID()
            let reader: FileReader
            do {
                reader = try await FileReader(request, fileID, urls: service.urls, authenticator)
            } catch {
                try await readLimit?.check(request, context, reader: nil)
                throw error
            }
            try await readLimit?.check(request, context, reader: reader.userID)
            let counted =
                reader.userID.map(DownloadReader.user)
                ?? .address(context.countedAddress(headers: request.headers, trustedProxies: trustedProxies))
            return try await reader.read {
                try await FileDownload(file: service.file(fileID, for: reader.userID), request)
                    .response(context) {
                        try await service.bytes(
                            of: $0, $1, for: counted, cut: context.connectionAbort,
                            waiting: { try await reader.waiting($0) })
                    }
            }
        }
        routes.delete(path + "/{id}", authenticated: true, scope: .messages) { _, context in
            try await required(files).service.delete(context.fileID(), by: context.requireUser().userID)
            return .noContent
        }
    }

    private static func required(_ files: FileParts?) throws(ChatError) -> FileParts {
        guard let files else { throw ChatError(.filesOff) }
        return files
    }

    /// Reads `roomId`, `name`, `thumbnailOf` and the headers of an upload.
    private static func upload(_ request: Request, by userID: UserID) throws(ChatError) -> UploadService.Request {
        var query = QueryReader(request)
        let roomID = query.optionalString("roomId", length: 0...Int.max).flatMap { RoomID($0) }
        if roomID == nil { query.note("roomId", "is required, and must be \(RoomID.rule)") }
        let name = query.optionalString("name", length: 0...Int.max)
        if !(name.map(FileName.isValid) ?? false) { query.note("name", "is required, and \(FileName.requirement)") }
        let original = query.optionalString(UploadRules.thumbnailField, length: 0...Int.max)
        let thumbnailOf = original.flatMap { FileID($0) }
        if original != nil, thumbnailOf == nil { query.note(UploadRules.thumbnailField, "must be \(FileID.rule)") }
        let key = request.headers[.idempotencyKey]
        if let key, !UploadRules.isIdempotencyKey(key) {
            query.note("Idempotency-Key", UploadRules.idempotencyKeyRequirement)
        }
        try query.finish()
        guard let roomID, let name else { throw ChatError(invalid: query.errors) }
        return UploadService.Request(
            roomID: roomID, name: name, thumbnailOf: thumbnailOf, uploaderID: userID, key: key,
            declaredType: request.headers[.contentType], length: request.announcedLength,
            waitsForContinue: request.headers[.expect] != nil)
    }

    /// Reads `ids`, a comma list. What is no id is nobody's file.
    private static func ids(_ request: Request) throws(ChatError) -> [FileID] {
        var query = QueryReader(request)
        let texts = (query.optionalString("ids", length: 0...Int.max) ?? "").split(separator: ",")
        if !(1...maximumIDs).contains(texts.count) { query.note("ids", "must name 1–\(maximumIDs) files") }
        try query.finish()
        return texts.compactMap { FileID($0) }
    }
}

/// What the routes of files need.
struct FileParts: Sendable {
    let uploads: UploadService
    let service: FileService
    let trustedProxies: [AddressRange]
}

extension ChatRequestContext {
    /// The parameter of the path as a file's id.
    /// - Throws: `file_not_found` for what is none.
    fileprivate func fileID() throws(ChatError) -> FileID {
        guard let fileID = FileID(try pathParameter("id")) else { throw ChatError(.fileNotFound) }
        return fileID
    }
}

extension HTTPField.Name {
    static let idempotencyKey = HTTPField.Name(constant: "Idempotency-Key")
}
