// The checksum of records, segment headers and snapshots.

internal import CLinux

/// CRC32C (Castagnoli; RFC 3720 appendix B.4), by the processor's instruction if available.
public enum CRC32C {
    private static let isFast = bourse_crc32c_is_fast() != 0

    /// The checksum of `bytes`, continuing that of earlier bytes. About 8 bytes in 3 cycles.
    public static func checksum(_ bytes: UnsafeRawBufferPointer, from crc: UInt32 = 0) -> UInt32 {
        unsafe isFast
            ? bourse_crc32c_fast(crc, bytes.baseAddress, bytes.count)
            : bourse_crc32c_table(crc, bytes.baseAddress, bytes.count)
    }

    /// The same by table, on any processor.
    public static func checksumByTable(
        _ bytes: UnsafeRawBufferPointer, from crc: UInt32 = 0
    ) -> UInt32 { unsafe bourse_crc32c_table(crc, bytes.baseAddress, bytes.count) }

    /// The checksum of a whole record: bytes 8 ..< length.
    public static func record(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        precondition(bytes.count >= 48, "a whole record")
        return unsafe checksum(UnsafeRawBufferPointer(rebasing: bytes[8...]))
    }

    /// Writes a whole record's checksum into its bytes 4 ..< 8.
    public static func seal(record bytes: UnsafeMutableRawBufferPointer) {
        let crc = unsafe record(UnsafeRawBufferPointer(bytes))
        unsafe bytes.storeBytes(of: crc.littleEndian, toByteOffset: 4, as: UInt32.self)
    }
}
