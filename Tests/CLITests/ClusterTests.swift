// Goal: what hosts of a cluster exchange and keep means the same on each of them, and what is
// wrong, old, used or another host's is refused with the way out.

import BoursectlCommands
import Configuration
import Foundation
import JSON
import Terms
import Testing

private typealias Member = ClusterPlan.Member

private func plan() -> ClusterPlan {
    var plan = ClusterPlan(
        token: String(repeating: "0a", count: 16), founder: Member(name: "a", address: "10.0.0.1"),
        peer: Member(name: "b", address: "10.0.0.2"),
        witness: Member(name: "w.example", address: "fd00::3"))
    (plan.serviceAddress, plan.serviceInterface) = ("10.0.0.9/24", "eth0")
    return plan
}

@Suite struct ClusterTests {
    @Test func `a plan is read back as it was written`() {
        #expect(ClusterPlan(plan().json) == plan())
        #expect(plan().problem == nil)
        #expect(plan().clientURL(plan().witness) == "https://[fd00::3]:7413")
        #expect(plan().peerURL(plan().founder) == "https://10.0.0.1:7414")
        #expect(plan().peer(of: "a")?.name == "b")
        #expect(plan().peer(of: "b")?.name == "a")
        #expect(plan().peer(of: "w.example") == nil)
        #expect(ClusterPlan(.null) == nil)
        #expect(ClusterPlan(["version": .number(2)]) == nil)
    }

    @Test func `hosts that cannot be are refused`() {
        func problem(_ change: (inout ClusterPlan) -> Void) -> String {
            var changed = plan()
            change(&changed)
            #expect(ClusterPlan(changed.json) == nil)
            return changed.problem?.text ?? ""
        }
        #expect(problem { $0.peer.name = "a" } == "two hosts have one name")
        #expect(problem { $0.peer.address = "10.0.0.1" } == "two hosts have one address")
        #expect(problem { $0.peer.name = "B" } == "B is no host's name")
        #expect(problem { $0.witness.address = "w" } == "w is no IP address")
        #expect(problem { $0.serviceInterface = "" }.hasPrefix("a service address needs"))
        #expect(problem { $0.serviceAddress = "10.0.0.9" }.hasSuffix("no address with a length"))
        #expect(problem { $0.serviceAddress = "10.0.0.2/24" }.hasSuffix("is a host's own"))
    }

    @Test(arguments: ["b", "=10.0.0.2", "b=", "b=1=2", ""])
    func `a host is a name and an address`(text: String) {
        #expect(Member(text) == nil)
        #expect(Member("b=10.0.0.2") == Member(name: "b", address: "10.0.0.2"))
    }

    @Test func `invitations that are changed at the same time are all kept`() async throws {
        let folder = NSTemporaryDirectory() + "/invitations-\(UInt32.random(in: .min ... .max))"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = folder + "/invitations.json"
        try await withThrowingTaskGroup(of: Void.self) { group in
            for host in 0..<8 {
                group.addTask {
                    for round in 0..<10 {
                        try Invitations.change(file) {
                            try $0.put(Invitation.make(for: "h\(host)-\(round)", now: 1).0)
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try Invitations(file: file).all.count == 80)
    }

    @Test func `a token is read back as it was printed`() {
        let token = JoinToken(
            founder: "a.example", place: "[fd00::1]:7412",
            fingerprint: [UInt8](repeating: 7, count: 32), secret: [UInt8](0..<32))
        #expect(JoinToken(token.text) == token)
        let text = token.text
        for wrong in [
            "", "bourse1.", String(text.dropLast()), String(text.dropFirst()), text + "00",
            text.replacing("=", with: ""), text.replacing(".00010203", with: ".0001020x"),
            "\(text) ",
        ] {
            #expect(JoinToken(wrong) == nil, "\(wrong)")
        }
    }

    @Test func `a token is good for one host, one key and an hour`() {
        let (made, secret) = Invitation.make(for: "b", now: 1_000)
        var invitation = made
        #expect(secret.count == 32)
        #expect(invitation.hash != secret)
        let (key, other): ([UInt8], [UInt8]) = ([1], [2])
        #expect(invitation.refusal(of: "b", key: key, now: 1_000) == nil)
        #expect(invitation.refusal(of: "b", key: key, now: 4_599) == nil)
        #expect(invitation.refusal(of: "b", key: key, now: 4_600) == .expired)
        #expect(invitation.refusal(of: "c", key: key, now: 1_000) == .otherHost)
        invitation.usedBy = key
        #expect(invitation.refusal(of: "b", key: key, now: 1_000) == nil)
        #expect(invitation.refusal(of: "b", key: other, now: 1_000) == .used)
        for why in [JoinRefusal.unknown, .otherHost, .used, .expired] {
            #expect(why.words("b").repair.hasSuffix("sudo boursectl cluster invite b"))
        }
    }

    @Test func `the section of a cluster is added and nothing else changes`() throws {
        let before = "# mine\n[limits]\naccounts = 7 # few\n"
        let text = ClusterSection.set(
            in: before, plan(), host: "b", directory: "/etc/bourse/cluster")
        #expect(text.hasPrefix(before))
        let settings = try Settings.parse(Array(text.utf8), file: "/etc/bourse/bourse.toml")
        let cluster = try #require(settings.cluster)
        #expect(cluster.host == "b")
        #expect(cluster.peer == "a")
        #expect(cluster.etcd.first == "https://10.0.0.2:7413")
        #expect(cluster.replication == ListenAddress(host: "10.0.0.2", port: 7410))
        #expect(cluster.peerReplication == ListenAddress(host: "10.0.0.1", port: 7410))
        #expect(cluster.agent == ListenAddress(host: "10.0.0.2", port: 7411))
        #expect(cluster.link == ListenAddress(host: "10.0.0.2", port: 7415))
        #expect(plan().gatewayHosts.hasPrefix("a=10.0.0.1:7415 b=10.0.0.2:7415"))
        #expect(cluster.serviceAddress?.description == "10.0.0.9/24")
        // Once more, and in a file that has every key.
        #expect(
            ClusterSection.set(in: text, plan(), host: "b", directory: "/etc/bourse/cluster")
                == text)
        let whole = ClusterSection.set(
            in: Settings.text(), plan(), host: "b", directory: "/etc/bourse/cluster")
        #expect(
            try Settings.parse(Array(whole.utf8), file: "/etc/bourse/bourse.toml").cluster
                == cluster)
        #expect(ClusterSection.set(in: before, plan(), host: "w.example", directory: "") == before)
    }

    @Test func `a second host has the first one's exchange and its own gateway`() throws {
        let first = Settings.text(overriding: [
            "exchange.state": "\"/var/lib/bourse\"", "limits.accounts": "7", "matchd.cpu": "2",
            "gatewayd.listen": "\"10.0.0.1:8080\"", "agent.interfaces": "\"eth7\"",
        ])
        let text = StandbySettings.text(first, plan(), plan().peer)
        let settings = try Settings.parse(Array(text.utf8), file: "/etc/bourse/bourse.toml")
        #expect(settings.limits.accounts == 7)
        #expect(settings.gatewayd.name.description == "gateway/b")
        #expect(settings.gatewayd.listen.description == "10.0.0.2:8080")
        #expect(settings.matchd.cpu == nil)
        #expect(settings.agent.interfaces.isEmpty)
    }
}
