import ArgumentParser
import ChatLocalStack
import CommonUtil
import Foundation

/// A server to be asked.
struct HealthTarget: Equatable {
    /// The transport to a server.
    enum Transport: Equatable {
        case plain
        /// TLS with a server whose certificate is verified.
        case tls
        /// TLS with this machine's own server, without verification: its certificate is for its public name.
        case ownTLS
    }

    var name: String
    var host: String
    var port: Int
    var transport: Transport

    /// - Throws: `ValidationError` if `argument` is neither a server's name nor an http or https URL.
    static func choose(_ argument: String?, environment: [String: String]) throws -> [HealthTarget] {
        let own: Transport = environment[Settings.tlsCertificateFile.name]?.isEmpty == false ? .ownTLS : .plain
        let host = ReachableHost.of(environment[Settings.host.name])
        if let argument {
            if let kind = ServerKind.allCases.first(where: { $0.logName == argument }) {
                return [HealthTarget(kind, host, own)]
            }
            guard let url = URLComponents(string: argument), let host = url.host, !host.isEmpty,
                let (transport, port) = ["http": (Transport.plain, 80), "https": (.tls, 443)][url.scheme ?? ""]
            else {
                throw ValidationError("'\(argument)' is neither system, message, websocket nor an http or https URL.")
            }
            return [HealthTarget(name: argument, host: host, port: url.port ?? port, transport: transport)]
        }
        let variable = Settings.port(default: 0).name
        if let text = environment[variable], !text.isEmpty {
            guard let port = Int(text) else { throw ValidationError("\(variable) is '\(text)', no port.") }
            return [HealthTarget(name: "\(host):\(port)", host: host, port: port, transport: own)]
        }
        return ServerKind.allCases.map { HealthTarget($0, host, own) }
    }
}

extension HealthTarget {
    private init(_ kind: ServerKind, _ host: String, _ transport: Transport) {
        self.init(name: kind.logName, host: host, port: kind.defaultPort, transport: transport)
    }
}
