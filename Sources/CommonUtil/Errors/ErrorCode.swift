import HTTPTypes

/// What went wrong, in words that programs may compare: stable, snake_case, the `code` of an error answer.
public enum ErrorCode: String, Sendable, CaseIterable {
    case malformedRequest = "malformed_request"
    case malformedJSON = "malformed_json"
    case missingToken = "missing_token"
    case invalidToken = "invalid_token"
    case invalidCredentials = "invalid_credentials"
    case invalidRefreshToken = "invalid_refresh_token"
    case forbidden
    case notAMember = "not_a_member"
    case notAddable = "not_addable"
    case originNotAllowed = "origin_not_allowed"
    case notFound = "not_found"
    case roomNotFound = "room_not_found"
    case userNotFound = "user_not_found"
    case memberNotFound = "member_not_found"
    case messageNotFound = "message_not_found"
    case methodNotAllowed = "method_not_allowed"
    case usernameTaken = "username_taken"
    case roomExists = "room_exists"
    case roomArchived = "room_archived"
    case directRoom = "direct_room"
    case roomFull = "room_full"
    case tooManyRooms = "too_many_rooms"
    case alreadyMember = "already_member"
    case leftRoom = "left_room"
    case ownerRole = "owner_role"
    case messageDeleted = "message_deleted"
    case clientMessageIdReused = "client_message_id_reused"
    case bodyTooLarge = "body_too_large"
    case headerTooLarge = "header_too_large"
    case expectationFailed = "expectation_failed"
    case unsupportedMediaType = "unsupported_media_type"
    case validationFailed = "validation_failed"
    case upgradeRequired = "upgrade_required"
    case rateLimited = "rate_limited"
    case notImplemented = "not_implemented"
    case httpVersionNotSupported = "http_version_not_supported"
    case unavailable
    case internalError = "internal_error"

    public var status: HTTPResponse.Status {
        switch self {
        case .malformedRequest, .malformedJSON: .badRequest
        case .missingToken, .invalidToken, .invalidCredentials, .invalidRefreshToken: .unauthorized
        case .forbidden, .notAMember, .notAddable, .originNotAllowed: .forbidden
        case .notFound, .roomNotFound, .userNotFound, .memberNotFound, .messageNotFound: .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .usernameTaken, .roomExists, .roomArchived, .directRoom, .roomFull, .tooManyRooms, .alreadyMember,
            .leftRoom, .ownerRole, .messageDeleted, .clientMessageIdReused:
            .conflict
        case .bodyTooLarge: .contentTooLarge
        case .headerTooLarge: .requestHeaderFieldsTooLarge
        case .expectationFailed: .expectationFailed
        case .unsupportedMediaType: .unsupportedMediaType
        case .validationFailed: .unprocessableContent
        case .upgradeRequired: .upgradeRequired
        case .rateLimited: .tooManyRequests
        case .notImplemented: .notImplemented
        case .httpVersionNotSupported: .httpVersionNotSupported
        case .unavailable: .serviceUnavailable
        case .internalError: .internalServerError
        }
    }

    /// One line for people, the same for every occurrence (RFC 9457 section 3.1.3).
    public var title: String {
        switch self {
        case .malformedRequest: "The request is malformed"
        case .malformedJSON: "The body is not JSON"
        case .missingToken: "An access token is required"
        case .invalidToken: "The access token is not valid"
        case .invalidCredentials: "Wrong username or password"
        case .invalidRefreshToken: "The refresh token is not valid"
        case .forbidden: "Not allowed"
        case .notAMember: "Not a member of this room"
        case .notAddable: "The user does not let you add them to rooms"
        case .originNotAllowed: "This origin is not allowed"
        case .notFound: "Nothing is here"
        case .roomNotFound: "No such room"
        case .userNotFound: "No such user"
        case .memberNotFound: "No such member"
        case .messageNotFound: "No such message"
        case .methodNotAllowed: "This method is not allowed here"
        case .usernameTaken: "This username is taken"
        case .roomExists: "A room of this id exists"
        case .roomArchived: "The room is archived"
        case .directRoom: "A direct room has two members for good"
        case .roomFull: "The room has no place for more members"
        case .tooManyRooms: "The user is in too many rooms"
        case .alreadyMember: "Already a member"
        case .leftRoom: "The user left this room and comes back only by joining"
        case .ownerRole: "The owner's role cannot be changed this way"
        case .messageDeleted: "The message is deleted"
        case .clientMessageIdReused: "This clientMessageId was used for another message"
        case .bodyTooLarge: "The body is too large"
        case .headerTooLarge: "The request line and the header fields are too large"
        case .expectationFailed: "Only the expectation 100-continue is known"
        case .unsupportedMediaType: "The body must be application/json"
        case .validationFailed: "The request is not valid"
        case .upgradeRequired: "A WebSocket handshake is required"
        case .rateLimited: "Too many requests"
        case .notImplemented: "This server does not know how to do that"
        case .httpVersionNotSupported: "This server speaks HTTP/1.1"
        case .unavailable: "The service is not available right now"
        case .internalError: "Something went wrong on our side"
        }
    }
}
