// The bare disk and a bare socket, which `bench durable` compares with.

import Glibc
import Platform

/// A loop of 4 KiB writes, each made durable, in a preallocated file.
final class BareDisk {
    private let file: File
    private let page = [UInt8](repeating: 1, count: 4096)
    private var offset = 0
    private static let bytes = 16 << 20

    /// Makes the file, full of zeros.
    init(_ directory: String) throws {
        file = try File(Directory.join(directory, "bare"), .create)
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        for part in 0..<Self.bytes >> 20 { try file.write(zeros, at: part << 20) }
        try file.sync()
    }

    /// Writes and syncs repeatedly. Returns the time of each sync, and the same read as an open
    /// loop: arrivals at `rate` per second, each of which waits until the first write that begins
    /// after it is durable. A delayed loop leaves out none of them.
    func measure(
        seconds: Int64, rate: Int64 = 1000
    ) throws -> (syncs: LatencyHistogram, open: LatencyHistogram) {
        var (syncs, open) = (LatencyHistogram(), LatencyHistogram())
        let start = Clock.monotonicNanos()
        let gap = 1_000_000_000 / rate
        var (arrival, arrivals) = (start, seconds * rate)
        while arrivals > 0 {
            let began = Clock.monotonicNanos()
            try file.write(page, at: offset)
            try file.syncData()
            let ended = Clock.monotonicNanos()
            syncs.record(ended - began)
            while arrival <= began, arrivals > 0 {
                open.record(ended - arrival)
                arrival += gap
                arrivals -= 1
            }
            offset = (offset + page.count) % Self.bytes
        }
        return (syncs, open)
    }
}

/// The round trip of a message to another thread over a Unix socket.
enum BareSocket {
    static func measure(seconds: Int64) throws -> LatencyHistogram {
        var ends: (Int32, Int32) = (-1, -1)
        let made = unsafe withUnsafeMutableBytes(of: &ends) {
            unsafe socketpair(
                AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, $0.bindMemory(to: Int32.self).baseAddress!)
        }
        guard made == 0 else { throw SystemError.last("make a pair of sockets") }
        let (near, far) = ends
        let echo = try PinnedThread.start(name: "echo") {
            var byte: UInt8 = 0
            while Self.hasMoved({ unsafe read(far, &byte, 1) }) {
                _ = Self.hasMoved { unsafe write(far, &byte, 1) }
            }
        }
        var latency = LatencyHistogram()
        var byte: UInt8 = 7
        let end = Clock.monotonicNanos() + seconds * 1_000_000_000
        while Clock.monotonicNanos() < end {
            let began = Clock.monotonicNanos()
            guard Self.hasMoved({ unsafe write(near, &byte, 1) }),
                Self.hasMoved({ unsafe read(near, &byte, 1) })
            else { break }
            latency.record(Clock.monotonicNanos() - began)
        }
        close(near)
        echo.join()
        close(far)
        return latency
    }

    /// Whether a call moved its byte.
    private static func hasMoved(_ call: () -> Int) -> Bool { retryingInterrupts(call) == 1 }
}
