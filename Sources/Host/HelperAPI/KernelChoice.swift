// A file of the kernel that offers several words and marks the chosen one.

/// `always [madvise] never`.
package enum KernelChoice {
    /// The word in brackets; nil where there is none.
    package static func chosen(in text: some StringProtocol) -> String? {
        guard let open = text.firstIndex(of: "["), let close = text[open...].firstIndex(of: "]")
        else { return nil }
        return String(text[text.index(after: open)..<close])
    }
}
