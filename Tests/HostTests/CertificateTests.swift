// Goal: when a certificate ends is read of any certificate, and of nothing that is none.

import Checks
import Foundation
import Testing

@Suite struct CertificateTests {
    /// The certificate of the recorded machine `metal`.
    private var pem: String { Machine.metal.now["/etc/bourse/cluster/host.crt"] ?? "" }

    @Test func `a certificate says when it begins and ends`() throws {
        let certificate = try #require(Certificate(pem: pem.utf8))
        #expect(certificate.begins == 1_756_684_800)
        #expect(certificate.ends == 1_819_756_800)
        #expect(certificate.der.count > 200)
        let among = "words\n\(pem)\(pem)"
        #expect(Certificate(pem: among.utf8) == certificate)
    }

    /// The same with another time in place of its end.
    private func ends(_ tag: UInt8, _ time: String) throws -> Int64? {
        let der = try #require(Certificate(pem: pem.utf8)).der
        let end = [0x17, 13] + Array("270901000000Z".utf8)
        let place = try #require(der.firstRange(of: end))
        var changed = der
        changed.replaceSubrange(place, with: [tag, UInt8(time.utf8.count)] + Array(time.utf8))
        // The lengths of what it stands in: the whole, the body, the validity.
        let grown = time.utf8.count + 2 - end.count
        let validity = place.lowerBound - 16
        #expect(der[validity] == 30)
        changed[validity] = UInt8(Int(changed[validity]) + grown)
        try #require(der[1] == 0x82 && der[5] == 0x81)
        let sum = Int(der[2]) << 8 + Int(der[3]) + grown
        (changed[2], changed[3]) = (UInt8(sum >> 8), UInt8(sum & 0xFF))
        changed[6] = UInt8(Int(changed[6]) + grown)
        return Certificate(der: changed)?.ends
    }

    @Test func `times of both forms are read`() throws {
        #expect(try ends(0x17, "491231235959Z") == 2_524_607_999)
        #expect(try ends(0x17, "500101000000Z") == -631_152_000)
        #expect(try ends(0x18, "20500101000000Z") == 2_524_608_000)
        #expect(try ends(0x18, "20240229120000Z") == 1_709_208_000)
        for wrong in ["271301000000Z", "270900000000Z", "270901240000Z", "27090100000xZ"] {
            #expect(try ends(0x17, wrong) == nil, "\(wrong)")
        }
    }

    @Test func `what is no certificate is none, wherever it is cut or changed`() throws {
        #expect(Certificate(pem: "".utf8) == nil)
        #expect(
            Certificate(pem: "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----".utf8)
                == nil)
        let der = try #require(Certificate(pem: pem.utf8)).der
        for length in 0..<der.count { #expect(Certificate(der: Array(der[..<length])) == nil) }
        // It may be read or not; it must not stop the process.
        for index in der.indices {
            for bit in 0..<8 {
                var changed = der
                changed[index] ^= 1 << bit
                _ = Certificate(der: changed)
            }
        }
    }
}
