import Foundation

/// A corpus-driven, mutating fuzzer: inputs are made of the files in `Tests/Fuzz/Corpus/TARGET`, and a property must
/// hold for each.
///
/// By default the same inputs each time, so that the result of a test run depends on the sources alone. `scripts/fuzz` runs
/// for some time (`CHAT_FUZZ_SECONDS`) with new inputs; `CHAT_FUZZ_SEED` repeats one of its runs. An input
/// for which the property does not hold is added to the corpus. The present input is always in
/// `.build/fuzz/TARGET`, so that it is known after a crash.
public struct Fuzzer {
    public struct Fault: Error, CustomStringConvertible {
        public let description: String
    }

    private static let maximumSize = 4_096
    private static let defaultSeed: UInt64 = 20_261_130
    private static let defaultCount = 5_000

    private let target: String
    private let corpus: URL
    private var random: FuzzGenerator
    private let seed: UInt64

    public init(_ target: String) {
        self.target = target
        let environment = ProcessInfo.processInfo.environment
        seed = environment["CHAT_FUZZ_SEED"].flatMap { UInt64($0) } ?? Self.defaultSeed
        random = FuzzGenerator(seed: seed)
        corpus = Self.corpus(target)
    }

    /// An input of a corpus.
    /// - Parameter name: its file's.
    public static func input(_ target: String, _ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: corpus(target).appending(path: name)))
    }

    private static func corpus(_ target: String) -> URL { root.appending(path: "Tests/Fuzz/Corpus/\(target)") }

    /// - Parameter property: gets an input and random numbers; answers what is wrong, if anything.
    /// - Returns: how many inputs were tried.
    @discardableResult
    public mutating func run(_ property: (_ input: [UInt8], _ random: inout FuzzGenerator) -> String?) throws -> Int {
        let files = try FileManager.default.contentsOfDirectory(at: corpus, includingPropertiesForKeys: nil)
        let seeds = try files.sorted { $0.path < $1.path }.map { Array(try Data(contentsOf: $0)) }
        guard !seeds.isEmpty else { throw Fault(description: "\(corpus.path) is empty") }
        let present = try PresentInput(folder: Self.root.appending(path: ".build/fuzz"), name: target)
        let seconds = ProcessInfo.processInfo.environment["CHAT_FUZZ_SECONDS"].flatMap { Int($0) }
        let end = seconds.map { ContinuousClock.now + .seconds($0) }
        var count = 0
        while count < seeds.count || (end.map { ContinuousClock.now < $0 } ?? (count < Self.defaultCount)) {
            let input = count < seeds.count ? seeds[count] : mutated(seeds)
            count += 1
            try present.write(input)
            guard let fault = property(input, &random) else { continue }
            let name = "found-\(seed)-\(count)"
            try Data(input).write(to: corpus.appending(path: name))
            throw Fault(description: "\(target), seed \(seed), input \(count) (now \(name) in the corpus): \(fault)")
        }
        print("fuzz \(target): \(count) inputs, seed \(seed)")
        return count
    }

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    // MARK: Mutation

    private mutating func mutated(_ seeds: [[UInt8]]) -> [UInt8] {
        var bytes = seeds.randomElement(using: &random) ?? []
        for _ in 0..<Int.random(in: 1...6, using: &random) { mutate(&bytes, seeds) }
        return Array(bytes.prefix(Self.maximumSize))
    }

    private static let interesting: [UInt8] =
        [0, 1, 0x7D, 0x7E, 0x7F, 0x80, 0xBF, 0xC0, 0xC2, 0xED, 0xF4, 0xFE, 0xFF] + Array(#"{}[]",:\/u+-.%&=*$0 "#.utf8)
        + [13, 10]

    private mutating func mutate(_ bytes: inout [UInt8], _ seeds: [[UInt8]]) {
        let start = Int.random(in: 0...bytes.count, using: &random)
        let end = min(bytes.count, start + Int.random(in: 0...16, using: &random))
        switch Int.random(in: 0..<7, using: &random) {
        case 0 where start < bytes.count: bytes[start] ^= 1 << UInt8.random(in: 0...7, using: &random)
        case 1 where start < bytes.count: bytes[start] = Self.interesting.randomElement(using: &random) ?? 0
        case 2: bytes.insert(Self.interesting.randomElement(using: &random) ?? 0, at: start)
        case 3: bytes.removeSubrange(start..<end)
        case 4: bytes.insert(contentsOf: bytes[start..<end], at: start)
        case 5:
            let other = seeds.randomElement(using: &random) ?? []
            bytes.insert(contentsOf: other.suffix(Int.random(in: 0...other.count, using: &random)), at: start)
        default: bytes.removeSubrange(end...)
        }
    }
}

/// The input that is being tried, in a file that outlives a crash.
private struct PresentInput {
    private let file: FileHandle

    init(folder: URL, name: String) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let path = folder.appending(path: name)
        try Data().write(to: path)
        file = try FileHandle(forWritingTo: path)
    }

    func write(_ bytes: [UInt8]) throws {
        try file.seek(toOffset: 0)
        try file.write(contentsOf: bytes)
        try file.truncate(atOffset: UInt64(bytes.count))
    }
}

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): the same numbers for the same seed.
public struct FuzzGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    /// Cuts bytes into pieces of random sizes.
    public mutating func pieces(_ bytes: [UInt8]) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let size = Int.random(in: 1...12, using: &self)
            pieces.append(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        return pieces
    }
}
