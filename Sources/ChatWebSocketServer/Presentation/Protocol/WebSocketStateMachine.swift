import NIOCore

/// The protocol of one WebSocket after the handshake: incoming frames, the closing handshake in both directions, and the
/// response to violations (RFC 6455 sections 5 and 7). Pure: no I/O.
struct WebSocketStateMachine {
    /// What the peer sent.
    enum Event: Equatable {
        case message(WebSocketFrameParser.Message)
        /// The peer ended the connection, by a close frame or by breaking the protocol.
        case close(Closing)
    }

    /// Steps with which the owner ends the connection: report the end of the session, send the frame, then the last step.
    struct Closing: Equatable {
        /// The last step.
        enum Step: Equatable {
            /// Wait for the peer's close frame, with a timeout.
            case awaitPeer
            /// Close the output side; what the peer still sends is read and dropped. Unread bytes would reset the
            /// connection, and the reason might be lost.
            case closeOutput
            case close
        }

        /// How the session ended; `nil` if that was reported before.
        var endsSession: CloseCode?
        /// The close frame to send; `nil` if one was sent before.
        var frame: ByteBuffer?
        var then: Step
    }

    private enum State {
        case open
        /// A close frame was sent; only the peer's is awaited.
        case closing
        case closed
    }

    private var parser: WebSocketFrameParser
    private var state = State.open
    /// Whether the peer broke the protocol or sent a close frame: what it still sends is dropped.
    private var ignoresInput = false

    init(takesBinary: Bool = false) { parser = WebSocketFrameParser(takesBinary: takesBinary) }

    /// Whether no close frame was sent or received.
    var isOpen: Bool { state == .open }

    // MARK: Input

    /// Takes bytes of the peer.
    mutating func append(_ bytes: ByteBuffer) {
        if !ignoresInput { parser.append(bytes) }
    }

    /// Decodes the next event; `nil` if more bytes are needed.
    mutating func next() -> Event? {
        do throws(CloseReason) {
            while !ignoresInput, state != .closed, let message = try parser.next() {
                switch message {
                case .close(let code): return .close(peerClosed(with: code))
                case .text, .binary, .ping, .pong, .fragment: if isOpen { return .message(message) }
                }
            }
            return nil
        } catch {
            return .close(fail(error))
        }
    }

    // MARK: The end

    /// Starts the closing handshake; `nil` if the connection is ending already.
    mutating func close(_ reason: CloseReason) -> Closing? {
        guard isOpen else { return nil }
        state = .closing
        return Closing(
            endsSession: reason.code, frame: WebSocketFrame.close(reason.code, reason: reason.reason), then: .awaitPeer)
    }

    /// Ends the connection because of what the peer did (RFC 6455 section 7.1.7).
    mutating func fail(_ reason: CloseReason) -> Closing {
        ignoreInput()
        var closing = close(reason) ?? Closing(then: .closeOutput)
        closing.then = .closeOutput
        return closing
    }

    /// Ends the connection without a closing handshake.
    /// - Returns: how the session ended; `nil` if that was reported before.
    mutating func connectionClosed() -> CloseCode? {
        defer { state = .closed }
        ignoreInput()
        return isOpen ? .abnormal : nil
    }

    /// The answer to a peer's close frame carries the same code (RFC 6455 section 5.5.1).
    private mutating func peerClosed(with code: UInt16?) -> Closing {
        ignoreInput()
        guard isOpen else { return Closing(then: .close) }
        state = .closing
        return Closing(endsSession: .normal, frame: WebSocketFrame.close(echoing: code), then: .close)
    }

    private mutating func ignoreInput() {
        ignoresInput = true
        parser = WebSocketFrameParser()
    }
}
