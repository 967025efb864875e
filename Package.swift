// swift-tools-version:6.2
import PackageDescription

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// Full RELRO: addresses of functions are looked up when a program begins, and cannot be written from then on.
///
/// In release builds no symbols are exported: `-static-stdlib` asks for all of them (`-export-dynamic`), which nothing here
/// looks up by name and which makes an executable 5 MB larger.
let linkerSettings: [LinkerSetting] = [
    .unsafeFlags(
        ["-Xlinker", "-z", "-Xlinker", "relro", "-Xlinker", "-z", "-Xlinker", "now"], .when(platforms: [.linux])),
    .unsafeFlags(["-Xlinker", "--no-export-dynamic"], .when(platforms: [.linux], configuration: .release)),
]

// MARK: Products of other packages

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let chatClient = Target.Dependency.product(name: "ChatClient", package: "Swift")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let jwtKit = Target.Dependency.product(name: "JWTKit", package: "jwt-kit")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let metricsTestKit = Target.Dependency.product(name: "MetricsTestKit", package: "swift-metrics")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioExtras = Target.Dependency.product(name: "NIOExtras", package: "swift-nio-extras")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

// MARK: Target shorthands

func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

func executable(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies, resources: resources, swiftSettings: swiftSettings,
        linkerSettings: linkerSettings)
}

func tests(of name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: [.byName(name: name)] + dependencies, swiftSettings: swiftSettings)
}

