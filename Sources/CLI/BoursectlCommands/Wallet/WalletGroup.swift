// wallet, and what its verbs share.

import ArgumentParser
import Engine
import Platform
package import Presentation
import Terms
import Wire

struct WalletGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wallet", abstract: "Custody on chains: addresses, networks, withdrawals.",
        discussion: """
            A chain is numbered by the operators, from 1, and has one extended public key, of \
            which each customer's deposit address is a child. An asset on a chain is a network, \
            with the terms of its deposits and withdrawals. `wallet init` makes the seed of the \
            private keys, on the host that signs; no other verb takes a secret.

            A customer's key withdraws to the address book of its account (`wallet book`), within \
            the limits of `wallet limits`, after the waiting times of `wallet policy`, at the \
            network's fee or its own (`wallet terms`).

            A withdrawal is requested, approved by as many operators as its network demands, \
            signed, and settled when its transaction is final. Who asks for one cannot approve it.

            EXAMPLE
              sudo boursectl wallet init
              boursectl wallet chain set 1 litecoin --key xpub6C… --first-block 2800000
              boursectl wallet network set LTC 1 --name LTC --confirmations 6 \\
                --minimum 0.01 --fee 0.001 --approvals 2 --approvals-above 10
              boursectl wallet address alice 1
              boursectl wallet withdrawals
              boursectl wallet approve 12
              boursectl wallet stop LTC --reason "the node is on a fork"
            """,
        subcommands: [
            WalletInitCommand.self, WalletKeyCommand.self,
            WalletStatusCommand.self, WalletChainGroup.self, WalletNetworkGroup.self,
            WalletAddressGroup.self, WalletBookGroup.self, WalletPolicyGroup.self,
            WalletLimitsGroup.self, WalletTermsGroup.self, WithdrawalsCommand.self,
            WithdrawCommand.self,
            WithdrawalApproveCommand.self, WithdrawalRefuseCommand.self, WalletBumpCommand.self,
            WalletDropCommand.self, WalletFailCommand.self, WalletAdoptCommand.self,
            WithdrawalsStopCommand.self, WithdrawalsResumeCommand.self,
            WalletColdGroup.self,
            WalletReconcileCommand.self, WalletRescanCommand.self,
            WalletLiabilitiesCommand.self, WalletVerifyLiabilitiesCommand.self,
        ])
}

/// A chain's number on the command line: 1 to 65,535.
struct ChainNumber: ExpressibleByArgument, Hashable {
    let id: NetworkID

    init?(argument: String) {
        guard let number = UInt16(argument), number > 0 else { return nil }
        id = NetworkID(number)
    }
}

/// Whether an exchange's log can hold the wallet's commands.
package enum CustodyRules {
    /// The rules of the engine that brought them.
    package static var needed: UInt32 { CommandKind.setChain.rules }

    /// What to say of a log of older rules; nil where it can.
    package static func problem(rules: UInt32) -> InputError? {
        guard rules < needed else { return nil }
        return InputError(
            "the exchange's log follows rules \(rules), and the wallet's commands are part of "
                + "rules \(needed)",
            repair: "rules rise by themselves where matchd of the newer version runs: `sudo "
                + "boursectl upgrade`; of two hosts on both, with the standby in sync, see "
                + "`boursectl cluster status`")
    }
}

extension Exchange {
    /// A session for the wallet's commands. Throws where the log's rules are older than these.
    func walletSession(_ who: OperatorOption) throws(CommandError) -> OperatorSession {
        let session = try session(who)
        if let problem = CustodyRules.problem(rules: session.replica.engine.rules) {
            throw CommandError(problem.problem, repair: problem.repair)
        }
        return session
    }
}

extension ExchangeReplica {
    /// The chains, by number.
    var chains: [ChainView] {
        var all: [ChainView] = []
        engine.forEachChain { all.append($0) }
        return all
    }

    /// The networks, by asset and chain.
    var networks: [NetworkView] {
        var all: [NetworkView] = []
        engine.forEachNetwork { all.append($0) }
        return all
    }

    /// The open withdrawals, by id.
    var withdrawals: [WithdrawalView] {
        var all: [WithdrawalView] = []
        engine.forEachWithdrawal { all.append($0) }
        return all
    }

    /// Withdrawals of an account that operators can still refuse, by id.
    func refusableWithdrawals(_ account: AccountID) -> [WithdrawalView] {
        withdrawals.filter {
            $0.account == account && ($0.status == .requested || $0.status == .approved)
        }
    }

    /// The log's time of a command that were given now: while nothing happens its clock stands
    /// still.
    var presentTime: Int64 { max(engine.timestamp, Clock.realtimeNanos()) }

    /// The signed transactions that are not settled, in the order of the log.
    var payments: [PaymentView] {
        var all: [PaymentView] = []
        engine.forEachPayment { all.append($0) }
        return all
    }

    /// The chain of a number.
    func chain(_ number: ChainNumber) throws(CommandError) -> ChainView {
        guard let chain = engine.chain(number.id) else {
            let known = chains.map { "\($0.network.number) (\($0.chain))" }
            throw CommandError(
                "there is no chain \(number.id.number)",
                repair: known.isEmpty
                    ? "add one: see `boursectl wallet chain set --help`"
                    : "there are \(known.joined(separator: ", "))")
        }
        return chain
    }

    /// An asset's network on a chain.
    func network(_ asset: AssetView, _ number: ChainNumber) throws(CommandError) -> NetworkView {
        guard let network = engine.network(asset.id, number.id) else {
            let known = networks.filter { $0.asset == asset.id }
                .map { "\($0.network.number) (\($0.name))" }
            throw CommandError(
                "\(asset.code) has no network on chain \(number.id.number)",
                repair: known.isEmpty
                    ? "add one: see `boursectl wallet network set --help`"
                    : "it has \(known.joined(separator: ", "))")
        }
        return network
    }

    /// The open withdrawal of an id.
    func withdrawal(_ number: UInt64) throws(CommandError) -> WithdrawalView {
        guard let withdrawal = engine.withdrawal(WithdrawalID(number)) else {
            throw CommandError(
                "there is no open withdrawal \(number)",
                repair: "see `boursectl wallet withdrawals`; one that ended is in `boursectl "
                    + "journal dump`")
        }
        return withdrawal
    }
}
