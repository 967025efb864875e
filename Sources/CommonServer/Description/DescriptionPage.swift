import HTTPTypes
import Hummingbird
import NIOCore

/// An HTML page of a description. It loads nothing: no script, no font, no other host.
struct DescriptionPage {
    let description: APIDescription

    var html: String {
        """
        <!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width">
        <title>\(Self.escaped(description.title))</title>
        <style>\(Self.style)</style>
        <h1>\(Self.escaped(description.title))</h1>
        <p>The <a href="/openapi.yaml">OpenAPI description</a> as a page. Open a call to see all of it.</p>
        <pre class="text">\(Self.escaped(description.introduction))</pre>
        <h2>Calls</h2>
        \(description.calls.map(Self.section).joined(separator: "\n"))
        <h2>Types</h2>
        \(description.schemas.map(Self.section).joined(separator: "\n"))
        </html>

        """
    }

    private static func section(_ call: APIDescription.Call) -> String {
        """
        <details><summary><b class="\(call.method)">\(call.method)</b> <code>\(escaped(call.path))</code> \
        \(escaped(call.summary))</summary><pre>\(escaped(call.text))</pre></details>
        """
    }

    private static func section(_ schema: APIDescription.Schema) -> String {
        """
        <details id="\(escaped(schema.name))"><summary><code>\(escaped(schema.name))</code></summary>\
        <pre>\(escaped(schema.text))</pre></details>
        """
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }

    static let style = """
        :root { color-scheme: light dark }
        body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
        summary { cursor: pointer; padding: .3rem 0 }
        summary b { display: inline-block; width: 4.5rem }
        pre { overflow-x: auto; padding: .75rem; border: 1px solid #8886; border-radius: .4rem; font-size: .85rem }
        pre.text { white-space: pre-wrap; border: 0; padding: 0; font: inherit }
        .GET { color: #27a } .POST { color: #283 } .PUT, .PATCH { color: #a60 } .DELETE { color: #c33 }
        """
}

extension Routes {
    /// Adds `/openapi.yaml` and `/docs`, which respond while the server is still starting.
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
