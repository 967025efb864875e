import Foundation

/// RFC 4648, section 5, without padding, as JSON Web Tokens have it.
enum Base64URL {
    static func encode(_ text: String) -> String { encode(Data(text.utf8)) }

    static func encode(_ bytes: some DataProtocol) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing(
            "=", with: "")
    }

    /// Empty where the text is none.
    static func decode(_ text: some StringProtocol) -> Data {
        let standard = String(text).replacing("-", with: "+").replacing("_", with: "/")
        let padding = String(repeating: "=", count: (4 - standard.count % 4) % 4)
        return Data(base64Encoded: standard + padding) ?? Data()
    }
}
