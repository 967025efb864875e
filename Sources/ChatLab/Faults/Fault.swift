import ChatLocalStack

/// A fault: how it is done to a running stack, how it is undone, and the bounds of its effects.
struct Fault: Sendable {
    struct Bounds: Sendable {
        enum Delay: Sendable {
            case fixed(Duration)
            /// The time from the beginning of the fault until it is healed, and more.
            case outage(plus: Duration)

            /// - Parameter outage: how long the fault took.
            func seconds(_ outage: Duration) -> Double {
                switch self {
                case .fixed(let time): time / .seconds(1)
                case .outage(let more): (outage + more) / .seconds(1)
                }
            }
        }

        /// The longest time from the first attempt to send a message to its arrival at any session.
        var delay: Delay?
        /// Posts that may be refused; nil for any number.
        var refused: Int?
        /// Uploads that may be refused, where that is another number.
        var uploadsRefused: Int?
        /// The longest time from the acknowledgement of a message to its arrival at any reader of the feed of changes.
        var feedDelay: Delay?
    }

    /// A figure measured beside the history, with its own bound.
    struct Measure: Sendable {
        var text: String
        var isWithinBound = true
    }

    var name: String
    var summary: String
    var shape = LoadShape(libraryClients: 1)
    /// Load without the fault, before it.
    var warmUp = Duration.seconds(2)
    /// The standby that PostgreSQL has; every server has the URL of both.
    var standby: FaultStack.Standby?
    /// PostgreSQL's data is on a disk of its own that can be filled.
    var hasSmallDisk = false
    var fileStore = FaultStack.FileStore.folder
    var bounds = Bounds()
    /// Counts that prove that the fault took effect. Those that are required must not be zero.
    var signs: [EffectCount]
    /// Further variables for single WebSocket servers, by their number from 0 on.
    var environmentOfWebSocketServer: [Int: [String: String]] = [:]
    /// Belongs to the short form that CI runs.
    var isInShortForm = false
    /// The load of the short form, where it is another one.
    var shapeOfShortForm: LoadShape?
    /// Does the fault, and returns when it is to be healed.
    var inflict: @Sendable (FaultStage) async throws -> Void
    var heal: @Sendable (FaultStage) async throws -> Void = { _ in }
    var examine: @Sendable (History, FaultStage) async throws -> [Measure] = { _, _ in [] }
}

extension Fault {
    /// All faults, in the order of the table.
    static let all =
        redisFaults + postgresFaults + serverFaults + fileFaults + changeFeedFaults + clientFaults + userSocketFaults
        + libraryClientFaults

    /// The reason why it cannot be done on this machine; nil if it can.
    func obstacle() async -> String? {
        if fileStore == .s3, !LocalS3Server.isAvailable { return "python3 is not installed, which runs an S3 server" }
        guard hasSmallDisk || fileStore == .smallDisk else { return nil }
        return await SmallDisk.obstacle()
    }

    /// The same fault with the load of the short form.
    var shortened: Fault {
        var fault = self
        fault.shape = shapeOfShortForm ?? shape
        fault.shape.libraryRooms = 2
        return fault
    }

    /// The faults of these names.
    /// - Throws: ``UnknownFault`` for an unknown name.
    static func named(_ names: [String]) throws -> [Fault] {
        try names.map { name in
            guard let fault = all.first(where: { $0.name == name }) else {
                throw UnknownFault(description: "There is no fault '\(name)'; `./chat faults --list` names them.")
            }
            return fault
        }
    }

    struct UnknownFault: Error, CustomStringConvertible {
        var description: String
    }
}
