/// The response to an HTTP call.
struct ClientResponse: Sendable {
    var status: Int
    /// Fields by their names in lower case; for a repeated field the last value.
    var headers: [String: String] = [:]
    var body: [UInt8] = []
    /// Whether the call was made twice, since the first one had no response.
    var isRepeated = false
}

extension ClientResponse {
    /// The pause that the server asks for. A date is compared with the response's own `Date`. A pause of 0 counts as
    /// absent: in place of the growing pauses it would make a loop without any.
    var retryAfterMilliseconds: Int64? {
        guard let text = headers["retry-after"] else { return nil }
        var pause = Int64(text)
        if pause == nil, let end = HTTPDate.seconds(text), let now = headers["date"].flatMap(HTTPDate.seconds) {
            pause = end - now
        }
        return pause.flatMap { $0 > 0 ? min($0, 86_400) * 1000 : nil }
    }

    /// The error of a response that is not a success.
    func error(_ json: JSONValue?) -> ChatError {
        let isTemporary = status >= 500 || status == 408 || status == 425 || status == 429
        let code = json?["code"]?.string ?? (status >= 500 ? "network" : "protocol")
        return ChatError(
            ChatError.Code(rawValue: code), json?["detail"]?.string ?? "The server answered \(status)", status: status,
            traceID: json?["traceId"]?.string, retryAfterMilliseconds: retryAfterMilliseconds, isTemporary: isTemporary)
    }
}

/// The usual form of dates in HTTP (RFC 9110 section 5.6.7).
enum HTTPDate {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Seconds since 1970; `nil` if the text is not a date.
    static func seconds(_ text: String) -> Int64? {
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT", let day = Int64(parts[1]), (1...31).contains(day),
            let month = months.firstIndex(of: String(parts[2])), let year = Int64(parts[3]),
            (1970...9999).contains(year)
        else { return nil }
        let time = parts[4].split(separator: ":").compactMap { Int64($0) }
        guard time.count == 3, (0..<24).contains(time[0]), (0..<60).contains(time[1]), (0...60).contains(time[2]) else {
            return nil
        }
        // Days since 1970 of the proleptic Gregorian calendar, years beginning in March.
        let (shifted, index) = month < 2 ? (year - 1, Int64(month) + 10) : (year, Int64(month) - 2)
        let days =
            shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + (index * 306 + 5) / 10 + day - 1 - 719_468
        return days * 86_400 + time[0] * 3600 + time[1] * 60 + time[2]
    }
}
