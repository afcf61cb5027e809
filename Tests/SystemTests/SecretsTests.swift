// Goal: the codes and signatures are those of the standards, sealed secrets open only where they
// should, and key files that others may read are refused.

import Glibc
import Platform
import Secrets
import Testing

@Suite struct SecretsTests {
    static func bytes(_ hex: String) -> [UInt8] {
        let digits = Array(hex.utf8)
        return stride(from: 0, to: digits.count, by: 2).map {
            UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)!
        }
    }

    @Test func `SHA-256 and HMAC are those of FIPS 180-4 and RFC 4231`() {
        #expect(
            SHA256.digest(Array("abc".utf8))
                == Self.bytes("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"))
        #expect(
            SHA256.digest([])
                == Self.bytes("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"))
        let key = SecretBytes(Array("Jefe".utf8))
        let text = Array("what do ya want for nothing?".utf8)
        let code = Self.bytes("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        #expect(HMACSHA256.code(key: key, text) == code)
        #expect(HMACSHA256.isValid(code, key: key, text))
        #expect(!HMACSHA256.isValid(Array(code.dropLast()), key: key, text))
        #expect(!HMACSHA256.isValid(code, key: key, text + [0]))
        #expect(HMACSHA256.code(key: SecretBytes([]), []).count == 32)
    }

    @Test func `Ed25519 is that of RFC 8032`() {
        let key = Self.bytes("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
        let signature = Self.bytes(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")
        #expect(Ed25519.isValid(signature, publicKey: key, [0x72]))
        #expect(!Ed25519.isValid(signature, publicKey: key, [0x73]))
        #expect(!Ed25519.isValid(signature, publicKey: Array(key.dropLast()), [0x72]))
        #expect(!Ed25519.isValid([], publicKey: key, []))
    }

    @Test func `an Ed25519 public key is read from the PEM of RFC 8410, and nothing else is`() {
        let body = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
        func pem(_ label: String, _ body: String) -> [UInt8] {
            Array("-----BEGIN \(label)-----\n\(body)\n-----END \(label)-----\n".utf8)
        }
        let key = Self.bytes("19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1")
        #expect(Ed25519.publicKey(pem: pem("PUBLIC KEY", body)) == key)
        // The RFC's private key, a key cut short, an X25519 key, no PEM at all.
        let secret = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC"
        #expect(Ed25519.publicKey(pem: pem("PRIVATE KEY", secret)) == nil)
        #expect(Ed25519.publicKey(pem: pem("PUBLIC KEY", String(body.dropLast(8)))) == nil)
        let other = "MCowBQYDK2VuAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
        #expect(Ed25519.publicKey(pem: pem("PUBLIC KEY", other)) == nil)
        #expect(Ed25519.publicKey(pem: []) == nil)
    }

    @Test func `equality looks at every byte`() {
        let a = SystemRandom.bytes(32)
        #expect(isEqual(a, a))
        for i in a.indices {
            var b = a
            b[i] ^= 0x80
            #expect(!isEqual(a, b))
        }
        #expect(!isEqual(a, Array(a.dropLast())))
        #expect(isEqual([], []))
    }

    @Test func `a sealed secret opens with its key and context only`() throws {
        let key = SealKey(.random(count: 32))
        let secret = Array("s3cr3t of a customer".utf8)
        let context = Array("key id".utf8)
        let sealed = key.seal(SecretBytes(secret), context: context)
        #expect(sealed.count == secret.count + SealKey.overhead)
        #expect(sealed != key.seal(SecretBytes(secret), context: context))
        let opened = try #require(key.open(sealed, context: context))
        unsafe opened.withBytes { unsafe #expect(Array($0) == secret) }
        #expect(key.open(sealed, context: context + [0]) == nil)
        #expect(SealKey(.random(count: 32)).open(sealed, context: context) == nil)
        for i in sealed.indices {
            var changed = sealed
            changed[i] ^= 1
            #expect(key.open(changed, context: context) == nil, "byte \(i)")
        }
        for count in 0..<SealKey.overhead {
            #expect(key.open(Array(sealed.prefix(count)), context: context) == nil)
        }
        let nothing = key.seal(SecretBytes([]), context: [])
        #expect(key.open(nothing, context: [])?.count == 0)
    }

    @Test func `a key file is made once, for its owner only`() throws {
        let scratch = try TestDirectory()
        let path = scratch.file("secrets/seal.key")
        let made = try SealKey.create(path)
        let file = try File(path, .read)
        #expect(try file.permissions() == 0o600)
        #expect(try file.size() == 32)
        let sealed = made.seal(SecretBytes([1, 2, 3]), context: [])
        #expect(try SealKey.load(path).open(sealed, context: [])?.count == 3)
        #expect(throws: SealKeyError.self) { try SealKey.create(path) }
        #expect(try SealKey.load(path).open(sealed, context: [])?.count == 3)
    }

    @Test func `a key file that others may read, or of another length, is refused`() throws {
        let scratch = try TestDirectory()
        let path = scratch.file("seal.key")
        _ = try SealKey.create(path)
        for mode: mode_t in [0o640, 0o604, 0o644, 0o620] {
            _ = unsafe chmod(path, mode)
            #expect(throws: SealKeyError.permissions(path: path, mode: mode)) {
                try SealKey.load(path)
            }
        }
        for count in [0, 31, 33] {
            let other = scratch.file("key\(count)")
            try File.replace(other, with: [UInt8](repeating: 7, count: count))
            #expect(throws: SealKeyError.notAKey(path: other)) { try SealKey.load(other) }
        }
        #expect(throws: SealKeyError.self) { try SealKey.load(scratch.file("none")) }
    }

    @Test func `API keys are 64 letters and digits, never twice`() {
        var seen: Set<String> = []
        for _ in 0..<200 {
            let key = APIKeyMaterial.random()
            let secret = unsafe key.secret.withBytes { unsafe String(decoding: $0, as: UTF8.self) }
            for text in [key.keyID, secret] {
                #expect(text.utf8.count == 64)
                #expect(text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) })
                #expect(seen.insert(text).inserted)
            }
        }
    }
}
