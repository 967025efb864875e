import CommonUtil

/// An object of a bucket.
public struct S3Object: Sendable, Hashable {
    public let key: String
    /// In bytes.
    public let size: Int
    public let modifiedAt: Timestamp
}

/// A page of a list of objects, in the order of their keys.
public struct S3Page: Sendable, Hashable {
    public let objects: [S3Object]
    /// Whether further ones follow.
    public let isTruncated: Bool

    /// Reads the answer of `ListObjectsV2`, whose keys are percent-encoded where it says so.
    init?(_ answer: XMLElement) {
        guard answer.name == "ListBucketResult", let isTruncated = answer.text(of: "IsTruncated") else { return nil }
        let isEncoded = answer.text(of: "EncodingType") == "url"
        var objects: [S3Object] = []
        for content in answer.children where content.name == "Contents" {
            guard
                let key = content.text(of: "Key").flatMap({
                    isEncoded ? PercentEncoding.decode($0, plusIsSpace: true) : $0
                }),
                let size = content.text(of: "Size").flatMap({ Int($0) }), size >= 0,
                let modifiedAt = content.text(of: "LastModified").flatMap(Timestamp.init(rfc3339:))
            else { return nil }
            objects.append(S3Object(key: key, size: size, modifiedAt: modifiedAt))
        }
        self.objects = objects
        self.isTruncated = isTruncated == "true"
    }
}

/// A page of the uploads in parts that have not been completed.
struct UploadPage: Equatable {
    struct Upload: Equatable {
        let key: String
        let id: String
        let startedAt: Timestamp
    }

    let uploads: [Upload]
    /// The upload after which the next page begins; `nil` on the last one.
    let next: (key: String, id: String)?

    init?(_ answer: XMLElement) {
        guard answer.name == "ListMultipartUploadsResult" else { return nil }
        var uploads: [Upload] = []
        for child in answer.children where child.name == "Upload" {
            guard let key = child.text(of: "Key"), let id = child.text(of: "UploadId"),
                let startedAt = child.text(of: "Initiated").flatMap(Timestamp.init(rfc3339:))
            else { return nil }
            uploads.append(Upload(key: key, id: id, startedAt: startedAt))
        }
        self.uploads = uploads
        if answer.text(of: "IsTruncated") == "true", let key = answer.text(of: "NextKeyMarker"), !key.isEmpty {
            next = (key, answer.text(of: "NextUploadIdMarker") ?? "")
        } else {
            next = nil
        }
    }

    static func == (a: Self, b: Self) -> Bool {
        a.uploads == b.uploads && a.next?.key == b.next?.key && a.next?.id == b.next?.id
    }
}

/// What follows from an answer that is not a success.
enum S3Failure: Error, Equatable {
    case final(S3Error)
    /// Another attempt may succeed.
    case passing(S3Error)

    var isPassing: Bool { if case .passing = self { true } else { false } }

    var error: S3Error {
        switch self {
        case .final(let error), .passing(let error): error
        }
    }

    /// - Parameters:
    ///   - status: not 200 to 299, or of an answer whose body is an error all the same.
    ///   - code: the store's own word.
    ///   - isHead: whether the answer had no body because the request was a `HEAD`.
    init(status: Int, code: String, isHead: Bool = false) {
        switch (status, code) {
        case (507, _), (_, "QuotaExceeded"), (_, "XMinioStorageFull"), (_, "XMinioAdminBucketQuotaExceeded"),
            (_, "InsufficientCapacity"), (_, "StorageFull"):
            self = .final(.full)
        case (404, "") where isHead, (404, "NoSuchKey"): self = .final(.notFound)
        // Not the store's answer: that of a proxy before it, which does not reach it.
        case (404, ""): self = .passing(.unavailable(S3Error.refused(status: status, code: code).description))
        case (412, _), (409, "ConditionalRequestConflict"): self = .final(.exists)
        case (408, _), (429, _), (500, _), (502..<600, _), (_, "RequestTimeout"), (_, "SlowDown"), (_, "InternalError"),
            (_, "OperationAborted"):
            self = .passing(.unavailable(S3Error.refused(status: status, code: code).description))
        default: self = .final(.refused(status: status, code: code))
        }
    }

    /// The code of an error's body: its letters and digits alone, since it goes to logs.
    static func code(_ body: [UInt8]) -> String {
        guard let error = XMLReader.read(body), error.name == "Error" else { return "" }
        return String((error.text(of: "Code") ?? "").filter { $0.isASCII && ($0.isLetter || $0.isNumber) }.prefix(64))
    }
}
