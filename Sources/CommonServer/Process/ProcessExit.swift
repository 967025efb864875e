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
        case let error as IOError where error.errnoCode == EADDRINUSE:
            self.init(code: 1, line: "port \(port) of \(host) is in use")
        case let error as IOError where [EACCES, EADDRNOTAVAIL].contains(error.errnoCode):
            self.init(
                code: 1, line: "cannot listen on port \(port) of \(host): \(String(cString: strerror(error.errnoCode)))"
            )
        case is SocketAddressError, is SocketAddressError.UnknownHost:
            self.init(code: 1, line: "cannot listen on port \(port) of \(host): no such address")
        default:
            self.init(code: 1, line: "stopped by an error: \(SecretMask.text(of: error))")
        }
    }

    /// Writes the line to standard error and ends the process.
    func exit(as name: String) -> Never {
        if let line { FileDescriptorLogOutput.standardError.write(Array("\(name): \(line)\n".utf8)) }
        Glibc.exit(code)
    }
}
