// Calls, returns and logs of token contracts, in the contract ABI of Solidity.

public import Addresses

/// Why bytes are not what a token's contract is called with, returns or logs.
public enum ABIError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Nothing was returned: no contract is at the address, or it has no such function.
    case noReturn
    /// Another number of bytes than the type has.
    case length(Int)
    /// A word that is none of its type's values: bits above an address, a number out of range.
    case value
    /// A text that is longer than `ABIReturn.symbolBytesMax`, empty, or not printable.
    case text
    /// Another function.
    case otherFunction
    /// Another event.
    case otherEvent
    /// A transfer of a token whose pieces have numbers (ERC-721), not amounts.
    case nonFungible

    /// The reason.
    public var description: String {
        switch self {
        case .noReturn: "the contract returned nothing: check its address and the network"
        case .length(let count): "\(count) bytes are not the length of what was expected"
        case .value: "a word is out of its type's range"
        case .text: "the text is empty, too long or not printable"
        case .otherFunction: "it calls another function than transfer(address,uint256)"
        case .otherEvent: "it is another event than Transfer(address,address,uint256)"
        case .nonFungible: "it is a transfer of an ERC-721 token"
        }
    }
}

/// Names of functions and events as they are called by.
enum ABISignature {
    static let transfer = selector("transfer(address,uint256)")
    static let balanceOf = selector("balanceOf(address)")
    static let decimals = selector("decimals()")
    static let symbol = selector("symbol()")
    /// The first topic of a transfer's log.
    static let transferEvent = Keccak256.digest(Array("Transfer(address,address,uint256)".utf8))

    /// The first four bytes of a signature's hash.
    static func selector(_ signature: String) -> [UInt8] {
        Array(Keccak256.digest(Array(signature.utf8)).prefix(4))
    }

    /// An address as a word.
    static func word(_ address: EVMAddress) -> [UInt8] {
        [UInt8](repeating: 0, count: 12) + address.bytes
    }

    /// The address in a word of 32 bytes.
    static func address(_ word: some Collection<UInt8>) throws(ABIError) -> EVMAddress {
        guard word.count == 32, word.prefix(12).allSatisfy({ $0 == 0 }),
            let address = EVMAddress(bytes: Array(word.suffix(20)))
        else { throw .value }
        return address
    }
}

/// A call that moves a token, `transfer(address,uint256)` of ERC-20.
public struct TokenTransfer: Hashable, Sendable {
    /// Who receives it.
    public let receiver: EVMAddress
    /// How much, in the token's smallest unit.
    public let amount: EVMWord

    /// A transfer of so much.
    public init(to receiver: EVMAddress, amount: EVMWord) {
        (self.receiver, self.amount) = (receiver, amount)
    }

    /// The call's data: 68 bytes.
    public var data: [UInt8] {
        ABISignature.transfer + ABISignature.word(receiver) + amount.bytes
    }

    /// Decodes a call's data, which is this call and nothing else: what a contract would ignore is
    /// refused.
    public init(decoding data: [UInt8]) throws(ABIError) {
        guard data.prefix(4).elementsEqual(ABISignature.transfer) else { throw .otherFunction }
        guard data.count == 68, let amount = EVMWord(bytes: data[36...]) else {
            throw .length(data.count)
        }
        self.init(to: try ABISignature.address(data[4..<36]), amount: amount)
    }
}

/// A question to a token's contract.
public enum TokenQuery: Hashable, Sendable {
    /// How much an account has, in the token's smallest unit.
    case balance(of: EVMAddress)
    /// How many decimals the token has.
    case decimals
    /// What it is called.
    case symbol

    /// The call's data.
    public var data: [UInt8] {
        switch self {
        case .balance(let owner): ABISignature.balanceOf + ABISignature.word(owner)
        case .decimals: ABISignature.decimals
        case .symbol: ABISignature.symbol
        }
    }
}

/// An event `Transfer(address,address,uint256)` of ERC-20 in a transaction's receipt. Any contract
/// can log it: only those of known tokens mean anything.
public struct TransferLog: Hashable, Sendable {
    /// The contract that logged it.
    public let token: EVMAddress
    /// Who had it; the zero address for what was made.
    public let from: EVMAddress
    /// Who received it; the zero address for what was destroyed.
    public let to: EVMAddress
    /// How much, in the token's smallest unit.
    public let amount: EVMWord

    /// Decodes a log's topics, 32 bytes each, and its data.
    public init(token: EVMAddress, topics: [[UInt8]], data: [UInt8]) throws(ABIError) {
        guard topics.first == ABISignature.transferEvent else { throw .otherEvent }
        // ERC-721 has the same name, and the token's number as one more topic.
        guard topics.count != 4 else { throw .nonFungible }
        guard topics.count == 3 else { throw .otherEvent }
        guard data.count == 32, let amount = EVMWord(bytes: data) else {
            throw .length(data.count)
        }
        (self.token, self.amount) = (token, amount)
        from = try ABISignature.address(topics[1])
        to = try ABISignature.address(topics[2])
    }

    /// The first topic of such logs, by which a node finds them.
    public static var topic: [UInt8] { ABISignature.transferEvent }
}
