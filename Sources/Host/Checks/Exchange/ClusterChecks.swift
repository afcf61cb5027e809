// What a host of a cluster needs beside its exchange. Numbers 641 … 649.

import AgentAPI

extension CheckKind {
    static let clusterCertificate = CheckKind(
        641, "cluster.certificate", unit: "days", warning: 30, critical: 7, isWorseBelow: true,
        why: "Without a valid certificate this host reaches neither its peer nor etcd.")
}

extension CheckGroup {
    /// The certificate of this host in its cluster.
    static let cluster = CheckGroup(
        "cluster", seconds: 60, kinds: [.clusterCertificate],
        sources: ["{certificate}", ClockReading.path]
    ) { input in
        guard let path = input.plan.certificate else { return [] }
        guard let text = input.now.text(path), let certificate = Certificate(pem: text.utf8),
            let now = input.now.clock?.realtimeNanos
        else { return [input.unknown(.clusterCertificate, source: path)] }
        let left = certificate.ends - now / 1_000_000_000
        let days = left < 0 ? -1 : left / 86_400
        let words =
            switch days {
            case ..<0: "the certificate of this host has expired"
            case 0: "the certificate of this host expires within a day"
            default: "the certificate of this host expires in \(some(days, "day"))"
            }
        return [
            input.finding(
                .clusterCertificate, value: days, words, source: path,
                fix: .advice([
                    "sudo boursectl cluster renew; on another host than the first one, which it "
                        + "says, with a token"
                ]))
        ]
    }
}
