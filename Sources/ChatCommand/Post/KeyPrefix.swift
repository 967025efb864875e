import ArgumentParser

/// What the keys of a run's posts begin with.
struct KeyPrefix: ExpressibleByArgument, Equatable {
    private let text: String

    /// 1–48 of `A–Z a–z 0–9 . _ -`.
    init?(argument: String) {
        guard (1...48).contains(argument.utf8.count), argument.utf8.allSatisfy(RoomArgument.isAllowed) else {
            return nil
        }
        text = argument
    }

    /// The key of a line, from 1.
    func key(ofLine number: Int) -> String { "\(text)-\(number)" }
}
