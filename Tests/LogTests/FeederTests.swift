// Goal: what cannot be read back of the journal is reported, whoever met it.

import Engine
import Link
import Pipeline
import Platform
import Synchronization
import Terms
import Testing

@Suite struct FeederTests {
    /// What a connection is closed with; nil where it is closed without a word, or stays open.
    private func refusal(of client: LinkClient) -> LinkRefusal? {
        while true {
            do throws(LinkError) {
                if try client.receive(timeoutNanos: patience) == nil { return nil }
            } catch {
                if case .refused(let refusal) = error { return refusal }
                return nil
            }
        }
    }

    @Test(arguments: [false, true])
    func `a follower that needs a damaged journal is refused, and trading continues`(
        _ isBlank: Bool
    ) throws {
        let place = try PipelinePlace()
        let first = try RunningPipeline(place)
        var desk = try TestDesk(first.connect(), "desk")
        try desk.prepare()
        for price in 1...20 { try desk.submit(TestDesk.place(Int64(price))) }
        try first.stop()
        let second = try RunningPipeline(place)
        // Within the first records, after the start has read them.
        let name = try #require(
            try Directory.names(in: place.path + "/journal").first { $0.hasSuffix(".seg") })
        let segment = try File(place.path + "/journal/" + name, .write)
        let at = 4_096 + 300
        if isBlank {
            // As if nothing had been written behind the first record.
            try segment.write([UInt8](repeating: 0, count: 8_192), at: 4_096 + 128)
        } else {
            let byte = try segment.read(count: 1, at: at)[0]
            try segment.write([byte ^ 0xFF], at: at)
        }
        #expect(second.fault == nil)
        let early = try second.connect("early", wantsAcks: false)
        try early.send(.subscribe(LinkSubscription(from: 1, epoch: 0, crc: 0)))
        let reason = isBlank ? "record 2 was released and is not" : "\(name) is damaged at byte"
        let refusal = try #require(self.refusal(of: early))
        #expect(refusal.code == .unavailable && refusal.text.contains(reason))
        let reported = second.pipeline.unreadable
        let error = try #require(reported.error)
        #expect(reported.count == 1 && error.description.contains(reason))
        var late = try TestDesk(second.connect(), "late")
        #expect(try late.submit(TestDesk.place(1)).refusal == .none)
        try second.stop()
        #expect(second.fault == nil)
    }
}
