// Feeding a follower from disk.

import Glibc
import Link
import Platform
import Synchronization
import Wire

/// Sends a follower records from disk, in a thread of its own, because disks and readers may be
/// slow. It owns the writing side of the connection until it is done.
final class Feeder: @unchecked Sendable {
    // Unchecked: `unsent` and `problem` are written by the thread before `state`, and read after
    // it.
    enum State: Int, AtomicRepresentable {
        case running
        case done
        /// The connection failed.
        case failed
        /// What was wanted can't be read back from the disk: `problem`.
        case unreadable
        /// The follower took too little for too long.
        case stalled
        /// The follower's last record is not the log's.
        case forked
    }

    let state = Atomic<State>(.running)
    /// Once it is done: the sequence that comes next.
    let next = Atomic<UInt64>(0)
    /// Bytes that the follower took.
    let sent = Atomic<UInt64>(0)
    let isCancelled = Atomic<Bool>(false)
    /// Once it has stalled: what is not sent yet, which may begin within a frame.
    private(set) var unsent = LinkEncoder()
    /// Once it is `unreadable`: why.
    private(set) var problem: SinkError?
    private let descriptor: Int32
    private let stages: Stages
    private let history: any LogArchive
    private let options: PipelineOptions
    /// How long the socket took nothing since `taken` was zero, ns.
    private var blockedNanos: Int64 = 0
    private var taken = 0
    private var ending = State.failed

    /// About how many bytes are sent together.
    private static var sendBytes: Int { LinkProtocol.frameBytesMax / 4 }
    /// How often a released record that the file does not show yet is looked for, a millisecond
    /// apart.
    private static var looksMax: Int { 5_000 }
    /// Milliseconds of one wait for the socket.
    private static var waitMilliseconds: Int32 { 100 }

    init(
        _ descriptor: Int32, _ stages: Stages, _ history: any LogArchive, _ options: PipelineOptions
    ) {
        (self.descriptor, self.stages) = (descriptor, stages)
        (self.history, self.options) = (history, options)
    }

    func run(_ wanted: LinkSubscription) {
        if let result = feed(wanted) {
            next.store(result, ordering: .relaxed)
            ending = .done
        }
        state.store(ending, ordering: .releasing)
        stages.linkBell.ring()
    }

    /// Sends a snapshot if `from` is 0, then the log up to the release gate. Returns the sequence
    /// that comes next, or nil if it ended otherwise (`ending`).
    private func feed(_ wanted: LinkSubscription) -> UInt64? {
        var next = wanted.from
        if next == 0 {
            next = 1
            if let snapshot = history.snapshot(atMost: min(wanted.atMost, stages.released.now)) {
                guard send(snapshot) else { return nil }
                next = snapshot.sequence + 1
            }
        }
        let isChecked = wanted.from <= 1 || wanted.crc == 0
        if isChecked, wanted.from != 0, next > stages.released.now { return next }
        let begin = isChecked ? next : next - 1
        guard let reader = read({ () throws(SinkError) in try history.records(from: begin) })
        else { return nil }
        if !isChecked {
            guard let isSame = isSame(wanted, reader) else { return nil }
            guard isSame else {
                ending = .forked
                return nil
            }
        }
        return follow(reader, from: next)
    }

    /// Whether the record before the wanted one is the follower's; nil where it cannot be read.
    private func isSame(_ wanted: LinkSubscription, _ reader: any RecordReader) -> Bool? {
        for _ in 0..<Self.looksMax {
            var isSame: Bool?
            let got = read { () throws(SinkError) in
                try unsafe reader.next(upTo: wanted.from - 1, bytesMax: 1) { records in
                    _ = unsafe LinkRecords.forEachRecord(records) { header, _ in
                        isSame = header.crc == wanted.crc && header.epoch == wanted.epoch
                    }
                }
            }
            if got == nil { return nil }
            if let isSame { return isSame }
            usleep(1000)
        }
        return lost(wanted.from - 1)
    }

