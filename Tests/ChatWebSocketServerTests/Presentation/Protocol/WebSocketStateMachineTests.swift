import NIOCore
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(2))) struct WebSocketStateMachineTests {
    private typealias Closing = WebSocketStateMachine.Closing

    private func events(_ machine: inout WebSocketStateMachine, _ bytes: [UInt8]) -> [WebSocketStateMachine.Event] {
        machine.append(ByteBuffer(bytes: bytes))
        var events: [WebSocketStateMachine.Event] = []
        while let event = machine.next() { events.append(event) }
        return events
    }

    private func message(_ text: String) -> WebSocketStateMachine.Event { .message(.text(ByteBuffer(string: text))) }

    @Test func `messages are returned in order`() {
        var machine = WebSocketStateMachine()
        #expect(events(&machine, text("a") + ping("p")) == [message("a"), .message(.ping(ByteBuffer(string: "p")))])
        #expect(events(&machine, text("b")) == [message("b")])
        #expect(machine.isOpen)
    }

    @Test(arguments: [nil, 1000, 4999] as [UInt16?])
    func `a peer's close frame is answered with its code, once, and nothing behind it is read`(code: UInt16?) {
        var machine = WebSocketStateMachine()
        let closing = Closing(endsSession: .normal, frame: WebSocketFrame.close(echoing: code), then: .close)
        #expect(events(&machine, close(code) + text("late")) == [.close(closing)])
        #expect(!machine.isOpen)
        #expect(events(&machine, text("later") + close(code)).isEmpty)
        #expect(machine.close(CloseReason(.restart, "")) == nil)
        #expect(machine.connectionClosed() == nil)
    }

    @Test func `a violation ends the session with its code, and what follows is dropped`() {
        var machine = WebSocketStateMachine()
        let reason = CloseReason(.protocolError, "client frames must be masked")
        let unmasked = ClientFrameBytes(payload: [0x61], mask: nil).bytes
        #expect(
            events(&machine, text("a") + unmasked + text("b")) == [
                message("a"),
                .close(
                    Closing(
                        endsSession: .protocolError, frame: WebSocketFrame.close(reason.code, reason: reason.reason),
                        then: .closeOutput)),
            ])
        #expect(events(&machine, text("c") + close(1000)).isEmpty)
    }

    @Test func `while the peer's close frame is awaited everything else is dropped`() {
        var machine = WebSocketStateMachine()
        let reason = CloseReason(.restart, "this server restarts")
        let frame = WebSocketFrame.close(.restart, reason: reason.reason)
        #expect(machine.close(reason) == Closing(endsSession: .restart, frame: frame, then: .awaitPeer))
        #expect(machine.close(reason) == nil)
        #expect(events(&machine, text("a") + ping() + close(1012)) == [.close(Closing(then: .close))])
        #expect(machine.connectionClosed() == nil)
    }

    @Test func `a violation while the peer's close frame is awaited sends no second one`() {
        var machine = WebSocketStateMachine()
        _ = machine.close(CloseReason(.restart, ""))
        #expect(events(&machine, [0xFF, 0xFF]) == [.close(Closing(then: .closeOutput))])
    }

    @Test func `a connection that closed ends the session once, and nothing more is read`() {
        var machine = WebSocketStateMachine()
        machine.append(ByteBuffer(bytes: text("a")))
        #expect(machine.connectionClosed() == .abnormal)
        #expect(machine.connectionClosed() == nil)
        #expect(machine.next() == nil)
        #expect(machine.close(CloseReason(.restart, "")) == nil)
    }
}
