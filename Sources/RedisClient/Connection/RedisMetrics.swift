import Metrics

/// What a command connection counts.
struct CommandMetrics: Sendable {
    /// Connections made again after one was lost, by link.
    let reconnects: Counter
    /// Replies to commands.
    let commands: Counter
    /// Commands that were sent or queued and ended without a reply.
    let failures: Counter

    init(prefix: String) {
        reconnects = Counter(label: "\(prefix)_reconnects_total", dimensions: [("link", "commands")])
        commands = Counter(label: "\(prefix)_commands_total")
        failures = Counter(label: "\(prefix)_command_failures_total")
    }
}

/// What a subscriber connection counts.
struct SubscriptionMetrics: Sendable {
    /// Connections made again after one was lost, by link.
    let reconnects: Counter
    /// Published messages received.
    let messages: Counter
    /// Pushes of a shape that nobody waited for.
    let unexpected: Counter
    /// 1 while all wanted names are subscribed, else 0.
    let up: Gauge

    init(prefix: String) {
        reconnects = Counter(label: "\(prefix)_reconnects_total", dimensions: [("link", "subscription")])
        messages = Counter(label: "\(prefix)_messages_total")
        unexpected = Counter(label: "\(prefix)_unexpected_pushes_total")
        up = Gauge(label: "\(prefix)_subscription_up")
    }
}
