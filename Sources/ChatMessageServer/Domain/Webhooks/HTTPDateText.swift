import CommonUtil

/// The dates of HTTP (RFC 9110 section 5.6.7), of which a recipient reads three forms:
///
///     Sun, 06 Nov 1994 08:49:37 GMT     IMF-fixdate
///     Sunday, 06-Nov-94 08:49:37 GMT    RFC 850
///     Sun Nov  6 08:49:37 1994          asctime(3)
///
/// The name of the day is not compared with the date.
enum HTTPDateText {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Reads a date.
    /// - Returns: `nil` for any other text, and for a day that its month does not have.
    static func time(_ text: String) -> Timestamp? {
        var parts = text.split(whereSeparator: { $0 == " " || $0 == "-" || $0 == "," })[...]
        guard parts.popFirst()?.allSatisfy(\.isLetter) == true else { return nil }
        let (day, month, year, clock): (Substring, Substring, Substring, Substring)
        switch (parts.count, parts.last) {
        case (5, "GMT"): (day, month, year, clock) = (parts[1], parts[2], parts[3], parts[4])
        case (4, _): (day, month, year, clock) = (parts[2], parts[1], parts[4], parts[3])
        default: return nil
        }
        guard let number = months.firstIndex(of: String(month)), let year = fullYear(year) else { return nil }
        let monthText = number < 9 ? "0\(number + 1)" : "\(number + 1)"
        let dayText = day.utf8.count == 1 ? "0\(day)" : "\(day)"
        return Timestamp(rfc3339: "\(year)-\(monthText)-\(dayText)T\(clock)Z")
    }

    /// A year of two digits is in this century until 2049, which is near enough to "not more than 50 years ahead".
    private static func fullYear(_ text: Substring) -> String? {
        guard text.utf8.allSatisfy(\.isASCIIDigit) else { return nil }
        switch text.utf8.count {
        case 4: return String(text)
        case 2: return (text < "50" ? "20" : "19") + text
        default: return nil
        }
    }
}
