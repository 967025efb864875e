import ChatLocalStack
import Foundation

/// What concerns user sockets alone.
extension Fault {
    static let userSocketFaults = [membershipPushesDropped, userSocketsReturn]

    private static let membershipPushesDropped = Fault(
        name: "membership-pushes-dropped",
        summary: "All that Redis pushes about users (chat:user:*) is lost for 10 s; what it pushes about rooms is not",
        bounds: .init(delay: .fixed(.seconds(5)), refused: 0),
        signs: [.pushesDropped.required, .noted(reported).required], isInShortForm: true,
        inflict: { stage in
            let before = try await stage.load.membershipsTold
            try await stage.stack.redisOfWebSocketServers.set(.dropPushesOn(channelPrefix: "chat:user:"))
            try await stage.last(.seconds(10))
            stage.note(reported, try await stage.load.membershipsTold - before)
        }, heal: { try await $0.stack.redisOfWebSocketServers.set(.pass) })

    private static let reported = "memberships reported meanwhile"
    private static let missed = "events missed by each"
    private static let returned = "user sockets returned"
    private static let milliseconds = "ms of the return"

    private static let userSocketsReturn = Fault(
        name: "user-sockets-return",
        summary: "Users with 500 rooms come back at once after 50,000 events in 30 of them",
        shape: LoadShape(
            libraryClients: 1, returners: 10, roomsOfReturners: 500, missedEvents: 50_000, changedRooms: 30),
        bounds: .init(delay: .outage(plus: .seconds(5)), refused: 0),
        signs: [.noted(missed).required, .noted(returned).required, .framesReplayed.required], isInShortForm: true,
        shapeOfShortForm: LoadShape(
            libraryClients: 1, returners: 4, roomsOfReturners: 200, missedEvents: 6000, changedRooms: 20),
        inflict: { stage in
            let (load, postgres) = (stage.load, stage.processes.postgres)
            try await load.connectReturners(in: postgres)
            try await load.sendReturnersAway()
            stage.note(missed, try await load.appendMissedEvents(in: postgres))
            stage.note(returned, load.shape.returners)
            let begin = ContinuousClock.now
            try await load.bringReturnersBack()
            stage.note(milliseconds, Int((ContinuousClock.now - begin) / .milliseconds(1)))
        },
        examine: { history, stage in
            let shape = stage.load.shape
            let all = history.sessions.filter { $0.room.hasPrefix("\(stage.load.name)-own-") }
            let got = all.reduce(0) { $0 + $1.sightings.count }
            let due = (stage.notes[missed] ?? 0) * shape.returners
            let seconds = Double(stage.notes[milliseconds] ?? 0) / 1000
            return [
                Measure(text: "\(got) of \(due) missed events delivered", isWithinBound: got == due),
                Measure(
                    text: "\(all.count) of \(shape.returners * shape.roomsOfReturners) rooms kept",
                    isWithinBound: all.count == shape.returners * shape.roomsOfReturners),
                Measure(text: String(format: "all back after %.1f s", seconds)),
            ]
        })
}
