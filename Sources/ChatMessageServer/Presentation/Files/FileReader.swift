import ChatStorage
import CommonAuth
import CommonServer
import CommonUtil
import HTTPTypes
import Hummingbird

/// Who reads the bytes of a file: a user by a token, or whoever has its signed URL.
struct FileReader: Sendable {
    /// The user whose rooms count; `nil` for a reader with a good signature, who may read the file in any case.
    let userID: UserID?
    private let caller: Caller?

    /// A good signature is enough, whatever token comes with it; a good token makes up for a bad or expired signature.
    /// - Throws: `missing_token` (401) without either; `bad_signature`, `url_expired` (403); the errors of the authenticator.
    init(_ request: Request, _ fileID: FileID, urls: FileURLs, _ authenticator: Authenticator) async throws {
        var query = QueryReader(request)
        let expires = query.optionalString(FileURLSigner.expiresField, length: 0...Int.max)
        let signature = query.optionalString(FileURLSigner.signatureField, length: 0...Int.max)
        var refusal: ChatError?
        if expires != nil || signature != nil {
            switch await urls.check(fileID, expires: expires, signature: signature) {
            case .good:
                (userID, caller) = (nil, nil)
                return
            case .expired: refusal = ChatError(.urlExpired)
            case .bad: refusal = ChatError(.badSignature)
            }
        }
        do {
            let caller = try await authenticator.authenticate(headers: request.headers, scope: .messages)
            (userID, self.caller) = (caller.user.userID, caller)
        } catch {
            throw refusal ?? error
        }
    }

    /// Waits for a place among the downloads. Meanwhile the call of the reader's key, if there is one, counts as a waiting one.
    func waiting<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
        guard let call = caller?.key?.call else { return try await body() }
        return try await call.waiting(for: .download, body)
    }

    /// Runs something while the call of the reader's key, if there is one, is in progress.
    func read<Result>(_ body: () async throws -> Result) async throws -> Result {
        defer { withExtendedLifetime(caller) {} }
        return try await body()
    }
}
