// asset add

import ArgumentParser
import JSON
import Presentation
import Terms
import Wire

struct AssetAddCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Adds an asset.",
        discussion: """
            The scale is the number of its decimals, 0 to 18; it never changes. Repeated with the \
            same scale, the command changes nothing.

            JSON: {"sequence", "id", "code", "scale"}

            EXAMPLE
              boursectl asset add USDT --scale 6
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Argument(help: "Its code, as BTC: up to 16 characters.") var code: String
    @Option(help: "Number of decimals, 0 to 18.") var scale: Int

    func run() throws {
        guard let text = Text16(code), !text.isEmpty else {
            throw CommandError(
                "\(code) is not a valid code: use up to 16 ASCII characters", code: .usage)
        }
        guard (0...Int(Limits.scaleMax)).contains(scale) else {
            throw CommandError("the scale \(scale) is not within 0 to 18", code: .usage)
        }
        let receipt = try common.exchange().session(signature.who).submit(
            SetAsset(code: text, scale: UInt8(scale), audit: signature.audit()),
            meanings: [.nameInvalid: "\(code) exists with another scale, which cannot change"])
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "id": .number(receipt.outcome.id),
                "code": .string(code), "scale": .number(scale),
            ], text: ["Asset \(code) exists with \(scale) decimals. \(receipt.text)"])
    }
}
