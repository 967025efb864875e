import CommonUtil
import Synchronization
import Testing

@testable import CommonAuth

@Suite(.timeLimit(.minutes(2))) struct PasswordTests {
    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// RFC 7914 section 12.
    @Test func `the vectors of the RFC are derived`() throws {
        let first = try Scrypt.derive(password: [], salt: [], n: 16, r: 1, p: 1, count: 64)
        #expect(
            hex(first) == "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
                + "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906")
        let third = try Scrypt.derive(
            password: Array("pleaseletmein".utf8), salt: Array("SodiumChloride".utf8), n: 16_384, r: 8, p: 1, count: 64)
        #expect(
            hex(third) == "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
                + "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887")
    }

    /// OpenSSL's own bound would refuse this one: it takes 128 MiB.
    @Test func `the default cost is not refused`() throws {
        let key = try Scrypt.derive(password: [1], salt: [2], n: 1 << 17, r: 8, p: 1, count: 32)
        #expect(key.count == 32)
    }

    @Test func `wrong parameters fail`() {
        #expect(throws: Scrypt.Failure.self) {
            try Scrypt.derive(password: [1], salt: [2], n: 15, r: 8, p: 1, count: 32)
        }
    }

    @Test func `hashes are verified`() async throws {
        let hasher = PasswordHasher(cost: 12)
        let first = try await hasher.hash("correct horse", from: "a")
        let second = try await hasher.hash("correct horse", from: "a")
        #expect(first.hasPrefix("$scrypt$ln=12,r=8,p=1$") && first != second)
        #expect(try await hasher.verify("correct horse", against: first, from: "a"))
        #expect(try await !hasher.verify("correct hors", against: first, from: "a"))
        #expect(try await !hasher.verify("", against: first, from: "a"))
        #expect(try await !hasher.verifyAgainstNothing("correct horse", highestCost: nil, from: "a"))
        #expect(!hasher.needsRehash(first))
        await hasher.shutdown()

        let stronger = PasswordHasher(cost: 13)
        #expect(stronger.needsRehash(first) && stronger.needsRehash("rubbish"))
        #expect(try await stronger.verify("correct horse", against: first, from: "a"))
        await stronger.shutdown()
        await #expect {
            try await stronger.hash("x", from: "a")
        } throws: { ($0 as? ChatError)?.code == .unavailable }
    }

    @Test func `a team behind one address logs in at once`() async throws {
        let hasher = PasswordHasher(cost: 12)
        try await withThrowingTaskGroup { group in
            for _ in 0..<32 { group.addTask { _ = try await hasher.hash("x", from: "office") } }
            try await group.waitForAll()
        }
        await hasher.shutdown()
    }

    @Test func `the queue is bounded for each address`() async throws {
        let hasher = PasswordHasher(cost: 12)
        let codes = await withTaskGroup(of: (address: String, code: ErrorCode?).self) { group in
            for number in 0..<200 {
                group.addTask {
                    // One of many, and one who asks for little.
                    let address = number % 50 == 0 ? "calm" : "busy"
                    do throws(ChatError) {
                        _ = try await hasher.hash("x", from: address)
                        return (address, nil)
                    } catch {
                        return (address, error.code)
                    }
                }
            }
            return await group.reduce(into: [String: [ErrorCode?]]()) { $0[$1.address, default: []].append($1.code) }
        }
        #expect(codes["calm"] == [nil, nil, nil, nil])
        #expect(codes["busy"]?.contains(nil) == true)
        #expect(codes["busy"]?.contains(.unavailable) == true)
        // There is room again.
        #expect(try await hasher.hash("x", from: "busy").hasPrefix("$scrypt$"))
        await hasher.shutdown()
    }

    /// The work of scrypt grows with 2 to the cost, so the runs of a wrong password have to add up to the highest cost.
    @Test(arguments: [(12, 14), (14, 12)])
    func `a wrong password costs what the costliest hash does`(_ stored: Int, _ own: Int) async throws {
        let costs = Mutex<[Int]>([])
        let hasher = PasswordHasher(cost: own, onDerive: { cost in costs.withLock { $0.append(cost) } })
        func work(_ check: () async throws -> Bool) async throws -> (answer: Bool, work: Int) {
            costs.withLock { $0 = [] }
            return (try await check(), costs.withLock { $0 }.reduce(0) { $0 + 1 << $1 })
        }
        let storing = PasswordHasher(cost: stored)
        let hash = try await storing.hash("right", from: "a")
        let highest = max(stored, own)
        let right = try await work { try await hasher.verify("right", against: hash, highestCost: highest, from: "a") }
        #expect(right == (true, 1 << stored))
        let wrong = try await work { try await hasher.verify("x", against: hash, highestCost: stored, from: "a") }
        #expect(wrong == (false, 1 << highest))
        let unknown = try await work { try await hasher.verifyAgainstNothing("x", highestCost: stored, from: "a") }
        #expect(unknown == (false, 1 << highest))
        for hasher in [hasher, storing] { await hasher.shutdown() }
    }

    @Test(arguments: [
        "", "plain", "$argon2id$v=19$m=1,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=21,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=12,r=8$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=12,r=8,p=99$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", "$scrypt$ln=12,r=8,p=1$$",
        "$scrypt$ln=12,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$!!!!",
    ])
    func `text that is no hash is refused`(text: String) {
        #expect(PasswordHash(text: text) == nil)
    }
}
