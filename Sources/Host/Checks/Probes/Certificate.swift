// Certificates as PEM files: what a check and an operator need of one. X.509 (RFC 5280) in DER.

internal import Terms

/// A certificate.
public struct Certificate: Hashable, Sendable {
    /// The certificate in DER.
    public let der: [UInt8]
    /// When it begins, in seconds since 1970 (UTC).
    public let begins: Int64
    /// When it ends.
    public let ends: Int64

    /// Maximum size of a file that is read, in bytes.
    public static var fileBytesMax: Int { 65_536 }

    /// The first certificate in a PEM text (RFC 7468); nil where there is none that is whole.
    public init?(pem: some Collection<UInt8>) {
        let text = String(decoding: pem, as: UTF8.self)
        guard let start = text.firstRange(of: "-----BEGIN CERTIFICATE-----"),
            let end = text[start.upperBound...].firstRange(of: "-----END CERTIFICATE-----"),
            let der = Base64.bytes(text[start.upperBound..<end.lowerBound].filter { $0 > " " })
        else { return nil }
        self.init(der: der)
    }

    /// The certificate of these bytes; nil where they are none.
    public init?(der: [UInt8]) {
        // Certificate ::= SEQUENCE { tbsCertificate SEQUENCE { [0] version, serialNumber,
        // signature, issuer, validity SEQUENCE { notBefore, notAfter }, … }, … }
        var whole = DERReader(der[...])
        guard var certificate = whole.contents(of: 0x30), whole.isAtEnd,
            var body = certificate.contents(of: 0x30)
        else { return nil }
        _ = body.contents(of: 0xA0)
        guard body.contents(of: 0x02) != nil, body.contents(of: 0x30) != nil,
            body.contents(of: 0x30) != nil, var validity = body.contents(of: 0x30),
            let begins = validity.time(), let ends = validity.time()
        else { return nil }
        (self.der, self.begins, self.ends) = (der, begins, ends)
    }
}

/// Reads DER (X.690) element by element.
private struct DERReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    var isAtEnd: Bool { rest.isEmpty }

    /// The contents of the next element if it has this tag; else nil, and the element stays.
    mutating func contents(of tag: UInt8) -> DERReader? {
        guard rest.count >= 2, rest.first == tag else { return nil }
        let first = rest[rest.startIndex + 1]
        var after = rest.dropFirst(2)
        var length = Int(first)
        if first >= 0x80 {
            let count = Int(first & 0x7F)
            guard 1...3 ~= count, after.count >= count else { return nil }
            length = after.prefix(count).reduce(0) { $0 << 8 | Int($1) }
            after = after.dropFirst(count)
        }
        guard after.count >= length else { return nil }
        rest = after.dropFirst(length)
        return DERReader(after.prefix(length))
    }

    /// The next element as a time, in seconds since 1970: UTCTime or GeneralizedTime.
    mutating func time() -> Int64? {
        let isShort = rest.first == 0x17
        guard let text = contents(of: isShort ? 0x17 : 0x18)?.rest,
            text.count == (isShort ? 13 : 15), text.last == 0x5A
        else { return nil }
        let digits = text.dropLast()
        guard digits.allSatisfy({ 0x30...0x39 ~= $0 }) else { return nil }
        let numbers = digits.map { Int64($0 - 0x30) }
        func pair(_ index: Int) -> Int64 { numbers[index] * 10 + numbers[index + 1] }
        let offset = isShort ? 2 : 4
        // RFC 5280, 4.1.2.5.1: two digits from 50 on are of the last century.
        let year =
            isShort
            ? pair(0) + (pair(0) >= 50 ? 1_900 : 2_000) : pair(0) * 100 + pair(2)
        let (month, day) = (pair(offset), pair(offset + 2))
        let (hour, minute, second) = (pair(offset + 4), pair(offset + 6), pair(offset + 8))
        guard 1...12 ~= month, 1...31 ~= day, hour < 24, minute < 60, second < 61 else {
            return nil
        }
        let days = CivilDate.days(year: year, month: month, day: day)
        return (days * 24 + hour) * 3_600 + minute * 60 + second
    }
}
