// Goal: what the agent tells of a host is what the SNMP subagent reads, member by member.

import Agent
import Checks
import JSON
import SNMP
import Testing

@Suite struct AgentToldTests {
    @Test(arguments: ["vm", "metal"])
    func `what the agent tells is understood by the subagent`(machine: String) throws {
        let folder = #filePath.split(separator: "/").dropLast().joined(separator: "/")
        let root = "/\(folder)/Fixtures/\(machine)"
        var plan = HostPlan()
        plan.units = ["bourse-matchd.service"]
        let told = AgentOptions(version: "0.1.0", plan: plan)
            .examineOnce(rounds: 1, reader: HostReader(root: root))
        let read = try #require(AgentState(told))
        #expect(read.version == "0.1.0")
        #expect(read.worst.name == told["worst"]?.text)
        #expect(read.checks.count > 20)
        #expect(!read.units.isEmpty)
        #expect(!read.disks.isEmpty)
        #expect(!read.queues.isEmpty)
        // And through its text, as over the socket.
        let again = try #require(
            JSONValue(parsing: told.compact.utf8, valuesMax: AgentState.valuesMax))
        #expect(again == told)
    }
}
