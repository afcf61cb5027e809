// The maps of a PSBT, and how two of them become one.

/// One map of a PSBT: keys, which are unique, and values, in the order in which they came.
///
///     key length | type, data | value length | value  …  00
public struct PSBTMap: Hashable, Sendable {
    /// A key and its value.
    public struct Record: Hashable, Sendable {
        /// What it is, see `PSBTType`.
        public let type: UInt64
        /// What stands behind the type in the key.
        public let data: [UInt8]
        /// The value.
        public var value: [UInt8]

        var key: [UInt8] {
            var key: [UInt8] = []
            key.append(compactSize: type)
            return key + data
        }
    }

    /// All records.
    public private(set) var records: [Record] = []

    init() {}

    /// Reads up to the zero that ends a map.
    init(_ reader: inout ChainByteReader) throws(PSBTError) {
        do {
            records = try Self.records(&reader)
        } catch {
            throw .malformed(error)
        }
        var seen: Set<[UInt8]> = []
        for record in records where !seen.insert(record.key).inserted {
            throw .duplicateKey(record.key)
        }
    }

    private static func records(
        _ reader: inout ChainByteReader
    ) throws(UTXODecodingError) -> [Record] {
        var records: [Record] = []
        while true {
            let key = try reader.string()
            if key.isEmpty { return records }
            var parts = ChainByteReader(key)
            let type = try parts.compactSize()
            let data = try parts.take(parts.remaining)
            records.append(Record(type: type, data: data, value: try reader.string()))
        }
    }

    func write(to bytes: inout [UInt8]) {
        for record in records {
            bytes.append(string: record.key)
            bytes.append(string: record.value)
        }
        bytes.append(0)
    }

    /// The value of a key; nil where there is none.
    public func value(_ type: UInt64, _ data: [UInt8] = []) -> [UInt8]? {
        records.first { $0.type == type && $0.data == data }?.value
    }

    /// The records of a type.
    public func all(_ type: UInt64) -> [Record] { records.filter { $0.type == type } }

    /// Sets the value of a key: in place, or where the keys' order puts it.
    mutating func set(_ type: UInt64, _ data: [UInt8] = [], to value: [UInt8]) {
        if let place = records.firstIndex(where: { $0.type == type && $0.data == data }) {
            records[place].value = value
            return
        }
        let record = Record(type: type, data: data, value: value)
        let key = record.key
        let place = records.firstIndex { key.lexicographicallyPrecedes($0.key) }
        records.insert(record, at: place ?? records.endIndex)
    }

    /// Keeps the records for which `keep` is true.
    mutating func keep(_ keep: (Record) -> Bool) { records.removeAll { !keep($0) } }

    /// All records of both, in the order of their keys. Of signatures that differ the lesser bytes
    /// are kept, so the order of the two does not matter; other values must not differ.
    func merged(_ other: PSBTMap, mayDiffer: Set<UInt64>) throws(PSBTError) -> PSBTMap {
        var values: [[UInt8]: Record] = [:]
        for record in records { values[record.key] = record }
        for record in other.records {
            guard let own = values[record.key], own.value != record.value else {
                values[record.key] = record
                continue
            }
            guard mayDiffer.contains(record.type) else { throw .conflict(record.key) }
            if record.value.lexicographicallyPrecedes(own.value) { values[record.key] = record }
        }
        var merged = PSBTMap()
        merged.records = values.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
        return merged
    }
}
