// Goal: what the agent reports of a host is what its clients read, member by member.

import Agent
import AgentAPI
import Checks
import JSON
import Testing

@Suite struct AgentReportTests {
    @Test(arguments: ["vm", "metal"])
    func `what the agent reports is read back the same`(machine: String) throws {
        let folder = #filePath.split(separator: "/").dropLast().joined(separator: "/")
        let root = "/\(folder)/Fixtures/\(machine)"
        var plan = HostPlan()
        plan.units = ["bourse-matchd.service"]
        let state = AgentOptions(version: "0.1.0", plan: plan)
            .runChecksOnce(rounds: 1, reader: HostReader(root: root))
        #expect(state.version == "0.1.0")
        #expect(state.checks.count > 20)
        #expect(!state.tables.units.isEmpty)
        #expect(!state.tables.disks.isEmpty)
        #expect(!state.tables.queues.isEmpty)
        // Through its text, as over the socket.
        let text = state.json.compact
        let json = try #require(
            JSONValue(parsing: text.utf8, valuesMax: AgentClient.stateValuesMax))
        #expect(json.compact == text)
        #expect(AgentState(json) == state)
    }
}
