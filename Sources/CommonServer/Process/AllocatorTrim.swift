import Glibc
import NIOPosix
import Synchronization

/// Gives memory that large answers have used back to the system: malloc(3) keeps what is freed below its top.
final class AllocatorTrim: Sendable {
    private static let interval = Duration.seconds(5)

    /// malloc_trim(3), which Glibc's module does not show; other C libraries may have none.
    private static let trim: (@convention(c) (Int) -> CInt)? = dlsym(nil, "malloc_trim").map {
        unsafeBitCast($0, to: (@convention(c) (Int) -> CInt).self)
    }

    private let isDue = Mutex(false)

    /// At most once in five seconds, and not on an event loop: it takes the locks of all arenas for milliseconds.
    func trimSoon() {
        let isFirst = isDue.withLock { isDue in
            defer { isDue = true }
            return !isDue
        }
        guard isFirst else { return }
        Task {
            try? await Task.sleep(for: Self.interval)
            self.isDue.withLock { $0 = false }
            _ = try? await NIOThreadPool.singleton.runIfActive { Self.trim?(0) }
        }
    }
}
