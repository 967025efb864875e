import CommonUtil
import Testing

@testable import CommonAuth

@Suite struct PasswordTests {
    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// RFC 7914 section 12.
    @Test func theRFCsVectors() throws {
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
    @Test func theDefaultCostIsNotRefused() throws {
        let key = try Scrypt.derive(password: [1], salt: [2], n: 1 << 17, r: 8, p: 1, count: 32)
        #expect(key.count == 32)
    }

    @Test func wrongParametersFail() {
        #expect(throws: Scrypt.Failure.self) {
            try Scrypt.derive(password: [1], salt: [2], n: 15, r: 8, p: 1, count: 32)
        }
    }

    @Test func hashesAreVerified() async throws {
        let hasher = PasswordHasher(cost: 12)
        let first = try await hasher.hash("correct horse")
        let second = try await hasher.hash("correct horse")
        #expect(first.hasPrefix("$scrypt$ln=12,r=8,p=1$") && first != second)
        #expect(try await hasher.verify("correct horse", against: first))
        #expect(try await !hasher.verify("correct hors", against: first))
        #expect(try await !hasher.verify("", against: first))
        #expect(try await !hasher.verifyAgainstNothing("correct horse"))
        #expect(!hasher.needsRehash(first))
        await hasher.shutdown()

        let stronger = PasswordHasher(cost: 13)
        #expect(stronger.needsRehash(first) && stronger.needsRehash("rubbish"))
        #expect(try await stronger.verify("correct horse", against: first))
        await stronger.shutdown()
        await #expect {
            try await stronger.hash("x")
        } throws: { ($0 as? ChatError)?.code == .unavailable }
    }

    @Test func theQueueIsBounded() async throws {
        let hasher = PasswordHasher(cost: 12)
        let codes = await withTaskGroup(of: ErrorCode?.self) { group in
            for _ in 0..<100 {
                group.addTask {
                    do throws(ChatError) {
                        _ = try await hasher.hash("x")
                        return nil
                    } catch {
                        return error.code
                    }
                }
            }
            return await group.reduce(into: [ErrorCode?]()) { $0.append($1) }
        }
        #expect(codes.contains(nil))
        #expect(codes.contains(.unavailable))
        // There is room again.
        #expect(try await hasher.hash("x").hasPrefix("$scrypt$"))
        await hasher.shutdown()
    }

    @Test(arguments: [
        "", "plain", "$argon2id$v=19$m=1,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=21,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=12,r=8$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=12,r=8,p=99$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", "$scrypt$ln=12,r=8,p=1$$",
        "$scrypt$ln=12,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$!!!!",
    ])
    func whatIsNoHashIsNotTakenForOne(text: String) {
        #expect(PasswordHash(text: text) == nil)
    }
}
