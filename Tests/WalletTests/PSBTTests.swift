// Goal: PSBTs are read and written as BIP174 and BIP371 say; a signer signs what is its own and
// nothing else; and what is finalized is what a node takes.

import Addresses
import Keys
import Secrets
import Slabs
import Terms
import Testing
import UTXO

@Suite struct PSBTTests {
    private func bitcoin() throws -> UTXONetwork { try #require(.named("bitcoin")) }

    @Test(arguments: PSBTVectors.valid.map(\.name))
    func `a PSBT of the documents is written as it was read`(name: String) throws {
        let text = try #require(PSBTVectors.valid.first { $0.name == name }?.text)
        let psbt = try PSBT(base64: text, on: bitcoin())
        #expect(psbt.base64 == text)
        #expect(try PSBT(psbt.bytes, on: bitcoin()) == psbt)
        #expect(psbt.inputs.count == psbt.transaction.inputs.count)
        #expect(psbt.outputs.count == psbt.transaction.outputs.count)
    }

    @Test(arguments: PSBTVectors.invalid.map(\.name))
    func `what the documents call invalid is refused`(name: String) throws {
        let text = try #require(PSBTVectors.invalid.first { $0.name == name }?.text)
        #expect(throws: PSBTError.self) { try PSBT(base64: text, on: bitcoin()) }
    }

    @Test func `reasons are named`() throws {
        func refusal(_ name: String) throws -> PSBTError? {
            let text = try #require(PSBTVectors.invalid.first { $0.name == name }?.text)
            do {
                _ = try PSBT(base64: text, on: bitcoin())
                return nil
            } catch let error as PSBTError {
                return error
            }
        }
        #expect(try refusal("Network transaction, not PSBT format") == .notPSBT)
        #expect(try refusal("PSBT cut short") == .notBase64)
        #expect(try refusal("PSBT missing outputs") == .malformed(.truncated))
        #expect(try refusal("PSBT with duplicate keys in an input") == .duplicateKey([0]))
        #expect(try refusal("PSBT with an unsupported version number") == .version(1))
        #expect(
            try refusal("PSBT where one input has a filled scriptSig in the unsigned tx")
                == .signed)
        #expect(
            try refusal("PSBT where inputs and outputs are provided but without an unsigned tx")
                == .noTransaction)
        #expect(
            try refusal("PSBT_KEY_PATH_SIG that is too long") == .field(.input, type: 0x13))
        let good = try PSBT(base64: PSBTVectors.valid[0].text, on: bitcoin()).bytes
        #expect(throws: PSBTError.malformed(.trailing(count: 1))) {
            try PSBT(good + [0], on: bitcoin())
        }
        let less = good.count - 1
        #expect(throws: PSBTError.malformed(.tooLarge(count: good.count, maximum: less))) {
            try PSBT(good, on: bitcoin(), bytesMax: less)
        }
        #expect(throws: PSBTError.self) {
            try PSBT(base64: PSBTVectors.valid[0].text, on: bitcoin(), bytesMax: 100)
        }
    }

    /// BIP371's input of one key: its signature is valid for the hash of BIP341.
    @Test func `the document's Taproot signature is finalized`() throws {
        let text = try #require(
            PSBTVectors.valid.first { $0.name == "a key path with its signature" }?.text)
        var psbt = try PSBT(base64: text, on: bitcoin())
        let signature = try #require(
            psbt.inputs[0].value(PSBTType.TransactionInput.taprootSignature))
        #expect(throws: PSBTError.notFinal(input: 0)) { try psbt.extracted() }
        try psbt.finalize(on: bitcoin())
        #expect(try psbt.extracted().inputs[0].witness == [signature])
        #expect(
            psbt.inputs[0].records.map(\.type)
                == [PSBTType.TransactionInput.spentOutput, PSBTType.TransactionInput.finalWitness])
        // Without it nothing is final, nor with one of another output.
        for name in ["an output of one key", "scripts of an input", "unknown types"] {
            let text = try #require(PSBTVectors.valid.first { $0.name == name }?.text)
            var psbt = try PSBT(base64: text, on: bitcoin())
            let before = psbt
            #expect(throws: PSBTError.self) { try psbt.finalize(on: bitcoin()) }
            #expect(psbt == before)
        }
    }

    /// BIP174's extractor: scripts and witnesses of multisignatures, whose parts end as here.
    @Test func `the document's final PSBT gives its transaction`() throws {
        let text = try #require(PSBTVectors.valid.first { $0.name == "all final" }?.text)
        let psbt = try PSBT(base64: text, on: bitcoin())
        let transaction = try psbt.extracted()
        #expect(transaction.inputs[0].scriptSig.count == 0xDA)
        #expect(transaction.inputs[0].witness.isEmpty)
        #expect(transaction.inputs[1].scriptSig.count == 0x23)
        #expect(transaction.inputs[1].witness.count == 4)
        let end =
            "47522103089dc10c7ac6db54f91329af617333db388cead0c231f723379d1b99030b02dc21023add904f"
            + "3d6dcf59ddb906b0dee23529b7ffb9ed50e5e86151926860221f0e7352ae00000000"
        #expect(hex(transaction.bytes).hasSuffix(end))
        #expect(try psbt.fee(on: bitcoin()) > 0)
    }

    /// BIP174, "A combiner which orders keys lexicographically".
    @Test func `unknown records are combined in the order of their keys`() throws {
        func psbt(_ lasts: [UInt8]) throws -> PSBT {
            var record = bytes("70736274ff01003f0200000001")
            record += [UInt8](repeating: 0xFF, count: 32) + bytes("0000000000ffffffff")
            record += bytes("010000000000000000036a010000000000")
            for _ in 0..<3 {
                for last in lasts {
                    record += [10, 0xF0, 1, 2, 3, 4, 5, 6, 7, 8, last, 15] + (1...15)
                }
                record.append(0)
            }
            return try PSBT(record, on: bitcoin())
        }
        let (a, b) = (try psbt([9]), try psbt([16]))
        #expect(try a.combined(with: b).bytes == psbt([9, 16]).bytes)
        #expect(try b.combined(with: a).bytes == psbt([9, 16]).bytes)
        #expect(try a.combined(with: a) == a)
        let other = try PSBT(base64: PSBTVectors.valid[0].text, on: bitcoin())
        #expect(throws: PSBTError.otherTransaction) { try a.combined(with: other) }
    }

    /// Two coins of each kind, paid to a payee, with change.
    private func plan(_ wallet: TestWallet) throws -> PaymentPlan {
        let coins = try [
            wallet.coin(.publicKeyHash, 0, 50_000), wallet.coin(.taproot, 1, 60_000),
            wallet.coin(.publicKeyHash, 2, 70_000), wallet.coin(.taproot, 3, 80_000),
        ]
        var policy = PaymentPolicy(
            network: wallet.network, feeRate: UTXOFeeRate(perKilobyte: 2_000)!, feeMax: 100_000,
            change: try wallet.destination(.taproot, 0, change: true),
            longTermFeeRate: UTXOFeeRate(perKilobyte: 1_000)!)
        policy.changeMin = 1_000
        let payees = [Payee(try wallet.destination(.publicKeyHash, 99), 230_000)]
        let selection = try CoinSelection(from: coins, paying: payees, policy: policy, seed: 1)
        return try PaymentPlan(paying: payees, from: selection, policy: policy, seed: 1)
    }

    @Test func `a wallet signs its own inputs, and a finalizer takes the signatures`() throws {
        let wallet = try TestWallet()
        let plan = try plan(wallet)
        #expect(plan.coins.count == 4)
        var psbt = try wallet.psbt(plan)
        #expect(try PSBT(base64: psbt.base64, on: wallet.network) == psbt)
        #expect(try psbt.fee(on: wallet.network) == plan.fee)
        let change = try #require(plan.changeIndex)
        #expect(try psbt.isChange(change, of: wallet.master))
        #expect(try !psbt.isChange(1 - change, of: wallet.master))
        #expect(try !psbt.isChange(change, of: TestWallet(seed: 2).master))
        let random = [UInt8](repeating: 9, count: 32)
        let count = try psbt.sign(with: wallet.master, on: wallet.network, random: random)
        #expect(count == 4)
        psbt = try PSBT(base64: psbt.base64, on: wallet.network)
        try psbt.finalize(on: wallet.network)
        psbt = try PSBT(base64: psbt.base64, on: wallet.network)
        let signed = try psbt.extracted()
        #expect(signed.id == plan.transaction.id)
        #expect(try UTXOTransaction(signed.bytes, on: wallet.network) == signed)
        // What is final is signed by nobody again.
        let none = try psbt.sign(with: wallet.master, on: wallet.network, random: random)
        #expect(none == 0)
    }

    @Test func `a signature that is not valid is not finalized`() throws {
        let wallet = try TestWallet()
        var good = try wallet.psbt(plan(wallet))
        _ = try good.sign(
            with: wallet.master, on: wallet.network, random: [UInt8](repeating: 9, count: 32))
        for place in good.inputs.indices {
            let signatures =
                good.inputs[place].all(PSBTType.TransactionInput.signature)
                + good.inputs[place].all(PSBTType.TransactionInput.taprootSignature)
            #expect(signatures.count == 1)
            let signature = try #require(signatures.first?.value)
            let start = try #require(hex(good.bytes).firstRange(of: hex(signature)))
            let offset = hex(good.bytes).distance(
                from: hex(good.bytes).startIndex, to: start.lowerBound)
            // A byte of the second half, and the last: of ECDSA the type of the hash.
            for byte in [signature.count - 8, signature.count - 1] {
                var bytes = good.bytes
                bytes[offset / 2 + byte] ^= 2
                var psbt = try PSBT(bytes, on: wallet.network)
                #expect(throws: PSBTError.notSigned(input: place)) {
                    try psbt.finalize(on: wallet.network)
                }
            }
        }
        try good.finalize(on: wallet.network)
    }

    @Test func `one that is not the owner signs nothing`() throws {
        let (wallet, other) = (try TestWallet(), try TestWallet(seed: 2))
        var psbt = try wallet.psbt(plan(wallet))
        let before = psbt
        let random = [UInt8](repeating: 0, count: 32)
        #expect(throws: PSBTError.notOurs(input: 0)) {
            try psbt.sign(with: other.master, on: wallet.network, random: random)
        }
        let count = try psbt.sign(
            with: other.master, on: wallet.network, random: random, skipsOthers: true)
        #expect(count == 0)
        #expect(psbt == before)
        #expect(throws: PSBTError.notSigned(input: 0)) { try psbt.finalize(on: wallet.network) }
        let taproot = psbt.inputs.firstIndex {
            $0.value(PSBTType.TransactionInput.taprootKey) != nil
        }
        #expect(throws: PSBTError.key(input: try #require(taproot))) {
            try psbt.sign(with: wallet.master, on: wallet.network, random: [1])
        }
        #expect(psbt == before)
    }

    /// Changes each record of each input to what it must not be.
    @Test func `a PSBT that does not fit its keys is not signed`() throws {
        let wallet = try TestWallet()
        let plan = try plan(wallet)
        let good = try wallet.psbt(plan)
        let random = [UInt8](repeating: 0, count: 32)
        /// Replaces bytes in the binary form, where they are once.
        func changed(_ old: [UInt8], _ new: [UInt8]) throws -> PSBT {
            let text = hex(good.bytes)
            let parts = text.split(separator: hex(old), omittingEmptySubsequences: false)
            #expect(parts.count == 2, "\(hex(old)) is there once")
            return try PSBT(
                bytes(parts.joined(separator: hex(new))), on: wallet.network)
        }
        for (place, coin) in plan.coins.enumerated() {
            let index = coin.outPoint.output
            let kind = try #require(SpendKind(script: coin.output.script))
            let key = try wallet.key(kind, index).publicKey.key
            let data = kind == .taproot ? Array(key.dropFirst()) : key
            let path = wallet.path(kind, index)
            func value(_ path: [UInt32], _ fingerprint: [UInt8]) -> [UInt8] {
                let indices = path.flatMap { index in
                    (0..<4).map { UInt8(truncatingIfNeeded: index >> (8 * $0)) }
                }
                let origin = fingerprint + indices
                return kind == .taproot
                    ? [UInt8(origin.count + 1), 0] + origin
                    : [UInt8(origin.count)] + origin
            }
            let own = wallet.master.publicKey.fingerprint
            let record = data + value(path, own)
            // Another index, another tree, no path.
            for (path, fingerprint, error) in [
                (Array(path.dropLast()) + [index + 50], own, .scriptMismatch(input: place)),
                (path, [1, 2, 3, 4], .notOurs(input: place)),
                (path + path + path, own, .scriptMismatch(input: place)),
            ] as [([UInt32], [UInt8], PSBTError)] {
                var psbt = try changed(record, data + value(path, fingerprint))
                #expect(throws: error) {
                    try psbt.sign(with: wallet.master, on: wallet.network, random: random)
                }
            }
            var amount: [UInt8] = []
            for byte in 0..<8 {
                amount.append(UInt8(truncatingIfNeeded: coin.output.amount >> (8 * byte)))
            }
            let output = amount + [UInt8(coin.output.script.count)] + coin.output.script
            // The script: of another key of the wallet, while the origin is this one's.
            let other = try wallet.destination(kind, index + 50).script
            var moved = try changed(output, output.dropLast(other.count) + other)
            #expect(throws: PSBTError.scriptMismatch(input: place)) {
                try moved.sign(with: wallet.master, on: wallet.network, random: random)
            }
            // The amount: signatures are then of another transaction.
            var lied = try changed(output, [1] + output.dropFirst())
            var honest = good
            _ = try lied.sign(with: wallet.master, on: wallet.network, random: random)
            _ = try honest.sign(with: wallet.master, on: wallet.network, random: random)
            let type =
                kind == .taproot
                ? PSBTType.TransactionInput.taprootSignature : PSBTType.TransactionInput.signature
            #expect(lied.inputs[place].all(type) != honest.inputs[place].all(type))
            #expect(throws: PSBTError.conflict([1])) { try lied.combined(with: honest) }
        }
    }

    @Test func `other hash types are neither signed nor finalized`() throws {
        let wallet = try TestWallet()
        let plan = try plan(wallet)
        let good = try wallet.psbt(plan).bytes
        let random = [UInt8](repeating: 0, count: 32)
        // Behind the global map.
        let start = 5 + 3 + plan.transaction.bytes.count + 1
        let first = try #require(SpendKind(script: plan.coins[0].output.script))
        for type in 0...3 as ClosedRange<UInt8> {
            let record: [UInt8] = [1, 3, 4, type, 0, 0, 0]
            var psbt = try PSBT(
                Array(good[..<start]) + record + good[start...], on: wallet.network)
            if type == (first == .taproot ? 0 : 1) {
                let count = try psbt.sign(
                    with: wallet.master, on: wallet.network, random: random)
                #expect(count == 4)
                try psbt.finalize(on: wallet.network)
            } else {
                #expect(throws: PSBTError.hashType(input: 0)) {
                    try psbt.sign(with: wallet.master, on: wallet.network, random: random)
                }
            }
        }
    }

    @Test func `the previous transaction proves what is spent`() throws {
        let wallet = try TestWallet()
        let script = try wallet.destination(.publicKeyHash, 0).script
        let previous = UTXOTransaction(
            inputs: [.init(outPoint: OutPoint(.none, 7), sequence: 0)],
            outputs: [.init(amount: 90_000, script: script)], lockTime: 0)
        let spending = UTXOTransaction(
            inputs: [.init(outPoint: OutPoint(previous.id, 0), sequence: 0)],
            outputs: [.init(amount: 80_000, script: script)], lockTime: 0)
        let origin = try #require(
            KeyOrigin(
                fingerprint: wallet.master.publicKey.fingerprint,
                path: wallet.path(.publicKeyHash, 0)))
        let key = try wallet.key(.publicKeyHash, 0).publicKey
        var psbt = try PSBT(unsigned: spending)
        let random = [UInt8](repeating: 0, count: 32)
        #expect(throws: PSBTError.spentMissing(input: 0)) {
            try psbt.sign(with: wallet.master, on: wallet.network, random: random)
        }
        #expect(throws: PSBTError.noSuchPlace(1)) { try psbt.updateInput(1, previous: previous) }
        #expect(throws: PSBTError.spentMismatch(input: 0)) {
            try psbt.updateInput(0, previous: spending)
        }
        try psbt.updateInput(0, previous: previous)
        try psbt.updateInput(0, spent: previous.outputs[0], key: key, origin: origin)
        #expect(try psbt.fee(on: wallet.network) == 10_000)
        var lied = try PSBT(unsigned: spending)
        try lied.updateInput(0, previous: previous)
        try lied.updateInput(
            0, spent: .init(amount: 89_999, script: script), key: key, origin: origin)
        #expect(throws: PSBTError.spentMismatch(input: 0)) {
            try lied.sign(with: wallet.master, on: wallet.network, random: random)
        }
        let count = try psbt.sign(with: wallet.master, on: wallet.network, random: random)
        #expect(count == 1)
        try psbt.finalize(on: wallet.network)
        #expect(try psbt.extracted().id == spending.id)
        #expect(throws: PSBTError.signed) { try PSBT(unsigned: psbt.extracted()) }
        let other = try wallet.key(.publicKeyHash, 1).publicKey
        #expect(throws: PSBTError.scriptMismatch(input: 0)) {
            try lied.updateInput(0, spent: previous.outputs[0], key: other, origin: origin)
        }
    }

    /// Each signs its half of one transaction.
    @Test func `two signers' halves are combined to a whole`() throws {
        let (one, two) = (try TestWallet(), try TestWallet(seed: 2))
        let coins = [try one.coin(.taproot, 0, 50_000), try two.coin(.publicKeyHash, 1, 50_000)]
        let transaction = UTXOTransaction(
            inputs: coins.map { .init(outPoint: $0.outPoint, sequence: 0) },
            outputs: [.init(amount: 90_000, script: coins[0].output.script)], lockTime: 0)
        var psbt = try PSBT(unsigned: transaction)
        for (place, (wallet, kind)) in [(one, SpendKind.taproot), (two, .publicKeyHash)]
            .enumerated()
        {
            let path = wallet.path(kind, UInt32(place))
            let origin = try #require(
                KeyOrigin(fingerprint: wallet.master.publicKey.fingerprint, path: path))
            try psbt.updateInput(
                place, spent: coins[place].output,
                key: wallet.master.descendant(along: path).publicKey, origin: origin)
        }
        let random = [UInt8](repeating: 5, count: 32)
        var halves = [psbt, psbt]
        for (place, wallet) in [one, two].enumerated() {
            #expect(throws: PSBTError.notOurs(input: 1 - place)) {
                try halves[place].sign(with: wallet.master, on: wallet.network, random: random)
            }
            let count = try halves[place].sign(
                with: wallet.master, on: wallet.network, random: random, skipsOthers: true)
            #expect(count == 1)
        }
        let whole = try halves[0].combined(with: halves[1])
        #expect(try halves[1].combined(with: halves[0]) == whole)
        var done = whole
        try done.finalize(on: one.network)
        #expect(try done.extracted().inputs.allSatisfy { !$0.witness.isEmpty })
        // Of two signatures by one key either is right, and both orders keep the same.
        var again = psbt
        _ = try again.sign(
            with: one.master, on: one.network, random: [UInt8](repeating: 6, count: 32),
            skipsOthers: true)
        #expect(again != halves[0])
        #expect(try again.combined(with: whole) == whole.combined(with: again))
    }
}
