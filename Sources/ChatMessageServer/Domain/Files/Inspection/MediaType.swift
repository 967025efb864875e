/// The types that files are served as. Whatever is none of the others is ``octetStream``.
enum MediaType: String, CaseIterable, Sendable {
    case png = "image/png"
    case jpeg = "image/jpeg"
    case gif = "image/gif"
    case webp = "image/webp"
    case avif = "image/avif"
    case mp4 = "video/mp4"
    case webm = "video/webm"
    case quickTime = "video/quicktime"
    case oggVideo = "video/ogg"
    case mp3 = "audio/mpeg"
    case oggAudio = "audio/ogg"
    case wav = "audio/wav"
    case flac = "audio/flac"
    case m4a = "audio/mp4"

    case pdf = "application/pdf"
    case zip = "application/zip"
    case gzip = "application/gzip"
    case docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    case xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    case pptx = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
    case odt = "application/vnd.oasis.opendocument.text"
    case ods = "application/vnd.oasis.opendocument.spreadsheet"
    case odp = "application/vnd.oasis.opendocument.presentation"
    case plainText = "text/plain"
    case octetStream = "application/octet-stream"

    /// Whether a browser may show it where it is; all else is an attachment.
    var isInline: Bool {
        switch self {
        case .png, .jpeg, .gif, .webp, .avif, .mp4, .webm, .quickTime, .oggVideo, .mp3, .oggAudio, .wav, .flac, .m4a:
            true
        case .pdf, .zip, .gzip, .docx, .xlsx, .pptx, .odt, .ods, .odp, .plainText, .octetStream: false
        }
    }

    /// The type of an office document. By its bytes it is a ZIP archive; which of them it is, its sender says.
    /// - Parameter declared: the value of `Content-Type`.
    /// - Returns: `nil` for any other type.
    static func office(declared: String) -> MediaType? {
        let essence = declared.prefix { $0 != ";" }.drop { $0 == " " }
        let trimmed = essence.prefix { $0 != " " && $0 != "\t" }
        switch MediaType(rawValue: trimmed.lowercased()) {
        case .some(let type) where [.docx, .xlsx, .pptx, .odt, .ods, .odp].contains(type): return type
        default: return nil
        }
    }
}
