// The gateways that proved their names, as numbers.

import Synchronization
import Terms

/// Gives each gateway on a host of its own a number, the same one as long as the process runs. So
/// a request says by four bytes whose it is, whatever becomes of its connection meanwhile.
final class GatewayNames: Sendable {
    private let writers = Mutex<[Text40]>([])

    /// Different names that a process takes, at most: the cluster's authority has signed each.
    private static let capacity = 4_096

    /// The number of the gateway whose sessions are called `writer`, from 1 on; nil: there have
    /// been too many.
    func number(of writer: Text40) -> UInt32? {
        writers.withLock { all in
            if let at = all.firstIndex(of: writer) { return UInt32(at) + 1 }
            guard all.count < Self.capacity else { return nil }
            all.append(writer)
            return UInt32(all.count)
        }
    }

    /// What the sessions of the gateway with this number are called.
    func writer(_ number: UInt32) -> Text40? {
        writers.withLock { all in
            number > 0 && number <= all.count ? all[Int(number) - 1] : nil
        }
    }
}
