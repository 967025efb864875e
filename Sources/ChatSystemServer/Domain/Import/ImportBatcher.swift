import ChatStorage
import CommonUtil

/// Lines of an import that share a transaction.
struct ImportBatch {
    /// A line with its number, the first being 1: what it describes, or why it is refused.
    typealias Line = (number: Int, content: Result<ImportLine, ChatError>)

    fileprivate(set) var lines: [Line] = []
    /// The number of the last line.
    var lastNumber: Int { lines.last?.number ?? 0 }
    /// Whether a line with the sums follows the batch in the answer.
    fileprivate(set) var endsSum = false
    fileprivate var bytes = 0
}

/// Makes batches of the bytes of an import. Pure.
///
/// Blank lines are passed over, but count in the numbers of the lines behind them.
struct ImportBatcher {
    /// Lines of a batch, at most.
    static let maximumLines = 1_000
    /// Size of the lines of a batch after which no further one is added. Lines of ordinary length stay below it.
    static let fullBytes = 1_024 * 1_024

    private let reader: ImportLineReader
    private let now: @Sendable () -> Timestamp
    private var splitter = LineSplitter(maximumBytes: ImportLineReader.maximumBytes)
    private var batch = ImportBatch()
    private var number = 0
    private var count = 0

    init(_ reader: ImportLineReader, now: @escaping @Sendable () -> Timestamp = { .now }) {
        self.reader = reader
        self.now = now
    }

    /// Adds bytes, once ``next()`` has returned `nil`.
    mutating func append(_ bytes: some Collection<UInt8>) { splitter.append(bytes) }

    /// Takes the next full batch.
    /// - Returns: `nil` if more bytes are needed.
    mutating func next() -> ImportBatch? {
        while let line = splitter.next() {
            add(line)
            if batch.endsSum || batch.bytes >= Self.fullBytes { return take() }
        }
        return nil
    }

    /// Takes the last batch, behind which no more bytes come.
    /// - Returns: `nil` if there are no more lines.
    mutating func last() -> ImportBatch? {
        if let line = splitter.last() { add(line) }
        return batch.lines.isEmpty ? nil : take()
    }

    private mutating func take() -> ImportBatch {
        defer { batch = ImportBatch() }
        return batch
    }

    private mutating func add(_ line: LineSplitter.Line) {
        number += 1
        let content: Result<ImportLine, ChatError>
        switch line {
        case .tooLarge:
            content = .failure(
                ChatError(.lineTooLarge, "A line has at most \(ImportLineReader.maximumBytes) bytes"))
        case .text(let bytes):
            guard !bytes.allSatisfy(Self.isBlank) else { return }
            batch.bytes += bytes.count
            content = Result { () throws(ChatError) in try reader.read(bytes, now: now()) }
        }
        batch.lines.append((number, content))
        count += 1
        batch.endsSum = count.isMultiple(of: Self.maximumLines)
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
    }
}
