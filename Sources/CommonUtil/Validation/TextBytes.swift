extension UInt8 {
    /// Whether this is one of the characters `0` to `9`.
    @inlinable public var isASCIIDigit: Bool { self &- 0x30 < 10 }
}

extension StringProtocol {
    /// Whether another text has the same bytes. Swift's `==` also holds for texts that are only canonically equivalent (such as
    /// `é` as one scalar and as two), which are different data for PostgreSQL and for clients.
    @inlinable public func hasSameBytes(as other: some StringProtocol) -> Bool { utf8.elementsEqual(other.utf8) }
}
