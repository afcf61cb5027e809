// Goal: a gateway on a host of its own finds the host that leads, whenever it asks.

import Gateway
import Link
import Testing

@Suite struct PlaceChoiceTests {
    /// A connection to a host that greets like that.
    private func watch(_ patience: Int64, leads: Bool) -> LinkWatch {
        var watch = LinkWatch(host: "h", patience: patience)
        var welcome = LinkWelcome(epoch: 6, journalHigh: 1, journalLow: 1, released: 9, time: 0)
        welcome.role = leads ? .primary : .standby
        // Where it has no patience it is left by this.
        try? watch.receive(.welcome(welcome))
        return watch
    }

    private func newTerm(_ watch: LinkWatch) -> LinkWatch {
        var watch = watch
        #expect(throws: MatchdSessionError.self) {
            try watch.receive(.position(released: 9, time: 0, epoch: 7))
        }
        return watch
    }

    @Test func `of two hosts the one that leads is found at the second attempt`() {
        var choice = PlaceChoice(count: 2)
        let patience = choice.attempt()
        #expect(choice.current == 0 && patience == 0)
        choice.leave(watch(patience, leads: false))
        #expect(choice.current == 1 && choice.attempt() == 1_000)
    }

    @Test func `a host that begins to lead while it is followed is not left for the other`() {
        var choice = PlaceChoice(count: 2)
        // The first led; a switchover begins another term there, which it does not lead.
        _ = choice.attempt()
        choice.leave(newTerm(watch(0, leads: true)))
        choice.leave(watch(choice.attempt(), leads: false))
        // The second has claimed, and opens its Link a moment after it has greeted.
        #expect(choice.current == 1)
        choice.leave(watch(choice.attempt(), leads: false))
        #expect(choice.current == 1, "nothing tells that it leads by now")
        let patience = choice.attempt()
        #expect(patience == 0)
        // Where it still does not, the other one's turn comes.
        choice.leave(watch(patience, leads: false))
        #expect(choice.current == 0)
    }

    @Test func `an acknowledgement shows that a host leads`() throws {
        var watch = watch(1_000, leads: false)
        #expect(watch.isLeading == false)
        try watch.receive(.acks([]))
        #expect(watch.isLeading == true)
    }

    @Test func `after the loss of one that led the other is followed until it leads`() {
        var choice = PlaceChoice(count: 2)
        _ = choice.attempt()
        choice.leave(watch(0, leads: true))
        #expect(choice.current == 1 && choice.attempt() == 1_000)
    }
}
