import ChatLocalStack

/// The number of writers and readers of a run, and their rates.
struct LoadShape: Sendable {
    var rooms = 5
    /// Sessions of one room.
    var sessions = 60
    /// One in this many of them is an event stream; 0 for none.
    var streamEvery = 6
    /// User sockets of users who are members of all rooms; each churner has one as well.
    var userSockets = 6
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
    /// Clients that upload files and name them in messages.
    var uploaders = 4
    /// Uploads that are due each second from all of them together.
    var uploadRate = 2
    /// Bytes that are added to each payload.
    var filler = 0
    /// All sessions are on the first WebSocket server instead of on any.
    var usesOneWebSocketServer = false
    /// The mistake of a client (or of a server) that repeats a post without a key: for the self-proof.
    var repeatsAnUnkeyedPost = false

    /// The mistake of a store that loses the bytes of two files, one of which a message names: for the self-proof.
    var losesFiles = false

    /// Stores of processes with a client library, of each language.
    var libraryClients = 0
    /// How many of them are shared by two processes.
    var sharedStores = 0
    /// How many rooms of the load they read, beside their own.
    var libraryRooms = Int.max
    /// How often they are killed in all, where that is the fault.
    var clientKills = 0
    /// Mistakes that they make, one after the other, for the self-proof.
    var libraryMistakes: [LibraryClient.Mistake] = []

    /// How often a message server is killed that has a lease of the feed of changes, where that is the fault.
    var holderKills = 0
    /// How often a message server is killed that has an upload, where that is the fault.
    var uploadKills = 0
    /// How long the store of files is away in each way, where that is the fault.
    var storeOutage = Duration.zero
    /// How often the receiver of the webhook is killed, how long it refuses, and how long its answers take, where that is
    /// the fault.
    var receiverKills = 0
    var receiverRefusal = Duration.zero
    var receiverAnswerTime = Duration.zero

    /// Users with rooms of their own, which the writers do not write into, and the number of those rooms.
    var returners = 0
    var roomsOfReturners = 0
    /// Events that those users miss, and in how many of their rooms.
    var missedEvents = 0
    var changedRooms = 0
    /// Whether sessions keep and send marks. Without, they behave as if no server had said that a log is another one: for
    /// the self-proof.
    var checksMarks = true

    /// Whether the user socket of this number is an event stream instead. The cursor of a stream has marks in it, so a
    /// client that does not heed them has none.
    func isUserStream(_ number: Int) -> Bool { checksMarks && streamEvery > 0 && number % 3 == 2 }

    /// A run of a few seconds.
    static let small = LoadShape(messages: 1000, rate: 400)

    /// How long a writer waits from one post to the next.
    var pace: Duration { .seconds(1) * writers / max(1, rate) }

    /// How long an uploader waits from one file to the next.
    var uploadPace: Duration { .seconds(1) * uploaders / max(1, uploadRate) }

    /// How long a churner waits from coming to going, and from going to coming.
    var churnPace: Duration { .seconds(1) * churners / max(1, churnRate) }
}
