/// The error of every call of this library.
public struct ChatError: Error, Sendable {
    /// A stable name: one of the server's codes or one of this library's own.
    public struct Code: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral {
        /// The name in snake_case.
        public let rawValue: String
        /// Creates a code, such as one of the server's.
        public init(rawValue: String) { self.rawValue = rawValue }
        /// Creates a code, such as one of the server's.
        public init(stringLiteral text: String) { rawValue = text }

        /// The server could not be reached, or the connection ended before its answer.
        public static let network: Code = "network"
        /// No answer came in time.
        public static let timeout: Code = "timeout"
        /// The client was closed, or its `run()` has ended.
        public static let closed: Code = "closed"
        /// Nobody is signed in.
        public static let signedOut: Code = "signed_out"
        /// The store could not be read or written.
        public static let storeFailed: Code = "store_failed"
        /// The server's answer violates the contract.
        public static let `protocol`: Code = "protocol"
        /// The server has another log than the position is of.
        public static let logMismatch: Code = "log_mismatch"
        /// A message is larger than the server takes.
        public static let tooLarge: Code = "too_large"
        /// The post was discarded, or refused; it is not stored and never will be.
        public static let notStored: Code = "not_stored"
        /// There are posts that are not sent.
        public static let unsent: Code = "unsent"
        /// The server failed at this post again and again while it answered others.
        public static let serverError: Code = "server_error"
        /// Another reader has the same name.
        public static let inUse: Code = "in_use"
        /// The key was used for other content.
        public static let clientMessageIDReused: Code = "client_message_id_reused"
        /// There is no such room, or it is hidden from this user.
        public static let roomNotFound: Code = "room_not_found"
        /// The upload under the same key has not ended.
        public static let uploadInProgress: Code = "upload_in_progress"
        /// The file is larger than the server takes.
        public static let fileTooLarge: Code = "file_too_large"
        /// The user's file quota is used up.
        public static let fileQuota: Code = "file_quota"
        /// The servers take no files.
        public static let filesOff: Code = "files_off"
        /// The configuration or an argument cannot be used.
        public static let invalid: Code = "invalid"
    }

    /// The kind of error.
    public let code: Code
    /// One sentence for people.
    public let message: String
    /// The HTTP status, if there was a response.
    public let status: Int?
    /// The server's id of the request, to find it in the server's logs.
    public let traceID: String?
    /// The delay that the server asks for before the next attempt (`Retry-After`), in milliseconds.
    public let retryAfterMilliseconds: Int64?
    /// Whether the same call can succeed later.
    public let isTemporary: Bool
    /// The error that caused this one.
    public let cause: (any Error)?

    /// Creates an error.
    public init(
        _ code: Code, _ message: String, status: Int? = nil, traceID: String? = nil,
        retryAfterMilliseconds: Int64? = nil, isTemporary: Bool = false, cause: (any Error)? = nil
    ) {
        self.code = code
        self.message = message
        self.status = status
        self.traceID = traceID
        self.retryAfterMilliseconds = retryAfterMilliseconds
        self.isTemporary = isTemporary
        self.cause = cause
    }
}

extension ChatError: CustomStringConvertible {
    /// The code and the message.
    public var description: String {
        let status = status.map { " (\($0))" } ?? ""
        return "\(code.rawValue)\(status): \(message)"
    }
}

extension ChatError {
    /// Whether an HTTP status says that the same call never succeeds. After 401 it is made with another token.
    static func isFinal(status: Int) -> Bool {
        (400..<500).contains(status) && ![401, 408, 425, 429].contains(status)
    }

    static func network(_ cause: any Error) -> ChatError {
        if let error = cause as? ChatError { return error }
        return ChatError(.network, "The server cannot be reached: \(cause)", isTemporary: true, cause: cause)
    }

    static let timeout = ChatError(.timeout, "No answer came in time", isTemporary: true)
    static let cut = ChatError(.network, "The connection ended before the whole answer came", isTemporary: true)
    static let closed = ChatError(.closed, "The client is closed")
}
