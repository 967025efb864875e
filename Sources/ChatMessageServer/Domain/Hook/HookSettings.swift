import CommonUtil

/// The settings of the hook: where it is, and what its requests are signed with.
struct HookSettings {
    let url: WebhookURL
    let secret: [UInt8]
    let fails: MessageHookFailure

    /// Reads the settings.
    /// - Returns: `nil` if no hook is set.
    /// - Throws: `ConfigurationError` for a wrong one, and where only one of URL and secret is set.
    init?(_ configuration: ConfigurationSource) throws(ConfigurationError) {
        let text = try configuration.value(Settings.messageHookURL)
        let secretText = try configuration.value(Settings.messageHookSecret)
        fails = try configuration.value(Settings.messageHookFails)
        guard text != nil || secretText != nil else { return nil }
        let secret = secretText.flatMap { WebhookSecret.bytes(of: $0) }
        // Before the URL, which may be missing: what is wrong is named before what is not there.
        if secretText != nil, secret == nil { throw Self.error(Settings.messageHookSecret, held: secretText) }
        guard let url = text.flatMap({ try? WebhookURL($0) }), url.isEncrypted || Self.isOwnNetwork(url.host) else {
            throw Self.error(Settings.messageHookURL, held: text)
        }
        guard let secret else { throw Self.error(Settings.messageHookSecret, held: nil) }
        self.url = url
        self.secret = secret
    }

    private static func error(_ setting: Setting<String?>, held text: String?) -> ConfigurationError {
        ConfigurationError(
            name: setting.name, held: text ?? "", isSecret: setting.isSecret && text != nil, allowed: setting.allowed)
    }

    /// Whether messages may go there without TLS: to addresses that are not globally reachable, and to names that the
    /// public DNS does not have: those without a dot, as of a container, and those of RFC 6761, RFC 6762, RFC 8375 and
    /// ICANN's `internal`.
    static func isOwnNetwork(_ host: WebhookURL.Host) -> Bool {
        switch host {
        case .address(let address): !AddressRules.isGloballyReachable(address)
        case .name(let name):
            !name.contains(".")
                || [".local", ".internal", ".localhost", ".home.arpa"].contains { name.hasSuffix($0) }
        }
    }
}
