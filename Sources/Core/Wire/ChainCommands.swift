// Chains: what one is, and up to which block its deposits are credited.

public import Terms

/// Says what a chain is, and has its deposits read from a block on, those that were read before as
/// well: nothing is credited a second time.
///
///      0  u16  network
///      2  6    reserved
///      8  u64  first block
///     16  text40 kind, then the key: u16 bytes, UTF-8; then `Audit`
public struct SetChain: CommandPayload {
    public static var kind: CommandKind { .setChain }
    /// The chain.
    public var network: NetworkID
    /// The first block that is read; from 1 to `Limits.blockMax`.
    public var firstBlock: UInt64
    /// Which chain it is, as `litecoin-regtest`. It stays what it is once the chain has an address.
    public var chain: Text40
    /// The extended public key of which the deposit addresses are children, BIP32; 1 to
    /// `Limits.chainKeyBytesMax` bytes. It stays what it is once the chain has an address.
    public var key: String
    /// The operator and the reason.
    public var audit: Audit

    /// A chain.
    public init(network: NetworkID, firstBlock: UInt64, chain: Text40, key: String, audit: Audit) {
        (self.network, self.firstBlock, self.chain) = (network, firstBlock, chain)
        (self.key, self.audit) = (key, audit)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(network.number)
        w.reserved(6)
        w.integer(firstBlock)
        w.text(chain)
        w.string(key)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        network = NetworkID(r.integer())
        r.reserved(6)
        firstBlock = r.integer()
        chain = r.text()
        key = r.string(most: Limits.chainKeyBytesMax)
        audit = Audit(from: &r)
    }
}

/// Sets where coins of an asset's network are kept that the host's own keys do not spend, and how
/// many of them the host keeps. An empty descriptor ends it: what is kept there stays known.
///
///      0  u16  asset
///      2  u16  network
///      4  12   reserved
///     16  i128 ceiling
///     32  i128 target
///     48  the descriptor: u16 bytes, UTF-8; then `Audit`
public struct SetColdStorage: CommandPayload {
    public static var kind: CommandKind { .setColdStorage }
    /// The asset.
    public var asset: AssetID
    /// The chain.
    public var network: NetworkID
    /// Above this the host's coins are too many, in the asset's smallest units: what is more than
    /// `target` goes to cold storage. Above zero.
    public var ceiling: Amount
    /// What the host keeps then; up to `ceiling`.
    public var target: Amount
    /// Where they go: an output descriptor of a UTXO chain, BIP380, or an address; up to
    /// `Limits.coldKeyBytesMax` bytes. The engine takes it as it is.
    public var descriptor: String
    /// The operator and the reason.
    public var audit: Audit

    /// Cold storage of an asset on a chain.
    public init(
        asset: AssetID, network: NetworkID, ceiling: Amount, target: Amount, descriptor: String,
        audit: Audit
    ) {
        (self.asset, self.network, self.ceiling) = (asset, network, ceiling)
        (self.target, self.descriptor, self.audit) = (target, descriptor, audit)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(asset.number)
        w.integer(network.number)
        w.reserved(12)
        w.integer(ceiling.units)
        w.integer(target.units)
        w.string(descriptor)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        asset = AssetID(r.integer())
        network = NetworkID(r.integer())
        r.reserved(12)
        ceiling = Amount(units: r.integer())
        target = Amount(units: r.integer())
        descriptor = r.string(most: Limits.coldKeyBytesMax)
        audit = Audit(from: &r)
    }
}

/// A block of a chain is final: a node that has another one in its place is not believed. First it
/// is said that its deposits are about to be credited, then that all up to this block are.
///
///      0  u16  network
///      2  u8   stage
///      3  1    reserved
///      4  u32  addresses
///      8  u64  height
///     16  32   block
///     48  u64  chain record
public struct CheckBlock: CommandPayload {
    public static var kind: CommandKind { .checkBlock }
    /// The chain.
    public var network: NetworkID
    /// What is said of its deposits.
    public var stage: CheckStage
    /// How many of the chain's addresses were looked for in all blocks up to this one.
    public var addresses: UInt32
    /// The block's height.
    public var height: UInt64
    /// The block.
    public var block: BlockID
    /// The record that set the chain as it was read: once it is set again, this says nothing.
    public var chainRecord: UInt64

    /// A block.
    public init(
        network: NetworkID, stage: CheckStage = .credited, addresses: UInt32, height: UInt64,
        block: BlockID, chainRecord: UInt64
    ) {
        (self.network, self.stage, self.addresses) = (network, stage, addresses)
        (self.height, self.block, self.chainRecord) = (height, block, chainRecord)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(network.number)
        w.choice(stage)
        w.reserved(1)
        w.integer(addresses)
        w.integer(height)
        w.integer(block.high)
        w.integer(block.low)
        w.integer(chainRecord)
    }

    public init(from r: inout WireReader) {
        network = NetworkID(r.integer())
        stage = r.choice(.credited)
        r.reserved(1)
        addresses = r.integer()
        height = r.integer()
        block = BlockID(high: r.integer(), low: r.integer())
        chainRecord = r.integer()
    }
}