// A target may import only those above it in this list (docs/architecture.md).
let package = Package(
    name: "chat",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "ChatSystemServer", targets: ["ChatSystemServer"]),
        .executable(name: "ChatMessageServer", targets: ["ChatMessageServer"]),
        .executable(name: "ChatWebSocketServer", targets: ["ChatWebSocketServer"]),
        .executable(name: "chat", targets: ["ChatCommand"]),
        .executable(name: "chat-lab", targets: ["ChatLab"]),
    ],
    // Held to the minor versions that were tested. No Package.resolved is committed; docs/development.md has the exact
    // versions and how to raise them.
    dependencies: [
        // The client library, a package of its own. `chat` is a client like any other.
        .package(path: "Clients/Swift"),
        .package(url: "https://github.com/apple/swift-argument-parser", .upToNextMinor(from: "1.8.2")),
        .package(url: "https://github.com/apple/swift-collections", .upToNextMinor(from: "1.6.0")),
        // Without the trait JSON, and hummingbird without FullFoundation, no server needs more of Foundation than
        // FoundationEssentials. All of it, with ICU's data, makes an executable 40 MB larger.
        .package(
            url: "https://github.com/apple/swift-configuration", .upToNextMinor(from: "1.4.0"),
            traits: ["CommandLineArguments"]),
        .package(url: "https://github.com/apple/swift-crypto", .upToNextMinor(from: "4.5.2")),
        .package(url: "https://github.com/apple/swift-http-types", .upToNextMinor(from: "1.8.0")),
        .package(url: "https://github.com/apple/swift-log", .upToNextMinor(from: "1.16.2")),
        .package(url: "https://github.com/apple/swift-metrics", .upToNextMinor(from: "2.13.0")),
        .package(url: "https://github.com/apple/swift-nio", .upToNextMinor(from: "2.101.2")),
        .package(url: "https://github.com/apple/swift-nio-extras", .upToNextMinor(from: "1.35.2")),
        .package(url: "https://github.com/apple/swift-nio-ssl", .upToNextMinor(from: "2.37.6")),
        .package(
            url: "https://github.com/hummingbird-project/hummingbird", .upToNextMinor(from: "2.28.1"), traits: []),
        .package(url: "https://github.com/swift-server/async-http-client", .upToNextMinor(from: "1.37.0")),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", .upToNextMinor(from: "2.13.0")),
        .package(url: "https://github.com/jpsim/Yams", .upToNextMinor(from: "6.2.2")),
        .package(url: "https://github.com/vapor/jwt-kit", .upToNextMinor(from: "5.7.1")),
    ],
    targets: [
        // hiredis.pc carries a flag that SwiftPM refuses, so the module maps name header and library themselves.
        .systemLibrary(name: "CLibPQ", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
        .systemLibrary(name: "CLibCrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CSyncFileRange"),

        library("CommonUtil", [configuration, deque]),
        library("CommonLogging", ["CommonUtil", logging, metrics]),
        library(
            "CommonAuth",
            [
                "CLibCrypto", "CommonUtil", asyncHTTPClient, crypto, httpTypes, jwtKit, lifecycle, logging, nioCore,
                nioHTTP1, nioPosix, nioSSL,
            ]),
        library("PostgresClient", ["CLibPQ", "CommonUtil", deque, lifecycle, logging, metrics]),
        library(
            "RedisClient",
            ["CHiredis", "CommonUtil", deque, lifecycle, logging, metrics, nioCore, nioPosix, nioSSL]),
        library("S3Client", ["CommonUtil", asyncHTTPClient, crypto, lifecycle, nioCore, nioHTTP1, nioPosix, nioSSL]),
        // What the three servers share as processes: start and stop, health, metrics endpoint, routes, CORS.
        library(
            "CommonServer",
            [
                "CommonAuth", "CommonLogging", "CommonUtil", "PostgresClient", "RedisClient", crypto, hummingbird,
                hummingbirdCore, httpTypes, lifecycle, logging, metrics, nioCore, nioExtras, nioHTTP1, nioHTTPTypes,
                nioPosix, nioSSL, nioTLS, unixSignals,
            ]),
        library("ChatEvents", ["CommonUtil"]),
        library(
            "ChatEventBus",
            [
                "ChatEvents", "CommonAuth", "CommonUtil", "RedisClient", deque, lifecycle, logging, metrics, nioCore,
            ]),
        library(
            "ChatStorage",
            ["ChatEvents", "CommonUtil", "PostgresClient", crypto, lifecycle, logging, metrics]),
        // `Files` is a link to `Clients/JavaScript/dist`: the library is a package of its own.
        .target(name: "JavaScriptClient", resources: [.embedInCode("Files")], swiftSettings: swiftSettings),
        // Where the bytes of files are kept: a folder, or a bucket.
        library("ChatFileStore", ["CSyncFileRange", "CommonUtil", "S3Client", nioCore, nioPosix, nioSSL]),
        executable(
            "ChatSystemServer",
            [
                "ChatEventBus", "ChatEvents", "ChatStorage", "CommonAuth", "CommonServer", "CommonUtil",
                "JavaScriptClient", "PostgresClient", "RedisClient", crypto, httpTypes, hummingbird, lifecycle, logging,
                metrics, nioCore,
            ],
            resources: [
                .embedInCode("Presentation/openapi.yaml"), .embedInCode("Presentation/WebClient/Files"),
            ]),
        executable(
            "ChatMessageServer",
            [
                "ChatEventBus", "ChatEvents", "ChatFileStore", "ChatStorage", "CommonAuth", "CommonLogging",
                "CommonServer", "CommonUtil", "PostgresClient", "RedisClient", "S3Client", asyncHTTPClient, crypto,
                httpTypes, hummingbird, lifecycle, logging, metrics, nioCore, nioHTTP1, nioPosix, nioSSL,
            ],
            resources: [.embedInCode("Presentation/openapi.yaml")]),
        executable(
            "ChatWebSocketServer",
            [
                "ChatEventBus", "ChatEvents", "ChatStorage", "CommonAuth", "CommonLogging", "CommonServer",
                "CommonUtil", "PostgresClient", "RedisClient", crypto, deque, httpTypes, hummingbird, hummingbirdCore,
                lifecycle, logging, metrics, nioCore,
            ]),
        // Private PostgreSQL, Redis and servers for `chat up`, benches and tests.
        library("ChatLocalStack", [logging, nioCore, nioPosix, unixSignals]),
        executable(
            "ChatCommand",
            [
                "ChatFileStore", "ChatLocalStack", "ChatStorage", "CommonAuth", "CommonUtil", "PostgresClient",
                "S3Client", argumentParser, asyncHTTPClient, chatClient, logging, nioCore, nioHTTP1, nioSSL,
            ]),
        // Measures and breaks private stacks; its program is no part of the image.
        executable(
            "ChatLab",
            [
                "ChatEvents", "ChatLocalStack", "CommonUtil", "RedisClient", "S3Client", argumentParser,
                asyncHTTPClient, chatClient, crypto, logging, nioCore, nioHTTP1, nioPosix, nioSSL,
            ]),

        // Engines, servers and clients for the tests of all targets.
        .target(
            name: "ChatTestSupport",
            dependencies: [
                "CLibCrypto", "ChatFileStore", "ChatLocalStack", "ChatStorage", "CommonAuth", "CommonUtil",
                "PostgresClient", asyncHTTPClient, logging, nioCore, nioHTTP1, nioPosix, nioSSL, yams,
            ],
            path: "Tests/ChatTestSupport", swiftSettings: swiftSettings),
        tests(of: "CommonUtil", ["ChatTestSupport"]),
        tests(of: "CommonLogging", ["CommonUtil", logging]),
        tests(
            of: "CommonAuth",
            ["CommonUtil", asyncHTTPClient, crypto, httpTypes, hummingbird, jwtKit, lifecycle, logging, nioCore]),
        tests(of: "PostgresClient", ["ChatLocalStack", "ChatTestSupport", "CommonUtil", logging]),
        tests(
            of: "RedisClient",
            ["ChatLocalStack", "ChatTestSupport", lifecycle, logging, nioCore, nioEmbedded, nioPosix]),
        tests(
            of: "S3Client",
            ["ChatLocalStack", "ChatTestSupport", "CommonUtil", nioCore, nioHTTP1, nioPosix, nioSSL]),
        tests(
            of: "CommonServer",
            [
                "ChatLocalStack", "ChatTestSupport", "CommonAuth", "CommonLogging", "CommonUtil", asyncHTTPClient,
                httpTypes, hummingbird, hummingbirdCore, lifecycle, logging, nioCore, nioEmbedded, nioHTTP1,
                nioHTTPTypes, nioPosix, nioSSL, nioTLS,
            ]),
        tests(of: "ChatEvents", ["ChatTestSupport", "CommonUtil"]),
        tests(
            of: "ChatEventBus",
            [
                "ChatEvents", "ChatLocalStack", "ChatTestSupport", "CommonAuth", "CommonUtil", "RedisClient", lifecycle,
                logging, metrics, metricsTestKit, nioCore, nioPosix,
            ]),
        tests(
            of: "ChatStorage",
            [
                "ChatEvents", "ChatLocalStack", "ChatTestSupport", "CommonUtil", "PostgresClient", lifecycle, logging,
                metrics, metricsTestKit,
            ]),
        tests(of: "ChatFileStore", ["ChatTestSupport", "CommonUtil", "S3Client", nioCore, nioHTTP1, nioPosix, nioSSL]),
        tests(
            of: "ChatSystemServer",
            [
                "ChatEvents", "ChatLocalStack", "ChatStorage", "ChatTestSupport", "CommonAuth", "CommonLogging",
                "CommonServer", "CommonUtil", "PostgresClient", crypto, httpTypes, logging,
            ]),
        tests(
            of: "ChatMessageServer",
            [
                "ChatEvents", "ChatFileStore", "ChatLocalStack", "ChatStorage", "ChatTestSupport", "CommonLogging",
                "CommonServer", "CommonUtil", "PostgresClient", "RedisClient", crypto, httpTypes, hummingbird,
                lifecycle, logging, nioCore, nioPosix,
            ]),
        tests(
            of: "ChatWebSocketServer",
            [
                "ChatEventBus", "ChatEvents", "ChatLocalStack", "ChatTestSupport", "CommonAuth", "CommonServer",
                "CommonUtil", "RedisClient", logging, metricsTestKit, nioCore, nioEmbedded, nioPosix,
            ]),
        tests(of: "ChatLocalStack", [nioCore, nioPosix]),
        tests(
            of: "ChatCommand",
            [
                "ChatFileStore", "ChatLocalStack", "ChatStorage", "ChatTestSupport", "CommonAuth", "CommonUtil",
                "PostgresClient", "S3Client", chatClient, logging, nioPosix, nioSSL,
            ]),
        tests(of: "ChatLab", ["ChatLocalStack", argumentParser, crypto, nioCore, nioPosix]),
    ],
    swiftLanguageModes: [.v6]
)
