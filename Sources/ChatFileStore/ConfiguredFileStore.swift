import CommonUtil
import NIOCore
import NIOSSL
import S3Client

/// The store that the settings name.
public struct ConfiguredFileStore: Sendable {
    /// The store.
    public let store: any FileStore
    /// The client of a bucket, which has to be run or shut down; `nil` for a folder.
    public let client: S3Client?
    /// The place of the store as text for operators, without credentials.
    public let place: String

    /// Makes the store of `CHAT_FILE_STORE`. Nothing is asked yet.
    /// - Parameters:
    ///   - tls: of the connections to a bucket.
    ///   - disk: for the calls of a folder.
    /// - Returns: `nil` if there are no files (`none`).
    /// - Throws: `ConfigurationError` for a wrong value of a setting.
    public init?(
        _ configuration: ConfigurationSource, tls: TLSConfiguration, eventLoopGroup: any EventLoopGroup,
        disk: Disk = Disk()
    ) throws(ConfigurationError) {
        let defaultFolder = try configuration.value(Settings.dataDirectory) + "/files"
        switch try configuration.value(Settings.fileStore) ?? .folder(defaultFolder) {
        case .none: return nil
        case .folder(let path):
            store = FolderFileStore(path, disk: disk)
            client = nil
            place = path
        case .s3(let url):
            let bucket = try S3Configuration.chat(configuration, url: url)
            let client = S3Client(bucket, tls: tls, eventLoopGroup: eventLoopGroup)
            store = S3FileStore(client)
            self.client = client
            place = "\(bucket)"
        }
    }
}
