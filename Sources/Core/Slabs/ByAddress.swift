// Large values that are never copied, not even to be read.

internal import Synchronization

/// A field of no meaning that makes the compiler pass the type that has it by its address.
///
/// A non-copyable struct of plain fields is handed to each borrowing call as a bitwise copy of all
/// its fields: some 700 bytes for an engine, more than the work of the call itself. Types with raw
/// storage inside are always passed by address. Not for small types.
public struct ByAddress: ~Copyable {
    private let storage = Atomic<UInt8>(0)

    /// The field.
    public init() {}
}
