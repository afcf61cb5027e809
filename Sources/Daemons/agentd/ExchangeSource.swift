// How matchd is, over the Link.

import Checks
import Link
import Terms

/// Asks matchd for its status, over a connection that is kept.
// Sendable, as one thread uses it: the one that samples.
final class ExchangeSource: @unchecked Sendable {
    private let socket: String
    private var client: LinkClient?

    /// Nanoseconds that an answer may take.
    private static var answerNanosMax: Int64 { 2_000_000_000 }

    init(socket: String) { self.socket = socket }

    /// The text of `/probe/exchange`; none while matchd does not answer.
    func texts() -> [String: String] {
        do throws(LinkError) {
            return [ExchangeReading.path: Self.text(try status())]
        } catch {
            client = nil
            return [:]
        }
    }

    private func status() throws(LinkError) -> LinkStatus {
        if let client { return try client.status(timeoutNanos: Self.answerNanosMax) }
        let made = try LinkClient.connect(
            unix: socket, name: Text40("agent") ?? Text40(), wantsAcks: false,
            timeoutNanos: Self.answerNanosMax)
        client = made
        return try made.status(timeoutNanos: Self.answerNanosMax)
    }

    private static func text(_ status: LinkStatus) -> String {
        ExchangeReading(
            ExchangeCounter.watched.map { counter in
                switch status[counter] {
                case .number(let number): (counter, "\(number)")
                case .flag(let flag): (counter, flag ? "1" : "0")
                case .time(let nanos): (counter, "\(nanos)")
                case .text(let text): (counter, text)
                }
            }
        ).text
    }
}
