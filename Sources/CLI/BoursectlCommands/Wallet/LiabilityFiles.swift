// The files of a proof of liabilities.

import Glibc
import JSON
import Liabilities
import Platform
import Presentation

/// A directory with a root and proofs.
struct LiabilityFiles {
    /// Where they are.
    let directory: String

    /// What is published.
    var root: String { Directory.join(directory, "root.json") }
    /// All proofs, one in a line.
    var proofs: String { Directory.join(directory, "proofs.jsonl") }
    /// One account's proof.
    func proof(_ account: UInt32) -> String {
        Directory.join(directory, "proof-\(account).json")
    }

    /// Longest text of a proof or a root, in bytes: a proof of 2^64 accounts fits.
    static let lineBytesMax = 16_384
    private static let chunkBytes = 1 << 20

    /// Makes the directory, which must not exist.
    func make() throws(CommandError) {
        guard unsafe mkdir(directory, 0o700) == 0 else {
            let error = SystemError.last("create directory", directory)
            throw CommandError(
                "\(error)", repair: "--out names a new directory, in one that exists")
        }
    }

    /// Writes the proofs at these places, in lines.
    func write(
        _ places: Range<Int>, of tree: LiabilityTree, to path: String
    ) throws(CommandError) {
        var meter = ProgressMeter("Writing", unit: "proofs")
        defer { meter.clear() }
        try CommandError.wrapping { () throws(SystemError) in
            _ = try File.replace(path) { file throws(SystemError) in
                var (text, offset): ([UInt8], Int) = ([], 0)
                text.reserveCapacity(Self.chunkBytes + Self.lineBytesMax)
                for place in places {
                    tree.proof(at: place).write(into: &text)
                    text.append(UInt8(ascii: "\n"))
                    guard text.count >= Self.chunkBytes || place + 1 == places.upperBound else {
                        continue
                    }
                    try file.write(text, at: offset)
                    offset += text.count
                    text.removeAll(keepingCapacity: true)
                    meter.draw(
                        done: UInt64(place - places.lowerBound + 1), total: UInt64(places.count))
                }
            }
        }
    }

    /// The root in a file.
    static func readRoot(_ path: String) throws(CommandError) -> LiabilityRoot {
        let bytes = try CommandError.wrapping { () throws(SystemError) in
            try File(path, .read).read(count: lineBytesMax + 1)
        }
        guard bytes.count <= lineBytesMax,
            let root = JSONValue(parsing: bytes).flatMap({ LiabilityRoot($0) })
        else { throw CommandError("\(path) is no root of liabilities") }
        return root
    }

    /// Calls `body` with each proof of a file, and the share of the file that is done.
    static func forEachProof(
        _ path: String,
        _ body: (LiabilityProof, _ done: UInt64, _ total: UInt64) throws(CommandError) -> Void
    ) throws(CommandError) {
        let (file, total) = try CommandError.wrapping { () throws(SystemError) in
            let file = try File(path, .read)
            return (file, try file.size())
        }
        var (text, offset, line): ([UInt8], Int, Int) = ([], 0, 0)
        while true {
            let chunk = try CommandError.wrapping { () throws(SystemError) in
                try file.read(count: chunkBytes, at: offset)
            }
            offset += chunk.count
            text += chunk
            // The end ends a line as well.
            let isLast = chunk.count < chunkBytes
            var start = 0
            while start < text.count {
                guard let end = text[start...].firstIndex(of: 0x0A) ?? (isLast ? text.count : nil)
                else { break }
                line += 1
                guard end - start <= lineBytesMax,
                    let proof = JSONValue(parsing: text[start..<end])
                        .flatMap({ LiabilityProof($0) })
                else { throw CommandError("\(path), line \(line): this is no proof") }
                try body(proof, UInt64(offset - text.count + end), UInt64(total))
                start = min(end + 1, text.count)
            }
            text.removeFirst(start)
            guard !isLast else { return }
            guard text.count <= lineBytesMax else {
                throw CommandError("\(path), line \(line + 1): this is no proof")
            }
        }
    }
}
