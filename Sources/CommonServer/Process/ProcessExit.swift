import CommonLogging
import CommonUtil
import Glibc
import NIOCore

/// How a process ends, and the one line that says why.
struct ProcessExit: Equatable {
    let code: Int32
    let line: String?

    static let success = ProcessExit(code: 0, line: nil)

    init(code: Int32, line: String?) {
        self.code = code
        self.line = line
    }

    /// What an error that ended the process means; host and port are where the server was to listen.
    init(error: any Error, host: String, port: Int) {
        switch error {
        case let error as ConfigurationError:
            self.init(code: ConfigurationError.exitCode, line: error.description)
        case let error as MetricsListener.Failed:
            self.init(error: error.reason, host: host, port: error.port)
        case let error as IOError where error.errnoCode == EADDRINUSE:
            self.init(code: 1, line: "port \(port) of \(host) is in use")
        case let error as IOError where error.errnoCode == EACCES:
            self.init(code: 1, line: "cannot listen on port \(port) of \(host): \(String(cString: strerror(EACCES)))")
        case let error as IOError where error.errnoCode == EADDRNOTAVAIL:
            self.init(wrongHost: host)
        case is SocketAddressError, is SocketAddressError.UnknownHost:
            self.init(wrongHost: host)
        default:
            self.init(code: 1, line: "stopped by an error: \(SecretMask.text(of: error))")
        }
    }

    /// Whether a name or address is one of this machine's is only known once it is listened on.
    private init(wrongHost host: String) {
        let setting = Settings.host
        let error = ConfigurationError(
            name: setting.name, held: host, isSecret: setting.isSecret, allowed: setting.allowed)
        self.init(code: ConfigurationError.exitCode, line: error.description)
    }

    /// Writes the line to standard error and ends the process.
    func exit(as name: String) -> Never {
        if let line { FileDescriptorLogOutput.standardError.write(Array("\(name): \(line)\n".utf8)) }
        Glibc.exit(code)
    }
}
