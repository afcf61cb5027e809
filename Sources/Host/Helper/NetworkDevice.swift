// The queues of network interfaces, by ethtool.

import Platform

/// Queues of network interfaces: ethtool's ioctl (linux/ethtool.h).
enum NetworkDevice {
    /// Sets the combined queues, or where a device has none, those of each direction; returns the
    /// old number.
    static func setChannels(_ nic: String, _ count: Int) throws(HelperError) -> Int {
        try attempt { () throws(SystemError) in
            var channels = try EthernetChannels(interface: nic)
            let isCombined = channels.combinedMax > 0
            let most = isCombined ? channels.combinedMax : min(channels.rxMax, channels.txMax)
            let old = isCombined ? channels.combined : channels.rx
            guard count <= most else {
                return .failure(.refused("\(nic) has at most \(most) queues"))
            }
            guard old != count else { return .success(old) }
            if isCombined {
                channels.combined = count
            } else {
                channels.rx = count
                channels.tx = count
            }
            try channels.set(interface: nic)
            return .success(old)
        }
    }
}
