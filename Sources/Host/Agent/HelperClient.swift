// The client of the root helper.

import Checks
package import HelperAPI
import Platform

/// Why the helper did not carry out a request.
package struct HelperClientError: Error, Hashable, Sendable, CustomStringConvertible {
    /// One line, as `refused WHY` or `failed WHY`.
    package let description: String
    /// Whether the helper replied; else it may be absent.
    var isAnswer = false
}

/// The root helper by its socket.
package struct HelperClient: Sendable {
    /// The path of its socket.
    let socket: String

    /// The helper at this socket.
    package init(socket: String) { self.socket = socket }

    /// Nanoseconds that a reply may take: a sleeping disk is slow to report its health.
    static var answerNanosMax: Int64 { 30_000_000_000 }
    /// Maximum size of a reply.
    static var answerBytesMax: Int { 65_536 }

    /// Has it carry out a request; returns the rest of the first line, and the further lines.
    package func ask(
        _ request: HelperRequest
    ) throws(HelperClientError) -> (first: String, lines: [String]) {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try UnixSocket.ask(
                socket, Array("\(request.line)\n".utf8), bytesMax: Self.answerBytesMax,
                timeoutNanos: Self.answerNanosMax
            ) { $0.suffix(2) == [0x0A, 0x0A] }
        } catch { throw HelperClientError(description: "failed \(error)") }
        guard bytes.last == 0x0A, let text = String(validating: bytes, as: UTF8.self) else {
            throw HelperClientError(description: "failed the helper's reply is incomplete")
        }
        let lines = text.split(separator: "\n").map(String.init)
        guard let first = lines.first, first == "ok" || first.hasPrefix("ok ") else {
            throw HelperClientError(
                description: lines.first ?? "failed the helper gave no reply", isAnswer: true)
        }
        return (String(first.dropFirst(3)), Array(lines.dropFirst()))
    }
}

extension HelperClient {
    /// The health of disks, as the texts of `/probe/nvme/DISK` and `/probe/ata/DISK`; disks
    /// without a health log are left out.
    func health(of disks: [String]) -> [String: String] {
        var texts: [String: String] = [:]
        for disk in disks {
            guard let lines = try? ask(.health(disk: disk)).lines, let kind = lines.first,
                kind == "nvme" || kind == "ata"
            else { continue }
            let rest = lines.dropFirst().map { kind == "nvme" ? Self.specified($0) : $0 }
            let path = kind == "nvme" ? NVMeHealth.path(disk) : ATAHealth.path(disk)
            texts[path] = rest.map { "\($0)\n" }.joined()
        }
        return texts
    }

    /// A line of smartctl's names by those of the NVMe specification, the temperature in kelvin.
    private static func specified(_ line: String) -> String {
        let words = line.split(separator: " ")
        guard words.count == 2 else { return line }
        switch words[0] {
        case "media_errors": return "media_and_data_integrity_errors \(words[1])"
        case "temperature":
            return Int(words[1]).map { "composite_temperature \($0 + 273)" } ?? line
        default: return line
        }
    }
}
