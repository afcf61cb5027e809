// Goal: signatures are those of BIP340's vectors and of RFC 6979, verify exactly where they should,
// and no changed bit of a signature, hash or key goes unseen.

import Keys
import Secrets
import Slabs
import Testing

private func key(_ hex: String) throws -> SigningKey {
    try #require(SigningKey(SecretBytes(bytes(hex))))
}

@Suite struct SigningTests {
    /// BIP340, test-vectors.csv: secret key, public key, random bytes, hash, signature.
    @Test(arguments: [
        (
            "0000000000000000000000000000000000000000000000000000000000000003",
            "F9308A019258C31049344F85F89D5229B531C845836F99B08601F113BCE036F9",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "E907831F80848D1069A5371B402410364BDF1C5F8307B0084C55F1CE2DCA8215"
                + "25F66A4A85EA8B71E482A74F382D2CE5EBEEE8FDB2172F477DF4900D310536C0"
        ),
        (
            "B7E151628AED2A6ABF7158809CF4F3C762E7160F38B4DA56A784D9045190CFEF",
            "DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659",
            "0000000000000000000000000000000000000000000000000000000000000001",
            "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89",
            "6896BD60EEAE296DB48A229FF71DFE071BDE413E6D43F917DC8DCF8C78DE3341"
                + "8906D11AC976ABCCB20B091292BFF4EA897EFCB639EA871CFA95F6DE339E4B0A"
        ),
        (
            "C90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B14E5C9",
            "DD308AFEC5777E13121FA72B9CC1B7CC0139715309B086C960E18FD969774EB8",
            "C87AA53824B4D7AE2EB035A2B5BBBCCC080E76CDC6D1692C4B0B62D798E6D906",
            "7E2D58D8B3BCDF1ABADEC7829054F90DDA9805AAB56C77333024B9D0A508B75C",
            "5831AAEED7B44BB74E5EAB94BA9D4294C49BCF2A60728D8B4C200F50DD313C1B"
                + "AB745879A5AD954A72C45A91C3A51D3C7ADEA98D82F8481E0E1E03674A6F3FB7"
        ),
        (
            "0B432B2677937381AEF05BB02A66ECD012773062CF3FA2549E44F58ED2401710",
            "25D1DFF95105F5253C4022F628A996AD3A0D95FBF21D468A1B33F8C160D8F517",
            "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
            "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
            "7EB0509757E246F19449885651611CB965ECC1A187DD51B64FDA1EDC9637D5EC"
                + "97582B9CB13DB3933705B32BA982AF5AF25FD78881EBB32771FC5922EFC66EA3"
        ),
    ])
    func `a Schnorr signature is the document's`(
        secret: String, public32: String, random: String, hash: String, signature: String
    ) throws {
        let key = try key(secret)
        #expect(Array(key.publicKey.dropFirst()) == bytes(public32))
        #expect(try key.schnorr(bytes(hash), random: bytes(random)) == bytes(signature))
        #expect(
            CurveSignature.isSchnorr(bytes(signature), of: bytes(hash), by: bytes(public32)))
    }

    /// The same list's verification alone: public key, hash, signature, whether it verifies.
    @Test(arguments: [
        (
            "D69C3509BB99E412E68B0FE8544E72837DFA30746D8BE2AA65975F29D22DC7B9",
            "4DF3C3F68FCC83B27E9D42C90431A72499F17875C81A599B566C9889B9696703",
            "00000000000000000000003B78CE563F89A0ED9414F5AA28AD0D96D6795F9C63"
                + "76AFB1548AF603B3EB45C9F8207DEE1060CB71C04E80F593060B07D28308D7F4", true
        ),
        // A public key that is not on the curve.
        (
            "EEFDEA4CDB677750A420FEE807EACF21EB9898AE79B9768766E4FAA04A2D4A34",
            "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89",
            "6CFF5C3BA86C69EA4B7376F31A9BCB4F74C1976089B2D9963DA2E5543E177769"
                + "69E89B4C5564D00349106B8497785DD7D1D713A8AE82B32FA79D5F7FC407D39B", false
        ),
        // An odd y of R, a negated message, a negated s.
        (
            "DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659",
            "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89",
            "FFF97BD5755EEEA420453A14355235D382F6472F8568A18B2F057A1460297556"
                + "3CC27944640AC607CD107AE10923D9EF7A73C643E166BE5EBEAFA34B1AC553E2", false
        ),
        (
            "DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659",
            "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89",
            "1FA62E331EDBC21C394792D2AB1100A7B432B013DF3F6FF4F99FCB33E0E1515F"
                + "28890B3EDB6E7189B630448B515CE4F8622A954CFE545735AAEA5134FCCDB2BD", false
        ),
        (
            "DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659",
            "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89",
            "6CFF5C3BA86C69EA4B7376F31A9BCB4F74C1976089B2D9963DA2E5543E177769"
                + "961764B3AA9B2FFCB6EF947B6887A226E8D7C93E00C5ED0C1834FF0D0C2E6DA6", false
        ),
        // sG − eP is infinite.
        (
            "DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659",
            "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89",
            "0000000000000000000000000000000000000000000000000000000000000000"
                + "123DDA8328AF9C23A94C1FEECFD123BA4FB73476F0D594DCB65C6425BD186051", false
        ),
        (
            "DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659",
            "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89",
            "0000000000000000000000000000000000000000000000000000000000000001"
                + "7615FBAF5AE28864013C099742DEADB4DBA87F11AC6754F93780D5A1837CF197", false
        ),
        // r is no x of the curve, or the field's size; s is the order; the key is above the field.
        (
            "DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659",
            "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89",
            "4A298DACAE57395A15D0795DDBFD1DCB564DA82B0F269BC70A74F8220429BA1D"
                + "69E89B4C5564D00349106B8497785DD7D1D713A8AE82B32FA79D5F7FC407D39B", false
        ),
        (
            "DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659",
            "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89",
            "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC2F"
                + "69E89B4C5564D00349106B8497785DD7D1D713A8AE82B32FA79D5F7FC407D39B", false
        ),
        (
            "DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659",
            "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89",
            "6CFF5C3BA86C69EA4B7376F31A9BCB4F74C1976089B2D9963DA2E5543E177769"
                + "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141", false
        ),
        (
            "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC30",
            "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89",
            "6CFF5C3BA86C69EA4B7376F31A9BCB4F74C1976089B2D9963DA2E5543E177769"
                + "69E89B4C5564D00349106B8497785DD7D1D713A8AE82B32FA79D5F7FC407D39B", false
        ),
    ])
    func `a Schnorr signature verifies where the document says so`(
        key: String, hash: String, signature: String, isValid: Bool
    ) {
        #expect(
            CurveSignature.isSchnorr(bytes(signature), of: bytes(hash), by: bytes(key))
                == isValid)
    }

    @Test func `a changed bit of signature, hash or key is seen`() throws {
        let key = try key("619c335025c7f4012e556c2a58b2506e30b8511b53ade95ea316fd8c3286feb9")
        let hash = SHA256.digest([1, 2, 3])
        let x = Array(key.publicKey.dropFirst())
        let (ecdsa, schnorr) = (try key.ecdsa(hash), try key.schnorr(hash, random: hash))
        #expect(try key.ecdsa(hash) == ecdsa)
        #expect(CurveSignature.isECDSA(ecdsa, of: hash, by: key.publicKey))
        func changed(_ bytes: [UInt8], _ bit: Int) -> [UInt8] {
            var bytes = bytes
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            return bytes
        }
        for bit in 0..<8 * ecdsa.count {
            #expect(!CurveSignature.isECDSA(changed(ecdsa, bit), of: hash, by: key.publicKey))
        }
        for bit in 0..<8 * 64 {
            #expect(!CurveSignature.isSchnorr(changed(schnorr, bit), of: hash, by: x))
        }
        for bit in 0..<8 * 32 {
            #expect(!CurveSignature.isECDSA(ecdsa, of: changed(hash, bit), by: key.publicKey))
            #expect(!CurveSignature.isSchnorr(schnorr, of: changed(hash, bit), by: x))
            #expect(!CurveSignature.isSchnorr(schnorr, of: hash, by: changed(x, bit)))
        }
        for bit in 0..<8 * 33 {
            #expect(!CurveSignature.isECDSA(ecdsa, of: hash, by: changed(key.publicKey, bit)))
        }
    }

    @Test func `lengths that are wrong are refused`() throws {
        let key = try key("0000000000000000000000000000000000000000000000000000000000000001")
        let hash = [UInt8](repeating: 1, count: 32)
        for count in [0, 31, 33] {
            let short = [UInt8](repeating: 1, count: count)
            #expect(throws: KeyError.hashLength(count)) { try key.ecdsa(short) }
            #expect(throws: KeyError.hashLength(count)) { try key.schnorr(short, random: hash) }
            #expect(throws: KeyError.hashLength(count)) { try key.schnorr(hash, random: short) }
            #expect(throws: KeyError.hashLength(count)) { try key.taproot(hash, random: short) }
            #expect(!CurveSignature.isECDSA(short, of: hash, by: key.publicKey))
            #expect(!CurveSignature.isSchnorr(short, of: hash, by: hash))
            #expect(SigningKey(SecretBytes(short)) == nil)
        }
        #expect(SigningKey(SecretBytes([UInt8](repeating: 0, count: 32))) == nil)
        #expect(SigningKey(SecretBytes([UInt8](repeating: 255, count: 32))) == nil)
        #expect(!CurveSignature.isECDSA([], of: hash, by: key.publicKey))
        #expect(!CurveSignature.isECDSA(hash, of: hash, by: []))
    }

    /// Bitcoin's rule since BIP62: of the two values that verify, the lower one.
    @Test func `every S is low, and a high one does not verify`() throws {
        let order = bytes("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141")
        var random = SplitMix64(seed: 7)
        for _ in 0..<200 {
            let secret = (0..<32).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let key = try #require(SigningKey(SecretBytes(secret)))
            let hash = SHA256.digest(secret)
            let der = try key.ecdsa(hash)
            let rCount = Int(der[3])
            let (r, s) = (Array(der[4..<4 + rCount]), Array(der[(6 + rCount)...]))
            #expect(s.count < 32 || s[0] < 0x80)
            #expect(der.count <= 71)
            // The order less s.
            let padded = [UInt8](repeating: 0, count: 32 - s.count) + s
            var (high, borrow) = ([UInt8](repeating: 0, count: 32), 0)
            for place in (0..<32).reversed() {
                let digit = Int(order[place]) - Int(padded[place]) - borrow
                high[place] = UInt8(digit & 255)
                borrow = digit < 0 ? 1 : 0
            }
            let long = [0] + high
            let body = [2, UInt8(r.count)] + r + [2, 33] + long
            #expect(
                !CurveSignature.isECDSA(
                    [0x30, UInt8(body.count)] + body, of: hash,
                    by: key.publicKey))
        }
    }
}
