import NIOCore

/// A timer wheel: calls back for members that are due after some ticks. One timer for an event loop, not one for each member; a
/// turn takes time for the members that are due, not for all. Confined to the event loop.
final class TimerWheel<Member: AnyObject> {
    private let eventLoop: any EventLoop
    private let tick: TimeAmount
    /// Called once for each member that is due, after it was removed.
    var onDue: (Member) -> Void = { _ in }
    private var slots: [[ObjectIdentifier: Member]]
    private var slotOfMember: [ObjectIdentifier: Int] = [:]
    /// Ticks in which the wheel had members.
    private(set) var now = 0
    private var timer: RepeatedTask?

    /// - Parameters:
    ///   - tick: interval between two ticks.
    ///   - longest: ticks that a member can wait at most.
    init(eventLoop: any EventLoop, tick: TimeAmount, longest: Int) {
        self.eventLoop = eventLoop
        self.tick = tick
        slots = Array(repeating: [:], count: longest + 1)
    }

    /// Whether a member is scheduled.
    func contains(_ member: Member) -> Bool { slotOfMember[ObjectIdentifier(member)] != nil }

    /// Schedules a member, instead of when it was scheduled before.
    /// - Parameter ticks: at least one. The first of them may have begun already.
    func schedule(_ member: Member, in ticks: Int) {
        let key = ObjectIdentifier(member)
        let slot = (now + max(1, min(ticks, slots.count - 1))) % slots.count
        if let old = slotOfMember.updateValue(slot, forKey: key) { slots[old][key] = nil }
        slots[slot][key] = member
        startTimer()
    }

    /// Removes a member.
    func cancel(_ member: Member) {
        let key = ObjectIdentifier(member)
        if let slot = slotOfMember.removeValue(forKey: key) { slots[slot][key] = nil }
    }

    private func startTimer() {
        guard timer == nil else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        timer = eventLoop.scheduleRepeatedTask(initialDelay: tick, delay: tick) { _ in bound.value.turn() }
    }

    private func turn() {
        // Here, not when the last member is removed: members that come and go one by one would restart it each time.
        guard !slotOfMember.isEmpty else {
            timer?.cancel()
            timer = nil
            return
        }
        now += 1
        let slot = now % slots.count
        let due = slots[slot]
        slots[slot] = [:]
        for (key, member) in due {
            // The callback for another member may have cancelled or rescheduled this one.
            guard slotOfMember[key] == slot else { continue }
            slotOfMember[key] = nil
            onDue(member)
        }
    }
}
