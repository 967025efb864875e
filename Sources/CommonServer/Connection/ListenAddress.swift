import CommonUtil
import Glibc
import NIOCore

/// Whether a name or an address is one of this machine's. Only the system knows, and only when it is listened on.
enum ListenAddress {
    /// Tries it, on any port, so that a wrong `CHAT_HOST` is found before anything else is waited for.
    static func check(_ host: String) throws(ConfigurationError) {
        guard let address = try? SocketAddress.makeAddressResolvingHost(host, port: 0) else { throw refusal(of: host) }
        let descriptor = socket(address.protocol.rawValue, Int32(SOCK_STREAM.rawValue), 0)
        // Without a descriptor nothing can be said; whoever listens will find out.
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let status = address.withSockAddr { bind(descriptor, $0, socklen_t($1)) }
        if status != 0, errno == EADDRNOTAVAIL { throw refusal(of: host) }
    }

    static func refusal(of host: String) -> ConfigurationError {
        let setting = Settings.host
        return ConfigurationError(
            name: setting.name, held: host, isSecret: setting.isSecret, allowed: setting.allowed)
    }
}
