import CommonUtil

/// Something that belongs to a room.
protocol RoomKeyed {
    var roomID: RoomID { get }
}

extension RoomID: RoomKeyed {
    var roomID: RoomID { self }
}

/// One element for each of some rooms, in an array that is sorted by the rooms' ids. It takes a quarter of a dictionary's
/// memory, which counts where ten thousand users have a hundred rooms each. Lookups are binary searches.
struct RoomTable<Element: RoomKeyed> {
    /// All elements, in the order of their rooms' ids.
    private(set) var elements: [Element] = []

    /// The element of a room.
    subscript(roomID: RoomID) -> Element? {
        let (index, isFound) = place(of: roomID)
        return isFound ? elements[index] : nil
    }

    /// Adds an element, unless there is one of its room.
    /// - Returns: whether it was added.
    @discardableResult
    mutating func insert(_ element: Element) -> Bool {
        let (index, isFound) = place(of: element.roomID)
        if !isFound { elements.insert(element, at: index) }
        return !isFound
    }

    /// Removes the element of a room.
    @discardableResult
    mutating func remove(_ roomID: RoomID) -> Element? {
        let (index, isFound) = place(of: roomID)
        return isFound ? elements.remove(at: index) : nil
    }

    private func place(of roomID: RoomID) -> (index: Int, isFound: Bool) {
        var (low, high) = (0, elements.count)
        while low < high {
            let middle = (low + high) / 2
            let other = elements[middle].roomID
            if other == roomID { return (middle, true) }
            if other.rawValue < roomID.rawValue { low = middle + 1 } else { high = middle }
        }
        return (low, false)
    }
}