    /// Refuses the follower for a record that was released and can't be found.
    private func lost<R>(_ sequence: UInt64) -> R? {
        let error = SinkError("record \(sequence) was released and is not in the journal any more")
        return read { () throws(SinkError) -> R in throw error }
    }

    private func follow(_ reader: any RecordReader, from first: UInt64) -> UInt64? {
        var next = first
        var waited = 0
        // A run ends with its group commit: small ones are sent together.
        var encoder = LinkEncoder()
        while true {
            let released = stages.released.now
            guard next <= released else { return send(&encoder) ? next : nil }
            var isWhole = true
            var last = next - 1
            let got = read { () throws(SinkError) in
                try unsafe reader.next(upTo: released, bytesMax: Self.sendBytes) { records in
                    _ = unsafe LinkRecords.forEachRecord(records) { header, _ in
                        last = header.sequence
                    }
                    guard let run = unsafe LinkRecords(Array(records)) else {
                        isWhole = false
                        return
                    }
                    encoder.append(.records(run))
                }
            }
            guard let got, isWhole else { return nil }
            if got, last >= next {
                next = last + 1
                waited = 0
                if encoder.count >= Self.sendBytes, !send(&encoder) { return nil }
            } else {
                waited += 1
                guard waited < Self.looksMax else { return lost(next) }
                guard send(&encoder) else { return nil }
                usleep(1000)
            }
        }
    }

    /// What `body` reads of the journal; nil after an error, which is reported and refuses this
    /// follower only. Trading continues: it reads nothing of the journal after the start.
    private func read<R>(_ body: () throws(SinkError) -> R) -> R? {
        do throws(SinkError) { return try body() } catch {
            (ending, problem) = (.unreadable, error)
            stages.unreadable.withLock { $0 = ($0.count + 1, error) }
            return nil
        }
    }

    private func send(_ snapshot: ArchivedSnapshot) -> Bool {
        var encoder = LinkEncoder()
        var head = LinkSnapshot(
            sequence: snapshot.sequence, time: snapshot.time, epoch: snapshot.epoch,
            stateHash: snapshot.stateHash, count: UInt64(snapshot.count))
        head.crc = snapshot.crc
        encoder.append(.snapshot(head))
        var offset = 0
        while offset < snapshot.count {
            let count = min(LinkProtocol.chunkBytesMax, snapshot.count - offset)
            guard let part = read({ () throws(SinkError) in try snapshot.read(offset, count) })
            else { return false }
            encoder.append(.chunk(part))
            guard send(&encoder) else { return false }
            offset += count
        }
        return send(&encoder)
    }

    /// Sends all of it; waits for a slow reader as long as it makes progress.
    private func send(_ encoder: inout LinkEncoder) -> Bool {
        while !encoder.isEmpty {
            if isCancelled.load(ordering: .relaxed) {
                ending = .stalled
                unsent = encoder
                return false
            }
            var isGone = false
            unsafe encoder.drain { bytes in
                let count = retryingInterrupts {
                    unsafe Glibc.send(
                        descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
                }
                if count > 0 {
                    taken += count
                    sent.add(UInt64(count), ordering: .relaxed)
                    return count
                }
                isGone = errno != EAGAIN
                return 0
            }
            if isGone { return false }
            guard !encoder.isEmpty else { return true }
            let began = Clock.monotonicNanos()
            var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            _ = unsafe poll(&entry, 1, Self.waitMilliseconds)
            blockedNanos += Clock.monotonicNanos() - began
            // A reader that takes a byte now and then must not occupy a feeder for ever.
            if taken >= options.progressBytesMin {
                (taken, blockedNanos) = (0, 0)
            } else if blockedNanos >= options.stallNanos {
                isCancelled.store(true, ordering: .relaxed)
            }
        }
        return true
    }
}
