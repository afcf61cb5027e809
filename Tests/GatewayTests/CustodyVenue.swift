// Custody's commands for the gateway's tests: a network of BTC whose chain has BIP84's test vector
// as its key.

import Engine
import Terms
import Wire

enum CustodyVenue {
    /// BTC.
    static let asset = AssetID(1)
    /// Its chain.
    static let network = NetworkID(1)
    /// The vector's account key `m/84'/0'/0'`, with the version bytes of an xpub.
    static let key =
        "xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksVFkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2fMFMKHPJ4"
        + "ZeZXYVUhLv1VMrjPC7PW6V"
    /// Where the first account that asks for an address has its deposits: the vector's second one.
    static let address = "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g"
    /// Where withdrawals go: the vector's first one.
    static let destination = "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"
    static let audit = Audit(operatorName: TestVenue.text("olga"), reason: "test")

    /// Three confirmations, a minimum of 0.00001 BTC, a fee of 0.000005 BTC.
    static func open(
        _ asset: AssetID = asset, _ network: NetworkID = network, name: String = "BTC",
        takesDeposits: Bool = true, takesWithdrawals: Bool = true, approvals: UInt8 = 0
    ) -> Command {
        .setNetwork(
            SetNetwork(
                asset: asset, network: network, takesDeposits: takesDeposits,
                takesWithdrawals: takesWithdrawals, approvals: approvals, confirmations: 3,
                minimum: Amount(units: 1_000), fee: Amount(units: 500),
                name: TestVenue.text(name), audit: audit))
    }

    static func declare(
        _ network: NetworkID = network, _ chain: String = "bitcoin", key: String = key
    ) -> Command {
        .setChain(
            SetChain(
                network: network, firstBlock: 1, chain: TestVenue.text(chain), key: key,
                audit: audit))
    }

    static func transaction(_ number: UInt8) -> TransactionID {
        TransactionID(high: UInt128(number), low: 0)
    }

    static func request(
        _ account: AccountID = TestVenue.alice, units: Int128 = 10_000, clientID: String = ""
    ) -> Command {
        .requestWithdrawal(
            RequestWithdrawal(
                account: account, asset: asset, network: network, amount: Amount(units: units),
                address: TestVenue.text(destination), clientID: TestVenue.text(clientID),
                requester: TestVenue.text("ops")))
    }

    static func sign(
        _ number: UInt8, replaces other: UInt8? = nil, _ withdrawals: [UInt64]
    ) -> Command {
        .signWithdrawals(
            SignWithdrawals(
                asset: asset, network: network, transaction: transaction(number),
                replaces: other.map(transaction) ?? .none,
                withdrawals: withdrawals.map { WithdrawalID($0) }, bytes: [1]))
    }

    static func settle(_ number: UInt8) -> Command {
        .settleTransaction(
            SettleTransaction(
                transaction: transaction(number), costAsset: asset, cost: Amount(units: 7),
                block: 9))
    }

    static func drop(_ number: UInt8) -> Command {
        .dropTransaction(DropTransaction(transaction: transaction(number)))
    }

    static func note(
        _ number: UInt8, confirmations: UInt32, _ status: DepositStatus = .pending,
        account: AccountID = TestVenue.alice
    ) -> Command {
        .noteDeposit(
            NoteDeposit(
                account: account, asset: asset, network: network,
                transaction: transaction(number), output: 1, amount: Amount(units: 4_000),
                confirmations: confirmations, status: status))
    }

    static func credit(_ number: UInt8, account: AccountID = TestVenue.alice) -> Command {
        .creditDeposit(
            CreditDeposit(
                account: account, asset: asset, network: network,
                transactionHigh: transaction(number).high,
                transactionLow: transaction(number).low, output: 1, amount: Amount(units: 4_000)))
    }
}
