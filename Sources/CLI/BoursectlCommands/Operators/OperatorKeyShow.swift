// operator key

import ArgumentParser
import JSON
import Presentation
import Terms

struct OperatorKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Shows an operator's name and public key.",
        discussion: """
            Of a key file, or of a key on a PKCS#11 token, whose label is the operator's name. \
            Nothing is asked for: neither passphrase nor PIN. A key on a token is made with the \
            token's own tools, once: it never leaves the token.

            JSON: {"name", "publicKey"}

            EXAMPLE
              pkcs11-tool --module /usr/lib/softhsm/libsofthsm2.so --token-label olga --login \\
                --keypairgen --key-type EC:edwards25519 --usage-sign --label olga
              boursectl operator key \\
                'pkcs11:token=olga;object=olga?module-path=/usr/lib/softhsm/libsofthsm2.so'
            """)

    @OptionGroup var common: CommonOptions
    @Argument(help: "The key file, or pkcs11:… (RFC 7512).") var key: String

    func run() throws {
        let place = try OperatorKeyPlace.find(key)
        let publicKey = try place.publicKey()
        common.out.give(
            ["name": .string("\(place.name)"), "publicKey": .string(publicKey.hex)],
            text: [
                "The public key of \(place.name):", publicKey.hex,
                "An administrator adds it: boursectl operator add \(place.name) --public-key "
                    + publicKey.hex,
            ])
    }
}
