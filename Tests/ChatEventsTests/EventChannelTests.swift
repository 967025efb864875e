import ChatEvents
import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct EventChannelTests {
    @Test(
        arguments: [
            ("chat:room:general", .room(RoomID(verified: "general"))),
            ("chat:room:a.B_9-", .room(RoomID(verified: "a.B_9-"))),
            ("chat:user:7", .user(UserID(7))), ("chat:user:9007199254740991", .user(UserID(UserID.largest))),
        ] as [(String, EventChannel)])
    func `name and channel are one`(name: String, channel: EventChannel) {
        #expect(EventChannel(name: name) == channel)
        #expect(channel.name == name)
    }

    @Test(arguments: [
        "", "chat", "chat:room:", "chat:room", "chat:room:a b", "chat:room:a:b", "chat:room:*", "chat:room:..",
        "chat:room:public", "chat:room:ä", "Chat:room:a", "xchat:room:a", "chat:user:", "chat:user:0", "chat:user:-1",
        "chat:user:+1", "chat:user:07", "chat:user:x", "chat:user:9223372036854775808", "chat:other:1",
        "chat:room:" + String(repeating: "x", count: 65),
    ])
    func `other channels are not ours`(name: String) {
        #expect(EventChannel(name: name) == nil)
    }

    @Test func `the patterns match every channel and nothing else of ours`() {
        #expect(EventChannel.patterns == ["chat:room:*", "chat:user:*"])
    }
}
