/// The object identifier of a built-in type (PostgreSQL source, `pg_type.dat`; manual, section 8.19).
struct PostgresType: RawRepresentable, Sendable, Hashable {
    let rawValue: UInt32

    static let bool = Self(rawValue: 16)
    static let bytea = Self(rawValue: 17)
    static let name = Self(rawValue: 19)
    static let int8 = Self(rawValue: 20)
    static let int2 = Self(rawValue: 21)
    static let int4 = Self(rawValue: 23)
    static let text = Self(rawValue: 25)
    static let json = Self(rawValue: 114)
    static let unknown = Self(rawValue: 705)
    static let bpchar = Self(rawValue: 1042)
    static let varchar = Self(rawValue: 1043)
    static let timestamptz = Self(rawValue: 1184)
    static let jsonb = Self(rawValue: 3802)

    static let boolArray = Self(rawValue: 1000)
    static let byteaArray = Self(rawValue: 1001)
    static let int4Array = Self(rawValue: 1007)
    static let textArray = Self(rawValue: 1009)
    static let int8Array = Self(rawValue: 1016)
    static let timestamptzArray = Self(rawValue: 1185)

    /// Every array type whose elements can be decoded.
    static let arrays: Set<PostgresType> = [
        .boolArray, .byteaArray, .int4Array, .textArray, .int8Array, .timestamptzArray,
        // Of `json`, `name`, `int2`, `bpchar`, `varchar` and `jsonb`.
        Self(rawValue: 199), Self(rawValue: 1003), Self(rawValue: 1005), Self(rawValue: 1014), Self(rawValue: 1015),
        Self(rawValue: 3807),
    ]
}

extension PostgresType: CustomStringConvertible {
    var description: String {
        switch self {
        case .bool: "bool"
        case .bytea: "bytea"
        case .int8: "int8"
        case .int2: "int2"
        case .int4: "int4"
        case .text: "text"
        case .timestamptz: "timestamptz"
        default: "type \(rawValue)"
        }
    }
}

/// A point in time as `timestamptz` keeps it: whole microseconds, here since the Unix epoch.
public struct PostgresTimestamp: Sendable, Hashable {
    /// Microseconds since the Unix epoch.
    public var microsecondsSinceEpoch: Int64

    /// Makes a timestamp.
    public init(microsecondsSinceEpoch: Int64) {
        self.microsecondsSinceEpoch = microsecondsSinceEpoch
    }

    /// 2000-01-01, the zero of PostgreSQL's binary format, in microseconds since the Unix epoch.
    private static let wireEpoch: Int64 = 946_684_800_000_000

    /// The binary format: microseconds since 2000-01-01. Saturates; the server refuses the ends of the range.
    var wireValue: Int64 {
        let (value, overflow) = microsecondsSinceEpoch.subtractingReportingOverflow(Self.wireEpoch)
        return overflow ? .min : value
    }

    /// `nil` for `infinity` and `-infinity`.
    init?(wireValue: Int64) {
        guard wireValue != .max, wireValue != .min else { return nil }
        let (value, overflow) = wireValue.addingReportingOverflow(Self.wireEpoch)
        guard !overflow else { return nil }
        microsecondsSinceEpoch = value
    }
}
