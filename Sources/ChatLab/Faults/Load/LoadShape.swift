import ChatLocalStack

/// How many write and read in one run, and how fast.
struct LoadShape: Sendable {
    var rooms = 5
    var sessions = 60
    var writers = 30
    /// So many messages have to be acknowledged before a run ends.
    var messages = 5000
    /// Messages that are due each second from all writers together; each waits for its answer.
    var rate = 400
    /// Every so many messages of a writer go out without a key, and never again.
    var unkeyedEvery = 10
    /// Every so many messages of a writer are edited or, in turn, deleted as soon as they are acknowledged.
    var changeEvery = 15
    /// A session tells how far it has read after so many live events; 0 for never.
    var readEvery = 40
    /// Users who come into a room and leave it, again and again.
    var churners = 5
    /// Comings and goings that are due each second from all churners together.
    var churnRate = 5
    /// Bytes that are added to each payload.
    var filler = 0
    /// All sessions are on the first WebSocket server instead of on any.
    var usesOneWebSocketServer = false
    /// The mistake of a client (or of a server) that repeats a post without a key: for the self-proof.
    var repeatsAnUnkeyedPost = false

    /// What makes a run of a few seconds.
    static let small = LoadShape(messages: 1000, rate: 400)

    /// How long a writer waits from one post to the next.
    var pace: Duration { .seconds(1) * writers / max(1, rate) }

    /// How long a churner waits from coming to going, and from going to coming.
    var churnPace: Duration { .seconds(1) * churners / max(1, churnRate) }
}
