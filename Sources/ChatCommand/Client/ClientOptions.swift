import ArgumentParser
import ChatClient
import CommonUtil
import Foundation

/// The address of the servers, as an option.
struct ServerOption: ParsableArguments {
    @Option(help: "The system server or a common proxy (default: CHAT_URL, else http://127.0.0.1:8080).")
    var url: String?

    /// - Throws: ``CommandFailure``.
    func settings(trustedUser: Int64? = nil) throws -> ClientSettings {
        try ClientSettings(url: url, trustedUser: trustedUser, environment: ProcessInfo.processInfo.environment)
    }
}

/// The options of the commands that use a chat.
struct ClientOptions: ParsableArguments {
    @OptionGroup var server: ServerOption

    @Option(help: ArgumentHelp("The user's number, for servers in trusted mode, which believe it.", valueName: "n"))
    var trustedUser: Int64?

    func validate() throws {
        if let trustedUser, trustedUser < 1 { throw ValidationError("--trusted-user is a number from 1 on.") }
    }

    /// - Throws: ``CommandFailure``.
    func settings() throws -> ClientSettings { try server.settings(trustedUser: trustedUser) }
}

/// The servers of a command, its user, and the folder of its data.
struct ClientSettings: Sendable {
    /// Who one is.
    enum Identity: Sendable, Equatable {
        /// A user whom servers in trusted mode believe.
        case trusted(Int64)
        /// An access token that is ready; it cannot be renewed.
        case token(String)
        /// The kept sign-in.
        case signIn
    }

    private static let defaultURL = "http://127.0.0.1:8080"

    let url: String
    let identity: Identity
    /// Where sign-ins and the store are.
    let folder: String
    /// A PEM file of further authorities.
    let authorityFile: String?

    init(url: String?, trustedUser: Int64?, environment: [String: String]) throws {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        var address = url ?? value(TerminalVariable.url) ?? Self.defaultURL
        while address.hasSuffix("/") { address.removeLast() }
        do {
            _ = try ChatConfiguration(url: address)
        } catch {
            throw CommandFailure.usage("'\(TerminalText.clean(address))' is no http or https URL")
        }
        self.url = address
        identity =
            trustedUser.map { .trusted($0) } ?? value(TerminalVariable.token).map { .token($0) } ?? .signIn
        folder = value(TerminalVariable.folder) ?? Self.defaultFolder(value)
        authorityFile = value("CHAT_TLS_CA_FILE")
    }

    /// The store of the library.
    var storeFolder: String { folder + "/store" }

    private static func defaultFolder(_ value: (String) -> String?) -> String {
        let home = value("HOME") ?? NSHomeDirectory()
        #if os(macOS)
            return home + "/Library/Application Support/chat"
        #else
            // A relative path is to be ignored (XDG Base Directory Specification).
            let data = value("XDG_DATA_HOME").flatMap { $0.hasPrefix("/") ? $0 : nil }
            return (data ?? home + "/.local/share") + "/chat"
        #endif
    }
}

/// The id of a room as an argument.
struct RoomArgument: ExpressibleByArgument {
    let id: String

    /// 1–64 of `A–Z a–z 0–9 . _ -`.
    init?(argument: String) {
        guard (1...64).contains(argument.utf8.count), argument.utf8.allSatisfy(Self.isAllowed) else { return nil }
        id = argument
    }

    static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
