import ChatLocalStack
import ChatTestSupport
import CommonUtil
import Testing

/// A message server whose files are in a bucket.
@Suite(.enabled(if: LocalS3.isAvailable, "python3 is not installed"), .timeLimit(.minutes(2)))
struct BucketStoreTests {
    @Test func `files go to the bucket and come back, and without the bucket calls are 503`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let bucket = try await LocalS3.started()
        // An installation of its own: a store belongs to one.
        let environment = [
            Settings.databaseURL.name: try await SharedEngines.database(),
            Settings.fileStore.name: "s3:\(bucket.url)", Settings.s3AccessKey.name: bucket.accessKey,
            Settings.s3SecretKey.name: bucket.secretKey,
        ]
        try await stack.withServer(.message, environment) { server in
            // Without the bucket a call may take nearly half a minute before it is given up.
            let client = RESTClient(baseURL: server.url, deadline: .seconds(90))
            let target = "/api/v1/files?roomId=hall&name=hello.txt"
            @Sendable func upload(_ bytes: [UInt8]) async throws -> RESTResponse {
                try await client.send(.post, target, as: .user(7), bytes: bytes)
            }
            @Sendable func download(_ fileID: String, _ headers: [(String, String)] = []) async throws -> RESTResponse {
                try await client.get("/api/v1/files/\(fileID)", as: .user(8), headers: headers)
            }
            let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
            let stored = try await upload(bytes).require(201, "upload")
            let fileID = try #require(stored.json["fileId"]?.string)
            #expect(try await download(fileID).bytes == bytes)
            let part = try await download(fileID, [("Range", "bytes=65530-65540")])
            #expect(part.status == 206 && part.bytes == Array(bytes[65_530...65_540]))
            #expect(part.header("X-Content-Type-Options") == "nosniff")

            bucket.stop()
            async let refused = upload([1])
            async let unread = download(fileID)
            for response in try await [refused, unread] {
                #expect(response.status == 503 && response.code == "unavailable", "\(response)")
                #expect(response.header("Retry-After") != nil)
            }
            // What the database knows is there.
            let info = try await client.get("/api/v1/files/\(fileID)/info", as: .user(8))
            #expect(info.status == 200 && info.json["fileSize"]?.int == 300_000)
        }
    }
}
