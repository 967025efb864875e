import ChatLocalStack

/// What concerns the feed of changes and webhooks.
extension Fault {
    static let changeFeedFaults = [leaseHolderKilled, webhookReceiver]

    /// The contract's bound for killed servers, from the answer to a post until every reader of the feed has it.
    static let longestFeedStall = Bounds.Delay.fixed(.seconds(5))

    private static let sequencerKilled = "killed with the lease of the feed"
    private static let dispatcherKilled = "killed with the lease of a webhook"

    /// Kills by turns the server that appends the feed and the one that delivers to the webhook, and leaves it away for
    /// longer than the other one may take to take over.
    private static let leaseHolderKilled = Fault(
        name: "lease-holder-killed",
        summary: "Of two message servers the one that has the lease of the feed, or of the webhook, is killed",
        shape: LoadShape(libraryClients: 1, holderKills: 8),
        bounds: .init(delay: .fixed(.seconds(10)), feedDelay: longestFeedStall),
        signs: [.noted(sequencerKilled).required, .noted(dispatcherKilled).required, .postsRetried],
        isInShortForm: true,
        shapeOfShortForm: LoadShape(libraryClients: 1, holderKills: 2),
        inflict: { stage in
            for number in 0..<stage.load.shape.holderKills {
                let isSequencer = number.isMultiple(of: 2)
                let holder = try await holder(
                    isSequencer ? "chat_changes_sequencer" : "chat_webhooks_held", stage)
                try await holder.kill()
                stage.note(isSequencer ? sequencerKilled : dispatcherKilled)
                try await stage.last(.seconds(6))
                try await holder.start()
                try await stage.last(.seconds(1))
            }
        })

    /// The message server whose gauge is not 0.
    private static func holder(_ gauge: String, _ stage: FaultStage) async throws -> LocalServer {
        let deadline = ContinuousClock.now + .seconds(15)
        while true {
            for server in stage.processes.messageServers
            where await stage.stack.total(gauge, of: [server]) > 0 { return server }
            guard ContinuousClock.now < deadline else {
                throw LocalStackError("No message server has \(gauge) above 0")
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    private static let receiverKilled = "receivers killed"
    private static let refused = "deliveries refused with 500"
    private static let slow = "slow answers"
    private static let redirected = "deliveries redirected"
    private static let slowAnswers = 3

    /// All that a receiver may do wrong, one after the other. It gets over each before the next begins.
    private static let webhookReceiver = Fault(
        name: "webhook-receiver",
        summary: "The receiver of a webhook is killed in mid-answer, answers 500, is slow, redirects",
        shape: LoadShape(
            rate: 100, libraryClients: 1, receiverKills: 50, receiverRefusal: .seconds(60),
            receiverAnswerTime: .seconds(10)),
        bounds: .init(delay: .fixed(.seconds(5)), refused: 0),
        signs: [
            .noted(receiverKilled).required, .noted(refused).required, .noted(slow).required,
            .noted(redirected).required,
        ],
        isInShortForm: true,
        shapeOfShortForm: LoadShape(
            rate: 100, libraryClients: 1, receiverKills: 5, receiverRefusal: .seconds(4),
            receiverAnswerTime: .seconds(2)),
        inflict: { stage in
            let (feed, shape) = (stage.changeFeed, stage.load.shape)
            let receiver = feed.receiver
            for number in 0..<shape.receiverKills {
                let points = WebhookReceiver.DeathPoint.allCases
                try await kill(at: points[number % points.count], stage)
            }
            receiver.behave(.refuse(status: 500))
            try await stage.last(shape.receiverRefusal)
            receiver.behave(.accept)
            // By then the next attempt can be as far away as they were answered 500.
            try await waitForNext(stage, within: shape.receiverRefusal + .seconds(30))
            stage.note(refused, receiver.record.refused)

            receiver.behave(.accepts(after: shape.receiverAnswerTime))
            for _ in 0..<slowAnswers {
                try await waitForNext(stage, within: shape.receiverAnswerTime + .seconds(30))
                stage.note(slow)
            }
            receiver.behave(.redirect)
            try await feed.waitForReceiver("been asked where it redirects", within: .seconds(30)) { $0.redirected > 1 }
            receiver.behave(.accept)
            try await waitForNext(stage, within: .seconds(30))
            stage.note(redirected, receiver.record.redirected)
        })

    /// Kills the receiver at the next delivery, starts it again, and waits until it has accepted one.
    private static func kill(at point: WebhookReceiver.DeathPoint, _ stage: FaultStage) async throws {
        let (receiver, deaths) = (stage.changeFeed.receiver, stage.changeFeed.receiver.record.deaths)
        receiver.behave(.die(point))
        try await stage.changeFeed.waitForReceiver("been killed", within: .seconds(30)) { $0.deaths > deaths }
        stage.note(receiverKilled)
        try await stage.last(.milliseconds(.random(in: 50...500)))
        try await receiver.begin()
        try await waitForNext(stage, within: .seconds(30))
    }

    /// Waits until the receiver accepts one more delivery.
    private static func waitForNext(_ stage: FaultStage, within time: Duration) async throws {
        let accepted = stage.changeFeed.receiver.record.accepted
        try await stage.changeFeed.waitForReceiver("accepted a delivery", within: time) { $0.accepted > accepted }
    }
}
