// What `boursectl cluster` knows of the three hosts: the same file on each of them.

import Configuration
package import JSON
import Platform
import Secrets
import Terms

/// The hosts of a cluster, and how they reach each other.
package struct ClusterPlan: Hashable {
    /// A host.
    package struct Member: Hashable {
        /// Its name.
        package var name: String
        /// Its IP address on the network between the hosts.
        package var address: String

        /// A host of this name and address.
        package init(name: String, address: String) { (self.name, self.address) = (name, address) }
    }

    /// Ports between the hosts, in order: replication, agents, joining, etcd's two, and gateways.
    package struct Ports: Hashable {
        /// The first of them.
        package var first: UInt16 = 7_410
        /// matchd's for the peer's.
        package var replication: UInt16 { first }
        /// The agent's for the peer's.
        package var agent: UInt16 { first + 1 }
        /// Where hosts join, as long as `cluster init` or `invite` runs.
        package var join: UInt16 { first + 2 }
        /// etcd's for its clients.
        package var etcdClients: UInt16 { first + 3 }
        /// etcd's between its members.
        package var etcdPeers: UInt16 { first + 4 }
        /// matchd's for gateways on hosts of their own.
        package var link: UInt16 { first + 5 }
        /// The highest first one.
        package static let firstMax: UInt16 = .max - 5
    }

    /// The cluster's identity: etcd's token, 32 hexadecimal digits.
    package var token: String
    /// The host that `cluster init` ran on: it has the authority's key.
    package var founder: Member
    /// The other host with the exchange.
    package var peer: Member
    /// The host that only votes.
    package var witness: Member
    /// The first of the ports.
    package var ports = Ports()
    /// The address for clients, as `10.0.0.9/24`; empty: none.
    package var serviceAddress = ""
    /// Its interface.
    package var serviceInterface = ""

    /// All three, the founder first.
    package var members: [Member] { [founder, peer, witness] }

    /// A new cluster's token.
    package static func newToken() -> String { SystemRandom.bytes(16).hexText }

    /// The host of this name.
    package func member(_ name: String) -> Member? { members.first { $0.name == name } }

    /// Refuses what is no host's name.
    static func checkHostName(_ name: String) throws(CommandError) {
        guard Settings.Cluster.isHostName(name) else {
            throw CommandError(
                "\(name) is no host's name", repair: Settings.Cluster.hostNameExpected,
                code: .usage)
        }
    }

    /// What cannot be, or nil.
    package var problem: (text: String, repair: String)? {
        for member in members {
            guard Settings.Cluster.isHostName(member.name) else {
                return ("\(member.name) is no host's name", Settings.Cluster.hostNameExpected)
            }
            guard let place = ListenAddress(Self.place(member, ports.join)), place.port > 0,
                Settings.Cluster.isAddress(member.address)
            else {
                return ("\(member.address) is no IP address", "give one, as 10.0.0.1 or fd00::1")
            }
        }
        guard Set(members.map(\.name)).count == 3 else {
            return ("two hosts have one name", "give three different names")
        }
        guard Set(members.map(\.address)).count == 3 else {
            return ("two hosts have one address", "give three different addresses")
        }
        guard serviceAddress.isEmpty == serviceInterface.isEmpty else {
            return (
                "a service address needs an interface, and the other way round",
                "give both: --service-address 10.0.0.9/24 --interface eth0"
            )
        }
        guard serviceAddress.isEmpty || InterfaceAddress(serviceAddress) != nil else {
            return ("\(serviceAddress) is no address with a length", "give it as 10.0.0.9/24")
        }
        let own = InterfaceAddress(serviceAddress)?.address
        guard !members.contains(where: { $0.address == own }) else {
            return (
                "the service address is a host's own",
                "give an address that no host has: it moves with the primary"
            )
        }
        return nil
    }

    /// `address:port`, with brackets around an IPv6 address.
    package static func place(_ member: Member, _ port: UInt16) -> String {
        ListenAddress(host: member.address, port: port).description
    }

    /// Where a member of etcd serves clients.
    package func clientURL(_ member: Member) -> String {
        "https://\(Self.place(member, ports.etcdClients))"
    }

    /// Where a member of etcd listens for the others.
    package func peerURL(_ member: Member) -> String {
        "https://\(Self.place(member, ports.etcdPeers))"
    }

    /// The two hosts of the exchange as a gateway on another one finds them: `[gatewayd] hosts`.
    package var gatewayHosts: String {
        [founder, peer].map { "\($0.name)=\(Self.place($0, ports.link))" }.joined(separator: " ")
    }

    /// The other host with the exchange; nil on the witness.
    package func peer(of host: String) -> Member? {
        switch host {
        case founder.name: peer
        case peer.name: founder
        default: nil
        }
    }

    // MARK: As a file

    /// As JSON.
    package var json: JSONValue {
        func host(_ member: Member) -> JSONValue {
            ["name": .string(member.name), "address": .string(member.address)]
        }
        return [
            "version": .number(1), "token": .string(token), "founder": host(founder),
            "peer": host(peer), "witness": host(witness), "port": .number(ports.first),
            "serviceAddress": .string(serviceAddress),
            "serviceInterface": .string(serviceInterface),
        ]
    }

    /// A plan of these parts.
    package init(token: String, founder: Member, peer: Member, witness: Member) {
        (self.token, self.founder, self.peer, self.witness) = (token, founder, peer, witness)
    }

    /// Reads what `json` gives; nil for anything else.
    package init?(_ json: JSONValue) {
        func host(_ name: String) -> Member? {
            guard let value = json[name], let name = value["name"]?.text,
                let address = value["address"]?.text
            else { return nil }
            return Member(name: name, address: address)
        }
        guard json["version"]?.whole == 1, let token = json["token"]?.text,
            token.utf8.count == 32, let founder = host("founder"), let peer = host("peer"),
            let witness = host("witness"), let first = json["port"]?.whole,
            let first = UInt16(exactly: first), 1...Ports.firstMax ~= first,
            let address = json["serviceAddress"]?.text,
            let interface = json["serviceInterface"]?.text
        else { return nil }
        self.init(token: token, founder: founder, peer: peer, witness: witness)
        ports.first = first
        (serviceAddress, serviceInterface) = (address, interface)
        guard problem == nil else { return nil }
    }
}

extension ClusterPlan.Member {
    /// Reads `NAME=ADDRESS`; nil for anything else.
    package init?(_ text: String) {
        let parts = text.split(separator: "=", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
        (name, address) = (String(parts[0]), String(parts[1]))
    }
}
