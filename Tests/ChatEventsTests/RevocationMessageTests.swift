import ChatEvents
import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct RevocationMessageTests {
    private let end = Timestamp(microseconds: 1_800_000_900_123_000)

    @Test func `is read as it was written`() {
        let message = RevocationMessage([
            Revocation(userID: UserID(7), scope: .signIn(SignInID(.max)), expiresAt: end),
            Revocation(
                userID: UserID(8), scope: .unnamed(issuedUpTo: Timestamp(microseconds: 1_800_000_000_001_000)),
                expiresAt: end),
        ])
        #expect(
            String(decoding: message.jsonBytes, as: UTF8.self) == """
                {"revocations":[{"userId":7,"sid":"9223372036854775807","expiresAt":"2027-01-15T08:15:00.123Z"},\
                {"userId":8,"issuedUpTo":"2027-01-15T08:00:00.001Z","expiresAt":"2027-01-15T08:15:00.123Z"}]}
                """)
        #expect(RevocationMessage(json: message.jsonBytes) == message)
    }

    @Test func `is not on the channel of a room or a user`() {
        #expect(EventChannel(name: RevocationMessage.channel) == nil)
    }

    @Test(arguments: [
        "", "{}", "[]", #"{"revocations":{}}"#, #"{"revocations":[7]}"#, #"{"revocations":[{}]}"#,
        #"{"revocations":[{"userId":7,"sid":"1"}]}"#,
        #"{"revocations":[{"userId":7,"expiresAt":"2027-01-15T08:15:00.123Z"}]}"#,
        #"{"revocations":[{"userId":0,"sid":"1","expiresAt":"2027-01-15T08:15:00.123Z"}]}"#,
        #"{"revocations":[{"userId":7,"sid":"x","expiresAt":"2027-01-15T08:15:00.123Z"}]}"#,
        #"{"revocations":[{"userId":7,"sid":"1","expiresAt":"tomorrow"}]}"#,
        #"{"revocations":[],"revocations":[]}"#,
    ])
    func `a malformed message is refused`(text: String) {
        #expect(RevocationMessage(json: Array(text.utf8)) == nil)
    }

    @Test func `has a bound`() {
        let one = Revocation(userID: UserID(UserID.largest), scope: .signIn(SignInID(.max)), expiresAt: end)
        let most = RevocationMessage(Array(repeating: one, count: RevocationMessage.maximumCount))
        #expect(RevocationMessage(json: most.jsonBytes) == most && most.jsonBytes.count < 65_536)
        let more = RevocationMessage(most.revocations + [one])
        #expect(RevocationMessage(json: more.jsonBytes) == nil)
    }
}
