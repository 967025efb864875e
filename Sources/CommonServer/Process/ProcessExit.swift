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

    private init(wrongHost host: String) {
        self.init(code: ConfigurationError.exitCode, line: ListenAddress.refusal(of: host).description)
    }

    /// Writes what was logged, then the line to standard error, and ends the process. Where nobody reads the one or the
    /// other it ends all the same, soon.
    func exit(as name: String) -> Never {
        ChatLogging.flush(within: .seconds(1))
        if let line {
            let standardError = QueuedLogOutput(STDERR_FILENO)
            standardError.write(Array("\(name): \(line)\n".utf8))
            standardError.flush(within: .seconds(1))
        }
        Glibc.exit(code)
    }
}
