import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(1))) struct FileStoreLocationTests {
    @Test func `a folder, a bucket or none`() {
        #expect(FileStoreLocation(text: "folder:/data/files") == .folder("/data/files"))
        #expect(
            FileStoreLocation(text: "s3:https://s3.example/bucket?region=eu")
                == .s3("https://s3.example/bucket?region=eu"))
        #expect(FileStoreLocation(text: "none") == FileStoreLocation.none)
    }

    @Test(arguments: ["", "folder:", "s3:", "None", "/data/files", "https://s3.example/bucket", "folder:/a\0b"])
    func `everything else is refused`(text: String) {
        #expect(FileStoreLocation(text: text) == nil)
    }
}
