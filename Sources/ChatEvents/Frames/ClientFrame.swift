import CommonUtil

/// A frame that a client sends over its socket.
public enum ClientFrame: Equatable, Sendable {
    case ping
    /// The user starts or stops typing.
    case typing(Bool)
    /// The user has read up to this `seq`.
    case read(Seq)
    /// A fresh token for the open socket.
    case auth(token: String)

    private enum Kind: String, CaseIterable {
        case ping, typing, read, auth
    }

    /// All values of `type`.
    public static var types: [String] { Kind.allCases.map(\.rawValue) }

    /// Reads a text frame.
    /// - Throws: the error for the `error` event.
    public init(text: [UInt8]) throws(FrameError) {
        var (fields, kind) = try FrameFields.read(text, Kind.self)
        let frame: ClientFrame? =
            switch kind {
            case .ping: .ping
            case .typing: fields.bool(EventKey.typing).map { .typing($0) }
            case .read: fields.integer(EventKey.seq, in: 0...Seq.max).map { .read($0) }
            case .auth: FrameFields.token(&fields).map { .auth(token: $0) }
            }
        guard let frame, fields.errors.isEmpty else { throw FrameError(.invalidField, fields.incomplete.detail) }
        self = frame
    }
}
