import ChatLocalStack
import CommonUtil
import Foundation
import Testing

@testable import ChatCommand

@Suite(.timeLimit(.minutes(1))) struct UpSessionTests {
    /// Where nothing of an engine may have been made.
    private func withFolder(_ body: (String) async throws -> Void) async throws {
        let folder = try PrivateFolder.temporary(prefix: "chat-up-test")
        defer { PrivateFolder.remove(folder) }
        try await body(folder)
        #expect(!FileManager.default.fileExists(atPath: "\(folder)/postgres"))
    }

    private func ports() throws -> [ServerKind: Int] {
        Dictionary(uniqueKeysWithValues: try ServerKind.allCases.map { ($0, try FreePort.next()) })
    }

    @Test func `a port in use is named with the option that chooses another`() async throws {
        try await withFolder { folder in
            var ports = try ports()
            let listener = try Listener()
            ports[.message] = listener.port
            let plan = try await UpPlan(trusted: false, dataFolder: folder, ports: ports, environment: [:])
            #expect {
                _ = try UpSession(plan)
            } throws: { error in
                "\(error)".contains("\(listener.port)") && "\(error)".contains("--message-port")
            }
        }
    }

    @Test func `a host that is none of this machine is a wrong setting`() async throws {
        try await withFolder { folder in
            // Of a range that is for documentation alone (RFC 5737).
            let plan = try await UpPlan(
                trusted: false, dataFolder: folder, ports: ports(), environment: ["CHAT_HOST": "192.0.2.1"])
            #expect {
                _ = try UpSession(plan)
            } throws: { $0 is ConfigurationError && "\($0)".hasPrefix("CHAT_HOST is '192.0.2.1'") }
        }
    }

    @Test func `a folder that cannot be made names the option`() async throws {
        let plan = try await UpPlan(
            trusted: false, dataFolder: "/proc/no-folder", ports: ports(), environment: [:])
        #expect {
            _ = try UpSession(plan)
        } throws: { "\($0)".contains("--data-dir") && !"\($0)".contains("\n") }
    }
}

/// A port of the loopback address that is taken.
private final class Listener {
    let port: Int
    private let descriptor: Int32

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 1) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        try #require(isBound)
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }
}
