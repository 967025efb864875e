import ChatEvents
import CommonUtil
import NIOConcurrencyHelpers
import ServiceLifecycle

/// Tells the others in a room how far somebody has read: for each reader and room the first receipt at once, and from
/// then on at most one a second, the furthest.
///
/// To be started after the ``EventPublisher`` that it speaks through, so that it is stopped before it.
public final class ReadReceiptPublisher: Service {
    private let windows: NIOLockedValueBox<ReadReceiptWindows>
    private let publish: @Sendable (EphemeralEvent) -> Void
    private let (opened, opener) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    /// - Parameters:
    ///   - interval: between two receipts of one reader in one room.
    ///   - capacity: readers that are thinned out at a time; further ones are told as they come.
    ///   - publish: must not block.
    public init(
        interval: Duration = .seconds(1), capacity: Int = 65_536, publish: @escaping @Sendable (EphemeralEvent) -> Void
    ) {
        windows = NIOLockedValueBox(ReadReceiptWindows(length: interval, capacity: capacity))
        self.publish = publish
    }

    public convenience init(_ publisher: EventPublisher) {
        self.init { publisher.publish($0) }
    }

    /// Notes how far somebody has read, and returns at once.
    public func note(_ receipt: ReadReceipt) {
        let (isDue, isFirst) = windows.withLockedValue { windows in
            let wasIdle = windows.nextEnd == nil
            return (windows.note(receipt, at: .now), wasIdle && windows.nextEnd != nil)
        }
        if isFirst { opener.yield() }
        if isDue { tell([receipt]) }
    }

    /// Closes windows until graceful shutdown; what waits then is told at once.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in self.opened {
                while let end = self.windows.withLockedValue(\.nextEnd) {
                    guard (try? await Task.sleep(until: end, clock: .continuous)) != nil else { return }
                    self.tell(self.windows.withLockedValue { $0.close(at: .now) })
                }
            }
        }
        tell(windows.withLockedValue { $0.closeAll() })
    }

    private func tell(_ receipts: [ReadReceipt]) {
        for receipt in receipts {
            publish(.read(receipt.roomID, receipt.userID, lastReadSeq: receipt.lastReadSeq, at: .now))
        }
    }
}
