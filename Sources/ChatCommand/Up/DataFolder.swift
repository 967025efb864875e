import ChatLocalStack
import Foundation

/// The ports of the private engines, kept in the data folder so that they stay the same from one start to the next.
struct KeptPorts: Codable, Equatable {
    var postgres: Int
    var redis: Int

    /// The kept ports, those that are not free meanwhile replaced, and kept again.
    static func choose(in folder: String) throws -> KeptPorts {
        let file = URL(fileURLWithPath: "\(folder)/ports.json")
        let kept = (try? Data(contentsOf: file)).flatMap { try? JSONDecoder().decode(KeptPorts.self, from: $0) }
        func choose(_ port: Int?) throws -> Int {
            if let port, (1024...65_535).contains(port), FreePort.isFree(port) { return port }
            return try FreePort.next()
        }
        let ports = try KeptPorts(postgres: choose(kept?.postgres), redis: choose(kept?.redis))
        if ports != kept { try JSONEncoder().encode(ports).write(to: file, options: .atomic) }
        return ports
    }
}
