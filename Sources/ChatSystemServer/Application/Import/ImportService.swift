import ChatEventBus
import ChatStorage
import CommonAuth
import CommonUtil
import Logging

/// The use case of a backend that brings its users, rooms and history.
struct ImportService: Sendable {
    let imports: ImportRepository
    let keys: ServerKeyList
    let signIns: SignInService
    let publisher: EventPublisher
    /// Batches that are stored at a time, whatever the number of imports: others need the database, too.
    let batchLimiter = AsyncSemaphore(limit: 2)

    /// Begins an import.
    /// - Parameter caller: the key that it is made with. It is checked before each batch.
    func begin(by caller: KeyCaller, logger: Logger) -> ImportSession {
        ImportSession(self, caller, logger)
    }

    /// Stores a batch, and publishes what has changed.
    /// - Returns: the outcome of each line.
    fileprivate func store(_ batch: ImportBatch, of run: ImportRun, by key: ServerKey) async throws -> [ImportOutcome] {
        try await keys.requireInForce(key)
        let lines = batch.lines.compactMap { try? $0.content.get() }
        let committed = try await batchLimiter.run { try await imports.commit(lines, of: run) }
        publisher.publish(committed.events)
        publisher.publish(committed.userChanges)
        publisher.note(newRooms: committed.newRooms)
        for ended in committed.ended { signIns.announce(ended, .disabled) }
        var outcomes = committed.outcomes.makeIterator()
        return batch.lines.map { line in
            if case .failure(let error) = line.content { return .refused(error) }
            return outcomes.next() ?? .refused(ChatError(.internalError))
        }
    }
}

/// One import: takes the bytes of its body, and gives the lines of its answer.
struct ImportSession {
    /// Lines of the answer.
    enum Step {
        case goOn([UInt8])
        /// The last ones.
        case end([UInt8])
    }

    private let service: ImportService
    private let caller: KeyCaller
    private let logger: Logger
    private let run = ImportRun()
    private var batcher: ImportBatcher
    private var report = ImportReport()
    private var hasBegun = false

    fileprivate init(_ service: ImportService, _ caller: KeyCaller, _ logger: Logger) {
        self.service = service
        self.caller = caller
        self.logger = logger
        batcher = ImportBatcher(ImportLineReader(scopes: caller.key.scopes))
    }

    /// Takes bytes of the body, once ``next()`` has returned `nil`.
    mutating func receive(_ bytes: some Collection<UInt8>) { batcher.append(bytes) }

    /// Stores the next full batch.
    /// - Returns: `nil` if more bytes are needed.
    mutating func next() async -> Step? {
        guard let batch = batcher.next() else { return nil }
        return await step { session in .goOn(try await session.store(batch)) }
    }

    /// Stores what is left, at the end of the body.
    mutating func finish() async -> Step {
        await step { session in
            var text: [UInt8] = []
            if let batch = session.batcher.last() { text = try await session.store(batch) }
            do {
                try await session.service.imports.finish(session.run)
            } catch {
                // The last batch is committed, so what has become of its lines is said all the same.
                return .end(text + session.breakOff(error))
            }
            session.logger.info(
                "An import is done", metadata: ["lines": .stringConvertible(session.report.lastNumber)])
            return .end(text + session.report.done)
        }
    }

    private mutating func store(_ batch: ImportBatch) async throws -> [UInt8] {
        if !hasBegun {
            try await service.imports.deleteAbandonedReads()
            hasBegun = true
        }
        return report.add(batch, try await service.store(batch, of: run, by: caller.key))
    }

    /// Makes the last line of an import that cannot go on.
    private mutating func step(_ body: (inout ImportSession) async throws -> Step) async -> Step {
        do {
            return try await body(&self)
        } catch {
            return .end(breakOff(error))
        }
    }

    private func breakOff(_ error: any Error) -> [UInt8] {
        logger.warning(
            "An import was broken off",
            metadata: [
                "line": .stringConvertible(report.lastNumber), "reason": "\(error)",
            ])
        return report.brokenOff(error as? ChatError ?? ChatError(.internalError))
    }
}
