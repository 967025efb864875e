/// The Prometheus text exposition format, version 0.0.4.
enum PrometheusText {
    /// The lines `# HELP` and `# TYPE` of a metric.
    static func head(_ name: String, kind: String) -> String {
        let help = MetricCatalog.help(for: name).replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
        return "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
    }

    /// The line of a sample.
    static func sample(_ name: String, _ labels: String, _ value: String) -> String {
        labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels)} \(value)\n"
    }

    /// The text of a value.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return Int64(exactly: value).map(String.init) ?? "\(value)"
    }

    /// The text between the braces, sorted, so that equal label sets are one series in any order.
    static func labels(_ dimensions: [(String, String)]) -> String {
        dimensions.sorted { $0.0 < $1.0 }
            .map { "\(name($0.0, allowsColon: false))=\"\(escaped($0.1))\"" }.joined(separator: ",")
    }

    /// Makes a valid name: ASCII letters, digits and underscores, without a digit at the start. Other characters become
    /// underscores.
    static func name(_ text: String, allowsColon: Bool = true) -> String {
        let cleaned = text.unicodeScalars.map { scalar -> Character in
            let isWord = scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
            return isWord || scalar == "_" || (allowsColon && scalar == ":") ? Character(scalar) : "_"
        }
        guard let first = cleaned.first, !first.isNumber else { return "_" + String(cleaned) }
        return String(cleaned)
    }

    private static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
