import ChatLocalStack

/// The number of writers and readers of a run, and their rates.
struct LoadShape: Sendable {
    var rooms = 5
    var sessions = 60
    var writers = 30
    /// Messages that have to be acknowledged before a run ends.
    var messages = 5000
    /// Messages that are due each second from all writers together; each waits for its answer.
    var rate = 400
    /// One in this many messages of a writer goes out without a key, and is never repeated; 0 for none.
    var unkeyedEvery = 10
    /// One in this many messages of a writer is edited or, in turn, deleted as soon as it is acknowledged; 0 for none.
    var changeEvery = 15
    /// Live events from one `read` of a session to its next; 0 for none.
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

    /// A run of a few seconds.
    static let small = LoadShape(messages: 1000, rate: 400)

    /// How long a writer waits from one post to the next.
    var pace: Duration { .seconds(1) * writers / max(1, rate) }

    /// How long a churner waits from coming to going, and from going to coming.
    var churnPace: Duration { .seconds(1) * churners / max(1, churnRate) }
}
