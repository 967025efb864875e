import NIOCore

/// Objects for which something is due at some tick from now: one timer for an event loop, not one for each object. A
/// turn costs what is due, not what there is. Confined to the event loop.
final class TickWheel<Member: AnyObject> {
    private let eventLoop: any EventLoop
    private let tick: TimeAmount
    /// Called once for each member that is due; by then it is no longer one.
    var onDue: (Member) -> Void = { _ in }
    private var slots: [[ObjectIdentifier: Member]]
    private var slotOfMember: [ObjectIdentifier: Int] = [:]
    /// Ticks in which there was someone to wait for.
    private(set) var now = 0
    private var timer: RepeatedTask?

    /// - Parameter longest: how many ticks a member can wait at most.
    init(eventLoop: any EventLoop, tick: TimeAmount, longest: Int) {
        self.eventLoop = eventLoop
        self.tick = tick
        slots = Array(repeating: [:], count: longest + 1)
    }

    func contains(_ member: Member) -> Bool { slotOfMember[ObjectIdentifier(member)] != nil }

    /// What was scheduled for this member before is forgotten.
    /// - Parameter ticks: at least one. The first of them may have begun already.
    func schedule(_ member: Member, in ticks: Int) {
        let key = ObjectIdentifier(member)
        let slot = (now + max(1, min(ticks, slots.count - 1))) % slots.count
        if let old = slotOfMember.updateValue(slot, forKey: key) { slots[old][key] = nil }
        slots[slot][key] = member
        startTimer()
    }

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
        // Here, not when the last one goes: members that come and go one by one would start it anew each time.
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
            // One that was cancelled, or scheduled anew, when another was due is not.
            guard slotOfMember[key] == slot else { continue }
            slotOfMember[key] = nil
            onDue(member)
        }
    }
}
