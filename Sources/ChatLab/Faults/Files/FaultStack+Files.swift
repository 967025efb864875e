import ChatLocalStack
import CommonUtil
import Foundation
import NIOPosix
import NIOSSL
import S3Client

extension FaultStack {
    /// Where the message servers keep files.
    enum FileStore: Sendable {
        /// In the folder beside the spool of uploads, as by default.
        case folder
        /// In a folder on a small disk of its own.
        case smallDisk
        /// In a bucket of an S3 server behind a proxy.
        case s3
    }

    /// An S3 server and the proxy by which the message servers reach it.
    struct S3: Sendable {
        let server: LocalS3Server
        let proxy: FaultProxy

        /// - Parameter folder: of its log.
        static func start(folder: String) async throws -> S3 {
            let server = try await LocalS3Server.start(
                script: try Repository.path(of: "scripts/s3-server"), folder: folder)
            do {
                return S3(server: server, proxy: try await FaultProxy.start(to: server.port))
            } catch {
                server.stop()
                throw error
            }
        }

        func stop() async throws {
            try await proxy.stop()
            server.stop()
        }

        /// The settings of the message servers.
        var environment: [String: String] {
            [
                Settings.fileStore.name: "s3:\(server.url(port: proxy.port))",
                Settings.s3AccessKey.name: server.accessKey, Settings.s3SecretKey.name: server.secretKey,
            ]
        }
    }

    private static let objectPrefix = "files/"

    static func dataFolder(of folder: String) -> String { "\(folder)/data" }
    static func storeFolder(of folder: String) -> String { "\(dataFolder(of: folder))/files" }

    /// What is in the store, by its keys; what is unfinished there has a slash in its name.
    func storedObjects() async throws -> Set<String> {
        if let s3 { return try await Self.objects(in: s3.server) }
        let folder = Self.storeFolder(of: processes.folder)
        var keys = Set<String>()
        for part in Self.names(in: folder) where part.count == 2 || part == "tmp" {
            for name in Self.names(in: "\(folder)/\(part)") { keys.insert(part == "tmp" ? "\(part)/\(name)" : name) }
        }
        return keys
    }

    private static func objects(in server: LocalS3Server) async throws -> Set<String> {
        let client = S3Client(
            try S3Configuration(url: server.url(), accessKey: server.accessKey, secretKey: server.secretKey),
            tls: .makeClientConfiguration(), eventLoopGroup: MultiThreadedEventLoopGroup.singleton)
        var keys = Set<String>()
        do {
            var last: String?
            while true {
                let page = try await client.list(prefix: objectPrefix, after: last)
                for object in page.objects { keys.insert(String(object.key.dropFirst(objectPrefix.count))) }
                guard page.isTruncated, let end = page.objects.last?.key else { break }
                last = end
            }
        } catch {
            await client.shutdown()
            throw error
        }
        await client.shutdown()
        return keys
    }

    /// Removes the bytes of a file from the store in a folder, behind the backs of the servers.
    func loseObject(_ key: String) throws {
        guard unlink(path(ofObject: key)) == 0 else { throw LocalStackError("Cannot remove the file \(key)") }
    }

    /// Where the store in a folder has a file.
    func path(ofObject key: String) -> String { "\(Self.storeFolder(of: processes.folder))/\(key.prefix(2))/\(key)" }

    /// Uploads in the spools of all message servers, those that have ended included.
    func spooledFiles() -> [String] {
        let folder = "\(Self.dataFolder(of: processes.folder))/uploads"
        return Self.names(in: folder).filter { !$0.hasSuffix(".lock") }.flatMap { part in
            Self.names(in: "\(folder)/\(part)").map { "\(part)/\($0)" }
        }
    }

    private static func names(in folder: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    }
}
