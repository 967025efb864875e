import ChatLocalStack
import CommonUtil
import Foundation
import NIOCore

/// One large file, taken and served by the message server and by nginx, by turns.
struct FileSpeeds: Sendable {
    private struct File: Decodable { var fileId: String }

    /// Times in seconds.
    private struct Times {
        var uploads: [Double] = []
        var downloads: [Double] = []
    }

    /// A server that takes a file and serves it.
    private enum Server: Sendable {
        case chat(port: Int, room: String)
        case nginx(Nginx)

        var port: Int {
            switch self {
            case .chat(let port, _): port
            case .nginx(let nginx): nginx.port
            }
        }

        func uploadHead(name: String, size: Int) -> ByteBuffer {
            switch self {
            case .chat(_, let room): UploadCall(caller: .userID(1)).head(room: room, name: name, size: size)
            case .nginx:
                ByteBuffer(
                    string: "PUT /\(name) HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: \(size)\r\n\r\n")
            }
        }

        /// - Parameter upload: the answer to the upload.
        func downloadHead(name: String, _ upload: FileTransfer.Answer) throws -> ByteBuffer {
            switch self {
            case .chat:
                let file = try JSONDecoder().decode(File.self, from: Data(upload.text.utf8))
                return UploadCall(caller: .userID(1)).download(of: file.fileId)
            case .nginx: return ByteBuffer(string: "GET /\(name) HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            }
        }
    }

    /// Measures and adds the figures to the report.
    static func measure(
        _ stack: LocalStack, room: String, size: Int, rounds: Int, _ report: inout BenchReport
    ) async throws {
        let chat = Server.chat(port: stack.messageServers[0].port, room: room)
        guard let program = Nginx.program else {
            let own = try await times(of: [chat], size: size, rounds)[0]
            report.lines += [
                .init("taking a file of \(size >> 20) MiB", unit: "s", own.uploads),
                .init("serving it", unit: "s", own.downloads),
            ]
            report.notes.append("nginx is not installed, so there is no reference: ./chat bench files --yes")
            return
        }
        let folder = "\(stack.folder)/nginx"
        try PrivateFolder.create(folder, mode: 0o711)
        let nginx = try await Nginx.start(program, folder: folder)
        let times: [Times]
        do {
            times = try await Self.times(of: [chat, .nginx(nginx)], size: size, rounds)
        } catch {
            // Of its own, since this task may have been cancelled.
            await Task { try? await nginx.stop() }.value
            throw error
        }
        try await nginx.stop()
        let (own, other) = (times[0], times[1])
        report.lines += [
            .init("taking a file of \(size >> 20) MiB", unit: "s", own.uploads, beside: "nginx, PUT", other.uploads),
            .init("serving it", unit: "s", own.downloads, beside: "nginx, GET", other.downloads),
        ]
        func rate(_ seconds: [Double]) -> Double { Double(size) / 1e6 / max(1e-9, Spread(seconds).median) }
        report.notes.append(
            String(
                format: "taking %.0f MB/s, nginx %.0f; serving %.0f MB/s, nginx %.0f", rate(own.uploads),
                rate(other.uploads), rate(own.downloads), rate(other.downloads)))
    }

    /// The times of each server, which come by turns. One round before them is not counted.
    private static func times(of servers: [Server], size: Int, _ rounds: Int) async throws -> [Times] {
        var times = servers.map { _ in Times() }
        for round in 0...rounds {
            Terminal.print(round == 0 ? "One file, warming up …" : "One file, round \(round) of \(rounds) …")
            for (index, server) in servers.enumerated() {
                let name = "file-\(round)"
                let upload = try await FileTransfer.run(
                    port: server.port, head: server.uploadHead(name: name, size: size), bodySize: size)
                guard upload.status == 201 else {
                    throw LocalStackError("an upload was answered with \(upload.status): \(upload.text)")
                }
                let download = try await FileTransfer.run(
                    port: server.port, head: try server.downloadHead(name: name, upload))
                guard download.status == 200, download.size == size else {
                    throw LocalStackError("a download was answered with \(download.status), \(download.size) bytes")
                }
                guard round > 0 else { continue }
                times[index].uploads.append(upload.seconds)
                times[index].downloads.append(download.seconds)
            }
        }
        return times
    }
}
