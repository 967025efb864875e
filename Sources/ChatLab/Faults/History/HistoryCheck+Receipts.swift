/// How far the others have read, which is told in passing and is no part of the log.
extension HistoryCheck {
    /// For one user on one connection it only moves forward, and never beyond the room's end.
    mutating func check(_ receipts: [History.Receipt], of session: History.Session, head: Int) {
        struct Place: Hashable {
            var userID: Int
            var connection: Int
        }

        var furthest: [Place: Int] = [:]
        for receipt in receipts {
            let place = Place(userID: receipt.userID, connection: receipt.connection)
            let text =
                "\(session.name) heard that user \(receipt.userID) read \(session.room) to \(receipt.lastReadSeq)"
            if let last = furthest[place], receipt.lastReadSeq < last { note(.reordered, "\(text), after \(last)") }
            if receipt.lastReadSeq > head { note(.foreign, "\(text), beyond its end \(head)") }
            furthest[place] = max(furthest[place] ?? 0, receipt.lastReadSeq)
        }
    }
}
