import NIOCore

/// Sends one request at a time to any of some servers, over a connection that it keeps while that lasts. Confined to its
/// event loop.
final class FaultCaller {
    enum Outcome {
        case answered(HTTPResponse)
        /// The connection ended, or the time was up: it may have been done or not.
        case unanswered
        /// No server could be reached, so nothing has been sent.
        case unreached
    }

    private let answerTime: TimeAmount
    private let ports: [Int]
    private let eventLoop: any EventLoop
    private var client: ChatHTTPClient?
    /// The port of the server that it is connected to, or was.
    private(set) var server = 0

    /// - Parameter answerTime: how long it waits for an answer before it gives up the connection.
    init(ports: [Int], eventLoop: any EventLoop, answerTime: TimeAmount = .seconds(5)) {
        self.answerTime = answerTime
        self.ports = ports
        self.eventLoop = eventLoop
    }

    /// - Parameter onSent: what is to be done once the request is on its way.
    func call(
        _ request: ByteBuffer, onSent: @escaping (ChatHTTPClient) -> Void = { _ in },
        then completion: @escaping (Outcome) -> Void
    ) {
        if let client { return send(request, client, onSent, completion) }
        guard let port = ports.randomElement() else { return completion(.unreached) }
        let me = NIOLoopBound(self, eventLoop: eventLoop)
        ChatHTTPClient.connect(port: port, on: eventLoop) { me.value.client = $0 }
            .assumeIsolated()
            .whenComplete { result in
                self.server = port
                guard case .success = result, let client = self.client else { return completion(.unreached) }
                self.send(request, client, onSent, completion)
            }
    }

    func close() {
        client?.close()
        client = nil
    }

    private func send(
        _ request: ByteBuffer, _ client: ChatHTTPClient, _ onSent: (ChatHTTPClient) -> Void,
        _ completion: @escaping (Outcome) -> Void
    ) {
        let timeout = eventLoop.assumeIsolated().scheduleTask(in: answerTime) { client.close() }
        client.send(request) { response in
            timeout.cancel()
            guard let response else {
                self.client = nil
                return completion(.unanswered)
            }
            completion(.answered(response))
        }
        onSent(client)
    }
}
