import HTTPTypes
import Hummingbird
import NIOCore

extension Routes {
    /// Serves a description as `/openapi.yaml` and as a page at `/docs`, from the server's first moment on.
    public mutating func describe(_ description: APIDescription) {
        let yaml = ByteBuffer(string: description.text)
        let pageHeaders = SecurityHeaders.page(style: DescriptionPage.style)
        let page = ByteBuffer(string: DescriptionPage(description: description).html)
        on(.get, "/openapi.yaml", waitsForStart: false) { _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/yaml", .cacheControl: "no-cache"],
                body: ResponseBody(byteBuffer: yaml))
        }
        on(.get, "/docs", waitsForStart: false) { _, _ in
            Response(
                status: .ok,
                headers: [.contentType: "text/html; charset=utf-8", .cacheControl: "no-cache"] + pageHeaders,
                body: ResponseBody(byteBuffer: page))
        }
    }
}
