// The service address of this host, which the root helper changes.

import Agent
import Configuration
import Coordination
import HelperAPI
import Logging
import Platform

/// The service address by the root helper.
struct HelperServiceAddress: ServiceAddressHost {
    let own: InterfaceAddress
    let nic: String
    let helper: HelperClient
    let peer: PeerAgent
    let logger: Logger

    var address: String { "\(own)" }
    var isHere: Bool? { try? Host.hasAddress(own.address) }
    var isAtPeer: Bool { peer.hasServiceAddress }

    func make(
        _ change: ServiceAddressChange
    ) throws(ServiceAddressError) -> ServiceAddressOutcome {
        let word: HelperRequest.AddressChange =
            switch change {
            case .add: .add
            case .leave: .leave
            case .remove: .remove
            }
        do throws(HelperClientError) {
            let (undo, lines) = try helper.ask(
                .serviceAddress(word, address: address, nic: nic))
            return ServiceAddressOutcome(isChanged: !undo.isEmpty, connections: lines.first)
        } catch { throw ServiceAddressError("\(error)") }
    }

    func changed() { peer.changed() }

    func log(_ note: ClusterNote) { logger.report(note) }
}
