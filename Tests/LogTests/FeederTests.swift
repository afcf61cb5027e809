// Goal: what cannot be read back of the journal is reported, whoever met it.

import Engine
import Follower
import Link
import Pipeline
import Platform
import Synchronization
import Testing

@Suite struct FeederTests {
    @Test func `a journal that is damaged behind the snapshot ends the pipeline at a follower`()
        throws
    {
        let place = try PipelinePlace()
        let first = try RunningPipeline(place)
        var desk = try TestDesk(first.connect(), "desk")
        try desk.prepare()
        for price in 1...20 { try desk.submit(TestDesk.place(Int64(price))) }
        _ = try first.stop(snapshot: true)
        let name = try #require(
            try Directory.names(in: place.path + "/journal").first { $0.hasSuffix(".seg") })
        let segment = try File(place.path + "/journal/" + name, .write)
        // Within the first records, which a start does not read again.
        let at = 4_096 + 300
        let byte = try segment.read(count: 1, at: at)[0]
        try segment.write([byte ^ 0xFF], at: at)
        let second = try RunningPipeline(place)
        // Who begins at the snapshot does not come there.
        let client = try second.connect("late", wantsAcks: false)
        var follower = Follower(client.welcome)
        try follow(client, &follower, to: try client.status().released)
        #expect(second.fault == nil)
        let early = try second.connect("early", wantsAcks: false)
        try early.send(.subscribe(LinkSubscription(from: 1, epoch: 0, crc: 0)))
        while (try? early.receive(timeoutNanos: 20_000_000_000)) != nil {}
        let fault = try #require(second.fault)
        #expect(fault.isDamage && !fault.isDiskFault)
        #expect(fault.description.contains("\(name) is damaged at byte"))
        _ = try second.stop()
        #expect(second.faults.count.load(ordering: .relaxed) == 1)
    }
}
