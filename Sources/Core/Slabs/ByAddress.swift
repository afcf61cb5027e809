// Large values that are never copied, not even for reading.

internal import Synchronization

/// A meaningless field that makes the compiler pass its type by address.
///
/// A noncopyable struct of plain fields is passed to each borrowing call as a bitwise copy: some
/// 700 bytes for an engine, more than the work of the call itself. Types with raw storage are
/// always passed by address. Not for small types.
public struct ByAddress: ~Copyable {
    private let storage = Atomic<UInt8>(0)

    /// The field.
    public init() {}
}
