import ChatFileStore
import CommonUtil
import Metrics

/// Metrics of files. The handles are made once.
struct FileMetrics: Sendable {
    /// What became of an upload.
    enum UploadResult: String, CaseIterable {
        case stored
        /// Its key had been used before, for the same request.
        case repeated
        /// By a rule or a limit.
        case refused
        /// Its body did not arrive whole, or not in time.
        case broken
        /// The store, the spool or the database did not take it.
        case failed

        /// The result that an error means.
        init(_ error: any Error) {
            self =
                switch (error as? ChatError)?.code {
                case .malformedRequest, .requestTimeout: .broken
                case nil, .unavailable, .storeForeign: .failed
                default: .refused
                }
        }
    }

    private let uploads: [UploadResult: Counter]
    private let uploadBytes: Counter
    private let uploadTimes: Metrics.Timer
    private let spoolBytes: Gauge
    private let activeDownloads: Gauge
    private let waitingDownloads: Gauge
    private let downloadBytes: Counter
    private let cutDownloads: Counter
    private let storeErrors: [FileStoreCall: Counter]
    private let removed: Counter

    init(factory: any MetricsFactory = MetricsSystem.factory) {
        func counter(_ label: String, _ dimensions: [(String, String)] = []) -> Counter {
            Counter(label: label, dimensions: dimensions, factory: factory)
        }
        func downloads(_ state: String) -> Gauge {
            Gauge(label: "chat_file_downloads", dimensions: [("state", state)], factory: factory)
        }
        uploads = Dictionary(
            uniqueKeysWithValues: UploadResult.allCases.map {
                ($0, counter("chat_file_uploads_total", [("result", $0.rawValue)]))
            })
        uploadBytes = counter("chat_file_upload_bytes_total")
        uploadTimes = Metrics.Timer(label: "chat_file_upload_seconds", factory: factory)
        spoolBytes = Gauge(label: "chat_file_spool_bytes", factory: factory)
        (activeDownloads, waitingDownloads) = (downloads("active"), downloads("waiting"))
        downloadBytes = counter("chat_file_download_bytes_total")
        cutDownloads = counter("chat_file_downloads_cut_total")
        storeErrors = Dictionary(
            uniqueKeysWithValues: FileStoreCall.allCases.map {
                ($0, counter("chat_file_store_errors_total", [("call", $0.rawValue)]))
            })
        removed = counter("chat_files_removed_total")
        // So that they are there before the first upload and download.
        spoolBytes.record(0)
        for gauge in [activeDownloads, waitingDownloads] { gauge.record(0) }
    }

    /// Counts an upload that is stored.
    /// - Parameter time: from the beginning of the request on.
    func stored(bytes: Int, in time: Duration) {
        uploads[.stored]?.increment()
        uploadBytes.increment(by: bytes)
        uploadTimes.record(duration: time)
    }

    /// Counts an upload that ended otherwise.
    func ended(_ result: UploadResult) { uploads[result]?.increment() }

    /// Sets the bytes that uploads under way have reserved.
    func setSpoolBytes(_ bytes: Int) { spoolBytes.record(bytes) }

    /// Sets how many downloads there are.
    func downloads(active: Int, waiting: Int) {
        activeDownloads.record(active)
        waitingDownloads.record(waiting)
    }

    /// Counts bytes that were read for clients.
    func downloaded(_ bytes: Int) { downloadBytes.increment(by: bytes) }

    /// Counts a download that was ended in favour of another one.
    func cutDownload() { cutDownloads.increment() }

    /// Counts a call that the store did not do.
    func storeFailed(_ call: FileStoreCall) { storeErrors[call]?.increment() }

    /// Counts files whose bytes were removed.
    func removed(_ count: Int) { removed.increment(by: count) }
}

/// A call of a store, as metrics name it.
enum FileStoreCall: String, CaseIterable {
    case put, read, remove, other
}

/// A store whose failures are counted.
struct MeteredFileStore: FileStore {
    private let store: any FileStore
    private let metrics: FileMetrics

    init(_ store: any FileStore, metrics: FileMetrics) {
        self.store = store
        self.metrics = metrics
    }

    private func counting<Result>(
        _ call: FileStoreCall, _ body: () async throws(FileStoreError) -> Result
    ) async throws(FileStoreError) -> Result {
        do {
            return try await body()
        } catch {
            metrics.storeFailed(call)
            throw error
        }
    }

    func put(_ key: String, from path: String, size: Int) async throws(FileStoreError) {
        try await counting(.put) { () async throws(FileStoreError) in
            try await store.put(key, from: path, size: size)
        }
    }

    // A file that is not there has been deleted a moment ago, or is lost: in either case the store answered.
    func read(_ key: String, range: Range<Int>) async throws(FileStoreError) -> FileBytes {
        do {
            return try await store.read(key, range: range)
        } catch {
            if error != .notFound { metrics.storeFailed(.read) }
            throw error
        }
    }

    func remove(_ key: String) async throws(FileStoreError) {
        try await counting(.remove) { () async throws(FileStoreError) in try await store.remove(key) }
    }

    func size(of key: String) async throws(FileStoreError) -> Int? {
        try await counting(.other) { () async throws(FileStoreError) in try await store.size(of: key) }
    }

    func list(after key: String?) async throws(FileStoreError) -> [StoredFile] {
        try await counting(.other) { () async throws(FileStoreError) in try await store.list(after: key) }
    }

    func installation() async throws(FileStoreError) -> String? {
        try await counting(.other) { () async throws(FileStoreError) in try await store.installation() }
    }

    func claim(_ installation: String) async throws(FileStoreError) {
        try await counting(.other) { () async throws(FileStoreError) in try await store.claim(installation) }
    }

    func abortUnfinished(olderThan age: Duration) async throws(FileStoreError) {
        try await counting(.other) { () async throws(FileStoreError) in
            try await store.abortUnfinished(olderThan: age)
        }
    }
}
