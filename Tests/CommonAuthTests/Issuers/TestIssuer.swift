import CommonUtil
import Crypto
import FoundationEssentials
import HTTPTypes
import Hummingbird
import JWTKit
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

@testable import CommonAuth

/// A program with users of its own: it signs tokens and serves its keys.
final class TestIssuer: Sendable {
    enum Algorithm: String, CaseIterable, Sendable {
        case rs256 = "RS256"
        case es256 = "ES256"
        case eddsa = "EdDSA"
    }

    struct State {
        var status = HTTPResponse.Status.ok
        var jwks = ""
        /// What discovery says; `nil` for what is right.
        var discovery: String?
        var location: String?
        var requests = 0
    }

    let ed = Curve25519.Signing.PrivateKey()
    let ec = P256.Signing.PrivateKey()
    let state = Mutex(State())

    init() { serve(Algorithm.allCases.map { jwk($0) }) }

    func serve(_ keys: [String]) { state.withLock { $0.jwks = #"{"keys":["# + keys.joined(separator: ",") + "]}" } }

    func change(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }
    var requests: Int { state.withLock(\.requests) }

    // MARK: Keys

    /// The public key of an algorithm, with further members; its `kid` is the algorithm's name unless it is another.
    func jwk(_ algorithm: Algorithm, kid: String? = nil, more: String = "") -> String {
        let kid = kid.map { $0.isEmpty ? "" : #","kid":"\#($0)""# } ?? #","kid":"\#(algorithm.rawValue)""#
        let members =
            switch algorithm {
            case .rs256: #""kty":"RSA","e":"AQAB","n":"\#(Self.modulus)""#
            case .es256: point
            case .eddsa: #""kty":"OKP","crv":"Ed25519","x":"\#(Base64URL.encode(ed.publicKey.rawRepresentation))""#
            }
        return "{\(members)\(kid)\(more)}"
    }

    private var point: String {
        let raw = Array(ec.publicKey.rawRepresentation)
        return
            #""kty":"EC","crv":"P-256","x":"\#(Base64URL.encode(raw[..<32]))","y":"\#(Base64URL.encode(raw[32...]))""#
    }

    /// A key of 1,024 bits.
    static var weakKey: String { #"{"kty":"RSA","e":"AQAB","kid":"RS256","n":"\#(weakModulus)"}"# }

    // MARK: Tokens

    /// Signs a token.
    /// - Parameters:
    ///   - header: the members of the header, as JSON.
    ///   - claims: as JSON.
    func token(_ algorithm: Algorithm, header: String? = nil, claims: String) async throws -> String {
        let header = header ?? #"{"alg":"\#(algorithm.rawValue)","kid":"\#(algorithm.rawValue)"}"#
        let signed = Base64URL.encode(header.utf8) + "." + Base64URL.encode(claims.utf8)
        let bytes = Data(signed.utf8)
        let signature: [UInt8]
        switch algorithm {
        case .eddsa: signature = Array(try ed.signature(for: bytes))
        case .es256: signature = Array(try ec.signature(for: bytes).rawRepresentation)
        case .rs256:
            // Signed by jwt-kit over a serializer that takes the text as it is.
            let keys = await JWTKeyCollection().add(
                rsa: try Insecure.RSA.PrivateKey(pem: Self.privateKey), digestAlgorithm: .sha256,
                serializer: GivenText(header: header, claims: claims))
            return try await keys.sign(Nothing())
        }
        return signed + "." + Base64URL.encode(signature)
    }

    private struct Nothing: JWTPayload {
        func verify(using _: some JWTAlgorithm) async throws {}
    }

    private struct GivenText: JWTSerializer {
        struct Encoder: JWTJSONEncoder {
            let text: String

            func encode(_: some Encodable) throws -> Data { Data(text.utf8) }
        }

        let header: String
        let claims: String
        var jsonEncoder: any JWTJSONEncoder { Encoder(text: header) }

        func serialize(_: some JWTPayload, header _: JWTHeader) throws -> Data {
            Data(Base64URL.encode(claims.utf8).utf8)
        }
    }

    // MARK: Serving

    /// Runs the server, and `body` with its URL.
    func run(_ body: @escaping @Sendable (String) async throws -> Void) async throws {
        let router = Router()
        router.get("/jwks") { [self] _, _ in respond(state.withLock { $0.jwks }) }
        router.get("/.well-known/openid-configuration") { [self] request, _ in
            let base = "http://\(request.head.authority ?? "")"
            let right = #"{"issuer":"\#(base)","jwks_uri":"\#(base)/jwks"}"#
            return respond(state.withLock { $0.discovery } ?? right)
        }
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { port.yield($0.localAddress?.port ?? 0) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            let services = ServiceGroup(services: [application], logger: Logger(label: "test"))
            group.addTask { try await services.run() }
            guard let port = await ports.first(where: { _ in true }) else { return }
            try await body("http://127.0.0.1:\(port)")
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
        }
    }

    private func respond(_ body: String) -> Response {
        let (status, location) = state.withLock { state in
            state.requests += 1
            return (state.status, state.location)
        }
        var headers = HTTPFields()
        if let location { headers[.location] = location }
        return Response(
            status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: body)))
    }

    // Made for this file by `openssl genrsa`; used nowhere else.
    private static let modulus = """
        sGLJPHoeghwi-BsCa5w8m3eaeisNIToGwb1skJqZcW5cfm5WONlEvj1hu-bH68m1hfMyB1YMVoh0DzOzEYz4oOhxnG\
        UVjMvS6UV_1N6FlEAvlvQo9LLPJ_W4Ay02-Sb61ARo9-BViVjmbRcO4GWdMRsvRUIy69MHIaj5egvxT4n0KWdfzdKG\
        N-DEfJkTnUshwfVHAE66uiYrF7FgDbfD4GVvu-0tSZV-1olrW6jFoUt2YH9GbXYDWShRE39om1F4SjiBeIFhBS5GJO\
        DEesYN_2eiJoPhhgwTuHGH70PdibfqvwIC2Q08IM2Ab2OWpPc6BdyPu6ohp-FSf0f6E8S2PQ
        """
    private static let weakModulus = """
        vZXE3-a0eCNbU7Zs7Qfl8wKMSSmkfdkmnaz6KqmcnHwWL9yMAHusyO1bHwyC6FYAQ4RPIMEoJl0cma6PoPNaxk9MOZ\
        X5d7gVdOv8DxQibSrrFvhqLU6zbf-Fpe4rDhHHxTa9OBt607_eAqjehoBvw2WOnvPwftbDYEEh3zndPZM
        """
    private static let privateKey = """
        -----BEGIN PRIVATE KEY-----
        MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCwYsk8eh6CHCL4
        GwJrnDybd5p6Kw0hOgbBvWyQmplxblx+blY42US+PWG75sfrybWF8zIHVgxWiHQP
        M7MRjPig6HGcZRWMy9LpRX/U3oWUQC+W9Cj0ss8n9bgDLTb5JvrUBGj34FWJWOZt
        Fw7gZZ0xGy9FQjLr0wchqPl6C/FPifQpZ1/N0oY34MR8mROdSyHB9UcATrq6JisX
        sWANt8PgZW+77S1JlX7WiWtbqMWhS3Zgf0ZtdgNZKFETf2ibUXhKOIF4gWEFLkYk
        4MR6xg3/Z6Img+GGDBO4cYfvQ92Jt+q/AgLZDTwgzYBvY5ak9zoF3I+7qiGn4VJ/
        R/oTxLY9AgMBAAECggEAQ3zwuWKSVL8WRC71bJ4hdGy9Xvwk8G8m0a88IFH+3u9W
        lYt7ExJSoqWSxRXmrZmGimOEY1kxrFRWb9Cctdzl7o8xlSD6L153awjMAfNIUfKD
        IvN1zjayW3xBdXmx3H/lHgU38ovTvpMUy220o/hNPlJD8nCDUkbyphbkqaVzJbak
        lawYlv3JcyXjGvRmDk1i3LDohRGEvazWP/N8S4WlPS7jmdxLMvG4qOAtj0Ps6rUi
        eLq6OaiCn7WohAsTEnnEM0dSYmRoBC+FR5wMozLIlIq1CnIRFKSddcZA7WMds38I
        Pn9ic+eBBjUo8rJUqSDY+XJOiu/ovDG1RvO4UYZdowKBgQDiTlGvWRY+S8JKJxay
        D2cvx4EMo2ao9ozxFNYC9m0qyAMOwfbLdTjEK2P7Vz2a8L2ypzX+41r2Q2PVvTV3
        bP5eMyMFzZQehbmJpSjeH/xUH9JnrgmGY/FVZ4TKmq6Vi4nENIykjZjOkGcrSiDV
        O1B5fbYKqmZQu76jYqrsemEQOwKBgQDHh6Njzf7YZzUicJbN7XluaXiKCRa/Zk0f
        hUGV5QwufixqVKBDGPaqxEsHRERUR8wF+PLWwT40GNz0uiTPaJRsaU2gcau6YMrZ
        2/CEcOrLuyIdNFiRh9eJEPOx738hq/AcsZ1Ks02Kv/pJkd+N8t4cOPSABYj58meM
        3lumgnUj5wKBgHWJY9eEl47nXhORVbJJWbhxD892ln0vAGi9/6EuR+iuVRg3GWz2
        hvMr7hO+bdqpKn09Z0fo4XeB7Lo4OSq7yyk1ufzrlwB7R6/7vcwQJMe0d10uAPhx
        tAg9abSovgAhpv3mpR1aBYFTcqIDMCZPVi6jYgcMFXPc7tiBCHEl5n+9AoGAad+w
        NCo/Oubwy9iAPL7wu0Sd4GjYODF5ZOtZlMcYAqeSu80xyMi7Qnur8CwqMapzOQwT
        Fx8s+Ynj3LvVAnVUpH3v4d3PKLNpj9ZjtnMQM5CVlneLM5WoKaPkG5ugkuZgH2mj
        s9qWn7Qkg9syi2i+sK0MF85YE4Crr5ThfuYkcCsCgYEAiyt+kWLzNWDJl4Wy+YWe
        r2Sn26fPBTXPjjk/otTdEk5o4jbFJFmUt9FUHeW5uq72dTwVxPTxQBS0RZ35qBOU
        iE6BNXmJqf/nVtdlveMdpBhnqGjonBVW+IvlVA9ZaND/rHK/QtZ8joKfYzpWpK9O
        mxPNYYIS1X3sZA8co6e48TE=
        -----END PRIVATE KEY-----
        """
}
