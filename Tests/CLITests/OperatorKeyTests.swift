// Goal: an operator's key file opens by its own passphrase alone, and bytes that are none do not
// stop the process.

import BoursectlCommands
import Secrets
import Terms
import Testing

@Suite struct OperatorKeyTests {
    @Test func `a key file opens by its passphrase, and by no other`() throws {
        let passphrase = SecretBytes(Array("correct horse".utf8))
        let name = try #require(Text40("olga"))
        let file = try #require(OperatorKeyFile(new: name, passphrase: passphrase))
        let read = try #require(OperatorKeyFile(text: file.text))
        #expect(read == file && read.name == name)
        let secret = try #require(read.open(passphrase))
        #expect(Ed25519.publicKey(of: secret) == file.key.bytes)
        #expect(read.open(SecretBytes(Array("correct horsf".utf8))) == nil)
        // Another name or key in the file is not what was sealed.
        let other = file.text.replacing("olga", with: "otto")
        let renamed = try #require(OperatorKeyFile(text: other))
        #expect(renamed.open(passphrase) == nil)
    }

    @Test func `a log's clock that is far from the host's is not signed by`() {
        let minute: Int64 = 60_000_000_000
        for (log, host, isClose): (Int64, Int64, Bool) in [
            (0, 0, true), (10 * minute, 0, true), (10 * minute + 1, 0, false),
            (0, 10 * minute, true), (0, 10 * minute + 1, false), (.max, 0, false),
            (.min, 1, false), (.max, .min, false), (.max, .max, true),
        ] {
            #expect(OperatorSigner.isClose(log, to: host) == isClose, "\(log) and \(host)")
        }
        #expect(OperatorSigner.moment(5, after: 7) == 12)
        #expect(OperatorSigner.moment(5, after: .max - 4) == .max)
    }

    @Test func `a text that is no key file is refused`() throws {
        let name = try #require(Text40("olga"))
        let good = try #require(
            OperatorKeyFile(new: name, passphrase: SecretBytes(Array("passphrase".utf8)))
        ).text
        for count in 0..<good.utf8.count {
            #expect(OperatorKeyFile(text: String(good.prefix(count))) == nil)
        }
        for bad in [good + "\n", good.replacing("key 1", with: "key 2"), "\n\n\n\n\n", "name"] {
            #expect(OperatorKeyFile(text: bad) == nil)
        }
    }
}
