// Goal: the checks hold a host to what its configuration declares, and read what that names.

import AgentAPI
import Checks
import Configuration
import Testing

@Suite struct HostPlanTests {
    private func plan(_ text: String) throws -> HostPlan {
        HostPlan(try Settings.parse(Array(text.utf8), file: "/srv/bourse/bourse.toml"))
    }

    @Test func `a plan has what the configuration declares`() throws {
        let plan = try plan(
            """
            [matchd]
            cpu = 3
            [agent]
            interfaces = "eth0:4"
            off = "cpu.steal"
            """)
        #expect(
            plan.hotThreads == [
                HostPlan.HotThread(unit: "bourse-matchd.service", thread: "engine", cpu: 3)
            ])
        #expect(plan.interfaces == [HostPlan.Interface(name: "eth0", channels: 4)])
        #expect(plan.off == ["cpu.steal"])
        #expect(plan.directories.map(\.name) == ["state", "journal", "snapshots", "history"])
        #expect(plan.devices == nil)
    }

    @Test func `other devices are looked for in the directories of the configuration`() throws {
        let plan = try plan(
            """
            [snmp]
            targets = "/srv/targets"
            readings = "/srv/readings"
            """)
        let files = [
            "/srv/targets/ups1.toml": "", "/probe/clock": "realtime_ns 1000000000\n",
            "/srv/readings/ups1": "time 999000000\nupsBatteryStatus.0 4\n",
        ]
        let machine = Machine(now: files, before: [:], plan: plan)
        let found = machine.findings.first { $0.name == "gear.battery/ups1" }
        #expect(found?.state == .critical)
        #expect(found?.source == "/srv/readings/ups1")
    }

    @Test func `the wallet's daemon is watched where a chain's node is named`() throws {
        let bare = try plan("")
        #expect(!bare.units.contains("bourse-walletd.service"))
        #expect(bare.wallet == "/srv/bourse/run/wallet.json")
        let silent = Machine(now: [:], before: [:], plan: bare).findings
        #expect(!silent.contains { $0.name.hasPrefix("wallet.") })
        let named = try plan(
            """
            [walletd]
            nodes = "litecoin=http://127.0.0.1:9332"
            status = "/run/bourse-wallet/wallet.json"
            """)
        #expect(named.units.last == "bourse-walletd.service")
        #expect(named.wallet == "/run/bourse-wallet/wallet.json")
        let found = Machine(now: [:], before: [:], plan: named).findings
        #expect(found.first { $0.name == "wallet.answers" }?.state == .critical)
    }

    @Test func `the signer is watched where it has limits`() throws {
        #expect(!(try plan("").units.contains("bourse-signerd.service")))
        let named = try plan(
            """
            [signerd]
            limits = "litecoin 50 10"
            """)
        #expect(named.units.last == "bourse-signerd.service")
    }

    @Test func `a signer that failed is started by an operator only`() throws {
        let named = try plan(
            """
            [signerd]
            limits = "litecoin 50 10"
            """)
        let units = ["bourse-signerd.service", "bourse-gatewayd.service"]
            .map { "\($0) loaded failed failed 0 0 60000000\n" }.joined()
        let found = Machine(now: ["/probe/units": units], before: [:], plan: named).findings
        func change(_ unit: String) -> Bool? {
            guard let finding = found.first(where: { $0.name == "unit.state/\(unit)" }),
                finding.state == .critical
            else { return nil }
            return if case .change? = finding.fix { true } else { false }
        }
        #expect(change("bourse-signerd.service") == false)
        #expect(change("bourse-gatewayd.service") == true)
    }

    /// What is found of bitcoin's withdrawals on the machine `metal` where they stand so.
    private func payouts(
        _ condition: String, waiting: Int = 2, open: Int = 1, role: String = "primary"
    ) -> Finding? {
        var machine = Machine.metal
        let path = "/run/bourse-wallet/wallet.json"
        machine.now[path] = machine.now[path]?
            .replacing(
                #""paying","isSound":true,"text":"","approved":2,"open":1"#,
                with: #""\#(condition)","isSound":false,"text":"why","approved":\#(waiting),"#
                    + #""open":\#(open)"#)
        machine.now["/probe/exchange"] = machine.now["/probe/exchange"]?
            .replacing("role primary", with: "role \(role)")
        return machine.findings.first { $0.name == "wallet.payouts/bitcoin" }
    }

    @Test(arguments: [
        "no signer", "signer refuses", "log refuses", "node refuses", "failed",
    ])
    func `withdrawals that are not paid are critical where there are some`(condition: String) {
        #expect(payouts(condition, waiting: 1, open: 0)?.state == .critical)
        #expect(payouts(condition, waiting: 0, open: 1)?.state == .critical)
        #expect(payouts(condition)?.text == "withdrawals of bitcoin: \(condition): why")
        #expect(payouts(condition, waiting: 0, open: 0)?.state == .ok)
        #expect(payouts(condition, role: "standby")?.state == .ok)
    }

    @Test func `a walletd that pays nothing has no withdrawals to check`() {
        var machine = Machine.metal
        let path = "/run/bourse-wallet/wallet.json"
        machine.now[path] = machine.now[path]?.replacing("\"payouts\"", with: "\"older\"")
        let names = machine.findings.map(\.name)
        #expect(names.contains("wallet.chain/bitcoin"))
        #expect(!names.contains { $0.hasPrefix("wallet.payouts") })
    }

    @Test func `a standby's wallet that waits is as it should be`() {
        for (role, state) in [("standby", CheckState.ok), ("primary", .warning)] {
            var machine = Machine.metal
            let path = "/run/bourse-wallet/wallet.json"
            machine.now[path] = machine.now[path]?
                .replacing("\"in step\",\"isSound\":true", with: "\"not taken\",\"isSound\":false")
            machine.now["/probe/exchange"] = machine.now["/probe/exchange"]?
                .replacing("role primary", with: "role \(role)")
            let found = machine.findings.first { $0.name == "wallet.chain/bitcoin" }
            #expect(found?.state == state, "\(role)")
        }
    }

    @Test func `a name with the characters of a pattern is a name`() {
        let names = ["a*": "1\n", "{pid}": "2\n", "b c": "3\n"]
        var plan = HostPlan()
        plan.interfaces = [HostPlan.Interface(name: "b c")]
        let seen = Observation(
            time: 1, sources: ["/list/*", "/list/{nic}", "/list/a*"], plan: plan,
            text: { names[String($0.dropFirst(6))] }, names: { _ in names.keys.sorted() })
        for (name, text) in names { #expect(seen.text("/list/\(name)") == String(text.dropLast())) }
    }
}
