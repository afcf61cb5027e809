// /probe/fencing: whether root may run the program that switches the other host's power off.

/// What was found of that program. Absent where this user may not look.
package enum FencingReading: Hashable, Sendable {
    /// Root may run it.
    case trusted
    /// It must not, for this reason.
    case fault(String)

    /// Where it is read.
    package static let path = "/probe/fencing"

    /// Reads `text`; nil for anything else.
    package init?(_ text: String) {
        switch text.split(whereSeparator: \.isNewline).first {
        case "trusted": self = .trusted
        case let line? where line.hasPrefix("fault "): self = .fault(String(line.dropFirst(6)))
        default: return nil
        }
    }

    /// The text that `init` reads.
    package var text: String {
        switch self {
        case .trusted: "trusted\n"
        case .fault(let reason): "fault \(reason)\n"
        }
    }
}
