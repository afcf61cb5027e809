// The devices that are polled: from their files to what Host/DevicePoller reads.

import Configuration
import DevicePoller
import Glibc
import Platform

/// The devices whose files are in a directory. A credential is one that systemd passed
/// (`LoadCredential=`), else a file in the same directory.
func loadDevices(_ directory: String) throws -> [PolledDevice] {
    let names = try Directory.names(in: directory).filter { $0.hasSuffix(".toml") }
    guard names.count <= SNMPTarget.countMax else {
        throw SystemError(
            code: E2BIG, operation: "read more than \(SNMPTarget.countMax) targets in",
            path: directory)
    }
    let credentials = unsafe getenv("CREDENTIALS_DIRECTORY").map { unsafe String(cString: $0) }
    return try names.map { name in
        let path = Directory.join(directory, name)
        let text = try File(path, .read).read(count: Settings.fileBytesMax)
        let target = try SNMPTarget.parse(text, file: path)
        let transport = target.address.host.contains(":") ? "udp6" : "udp"
        var device = PolledDevice(
            name: target.name, peer: "\(transport):\(target.address)", user: target.user,
            auth: target.auth, priv: target.priv,
            credential: Directory.join(credentials ?? directory, target.credential),
            kind: target.kind, ports: target.ports,
            walks: target.walks.map { ($0.name, $0.numbers) })
        if !target.outlets.isEmpty {
            let numbers = target.outlets.map { String($0) }.joined(separator: " ")
            let feed = target.feed.isEmpty ? target.name : target.feed
            device.notes = ["feed \(feed)", "outlets \(numbers)"]
        }
        return device
    }
}
