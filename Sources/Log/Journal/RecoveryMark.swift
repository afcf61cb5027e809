// A note of the record being re-executed, which outlives the process.

internal import Glibc
internal import Platform
internal import Wire

/// The crash mark of a replay: a small mapped file with the sequence of the record being applied. A
/// record that stops the engine by a bug leaves its sequence there; if the next start dies at the
/// same one, the start after that reports it instead of retrying for ever.
///
///      0  8    magic, "BOURSEM1"
///      8  u64  sequence being applied
///     16  u64  sequence at which the start before died; 0 for none
///
/// The page outlives the process but not a power cut, which is no fault of a record. Where the file
/// can't be made the replay goes on without it.
@safe final class RecoveryMark {
    private static let bytes = 4096
    private static let magic: UInt64 = 0x314D_4553_5255_4F42
    private let path: String
    private let page: UnsafeMutableRawPointer?

    /// Begins a replay. Throws `diesAt` where two starts in a row died at one sequence that is not
    /// voided since.
    init(_ path: String, voided: VoidedSequences) throws(JournalError) {
        self.path = path
        let previous = Self.read(path)
        if let previous, previous.diedBefore == previous.sequence, previous.sequence != 0,
            !voided.contains(previous.sequence)
        {
            throw .diesAt(sequence: previous.sequence, mark: path)
        }
        unsafe page = Self.map(path)
        unsafe page?.storeBytes(of: Self.magic, toByteOffset: 0, as: UInt64.self)
        unsafe page?.storeBytes(of: 0, toByteOffset: 8, as: UInt64.self)
        unsafe page?.storeBytes(of: previous?.sequence ?? 0, toByteOffset: 16, as: UInt64.self)
    }

    deinit { if let page = unsafe page { _ = unsafe munmap(page, Self.bytes) } }

    /// Notes the record about to be applied. One store.
    @inline(__always) func enter(_ sequence: UInt64) {
        unsafe page?.storeBytes(of: sequence, toByteOffset: 8, as: UInt64.self)
    }

    /// Clears the mark: the replay has ended.
    func remove() { try? Directory.remove(path) }

    private static func read(_ path: String) -> (sequence: UInt64, diedBefore: UInt64)? {
        guard let bytes = try? File(path, .read).read(count: 24), bytes.count == 24 else {
            return nil
        }
        return unsafe bytes.withUnsafeBytes { raw in
            var r = unsafe WireReader(raw)
            guard r.integer(UInt64.self) == magic else { return nil }
            return (r.integer(), r.integer())
        }
    }

    private static func map(_ path: String) -> UnsafeMutableRawPointer? {
        guard let file = try? File(path, .create),
            // Written, not only allocated: a store into a page without a disk block could be fatal.
            (try? file.write([UInt8](repeating: 0, count: bytes))) != nil
        else { return nil }
        let raw = unsafe mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.descriptor, 0)
        return unsafe raw == MAP_FAILED ? nil : raw
    }
}
