"""Two hosts with matchd, agent, gateway, walletd and signer each, a real etcd and one real Litecoin
node. Each host's wallet talks to matchd, signer and node by proxies, which know each step of a
deposit and of a withdrawal by its message, and end or switch over the host there."""
import json
import signal
import subprocess
import threading
import time
from collections import Counter

from chain_ledger import ChainLedger
from exchange import BIN, ExchangeFault, set_key
from link_watch import COMMANDS
from litecoin import COIN, LitecoinNode
from pair import Pair, await_true
from proxies import LinkProxy, NodeProxy, SignerProxy, commands
from wallet_bench import CONFIRMATIONS, FEE, KEY, NAMES, WORDS

# In their order. Those of the Link are commands; the others are said by what passes the proxies.
DEPOSIT_STEPS = ["seen", "note", "final block", "credit", "credited block"]
WITHDRAWAL_STEPS = ["requested", "signature", "sign", "broadcast", "in a block", "settle"]
DAEMONS = ("matchd", "agentd", "signerd", "walletd", "gatewayd")
SECONDS_MAX = 60


class Steps:
    """Where one host's wallet is, and what is done there. One step is armed at a time."""

    def __init__(self, pair, name):
        self.pair, self.host = pair, pair.hosts[name]
        self.signed, self.given, self.submitted = [], [], 0
        # Outputs that this host's node says to be spent.
        self.hidden = set()
        # Whether nothing that is to be broadcast reaches the node.
        self.is_held = False
        self.armed, self.lock, self.has_credited = None, threading.Lock(), False
        run = self.host.state / "run"
        run.mkdir(exist_ok=True)
        self.link = LinkProxy(run / "red-match.sock", run / "match.sock", self.up, sent=self.sent)
        self.signer = SignerProxy(
            run / "red-signer.sock", run / "signer.sock", self.ask, self.answered)
        self.node = NodeProxy(pair.node, self.call, self.told)

    def close(self):
        for one in (self.link, self.signer, self.node):
            one.close()

    def arm(self, step, when, action):
        """Calls `action` once, when this step's message came (`before` it is passed on) or was
        passed on (`after`). The message is dropped where that returns False."""
        self.armed = (step, when, action, threading.Event())
        self.has_credited = False
        return self.armed[3]

    def reached(self, step, when):
        """Whether the message goes on."""
        with self.lock:
            armed = self.armed
            if not armed or armed[:2] != (step, when):
                return True
            self.armed = None
        try:
            return armed[2]()
        finally:
            armed[3].set()

    def named(self, frame):
        """The steps that a frame is."""
        for kind, payload in commands(frame):
            self.submitted += 1
            self.has_credited |= kind == COMMANDS["credit"][0]
            for step, (wanted, mark) in COMMANDS.items():
                if kind == wanted and (mark is None or payload[mark[0]] == mark[1]):
                    if step != "credited block" or self.has_credited:
                        yield step

    def up(self, frame):
        return frame if all(self.reached(step, "before") for step in self.named(frame)) else None

    def sent(self, frame):
        for step in self.named(frame):
            self.reached(step, "after")

    def ask(self, request):
        return request if self.reached("signature", "before") else None

    def answered(self, answer, _):
        said = json.loads(answer)
        if "signed" not in said:
            return answer
        self.signed.append(said["signed"])
        return answer if self.reached("signature", "after") else None

    # How a chain's nodes are given a payment.
    BROADCASTS = ("sendrawtransaction", "eth_sendRawTransaction")

    def call(self, call):
        if call["method"] in self.BROADCASTS:
            if self.is_held:
                return None
            self.given.append(call["params"][0])
            return call if self.reached("broadcast", "before") else None
        return call

    def told(self, answer, call):
        if call["method"] in self.BROADCASTS and not answer.get("error"):
            return answer if self.reached("broadcast", "after") else None
        if call["method"] == "gettxout" and tuple(call["params"][:2]) in self.hidden:
            return answer | {"result": None}
        if call["method"] != "getblock" or not answer.get("result"):
            return answer
        # It is the block's bytes.
        block = answer["result"]
        for step in (step for step, script in self.pair.looked_for.items() if script in block):
            if not self.reached(step, "before"):
                return None
            if self.armed and self.armed[:2] == (step, "after"):
                # It has the answer a moment later.
                threading.Timer(0.05, self.reached, (step, "after")).start()
        return answer


class WalletPair(Pair):
    """Hosts `a` and `b`, and the chain; `owed` and `deposits` are what was asked for and paid."""

    LIMITS = "litecoin-regtest 100000 0"

    def __init__(self, folder, settings=None):
        super().__init__(folder, settings)
        self.node = self.make_node(folder / "node")
        self.steps, self.addresses, self.looked_for = {}, {}, {}
        self.owed, self.spent, self.leader = [], dict.fromkeys(NAMES, 0), "a"
        self.requests, self.deposits = Counter(), Counter()

    def make_node(self, folder):
        return LitecoinNode(folder)

    def begin(self):
        for name, host in self.hosts.items():
            host.set("signerd", "limits", self.LIMITS)
            seed = host.state / "secrets" / "wallet.seed"
            seed.touch(0o600)
            seed.write_text(WORDS + "\n")
            # Each has a list of its own: what a's signer signed, b's knows only by the log.
            subprocess.run([str(BIN / "bourse-signerd"), "--config", str(host.config), "--begin"],
                           check=True, capture_output=True, timeout=60)
            self.steps[name] = Steps(self, name)
        self.start_all()
        a = self.hosts["a"]
        self.set_chain(a)
        for name in NAMES:
            a.ctl("account", "open", name)
            self.addresses[name] = a.ctl_json("wallet", "address", name, "1")["address"]
        for name in self.hosts:
            self.spawn(name, "signerd", "walletd", "gatewayd")
        self.supply()

    def set_chain(self, host):
        host.ctl("asset", "add", "LTC", "--scale", "8")
        host.ctl("wallet", "chain", "set", "1", "litecoin-regtest", "--key", KEY, "--first-block",
                 "1")
        host.ctl("wallet", "network", "set", "LTC", "1", "--name", "LTC", "--confirmations",
                 CONFIRMATIONS, "--minimum", "0.001", "--fee", "0.0001")
        self.ledger = ChainLedger(self.node, KEY)

    def supply(self):
        # Several coins of the same size: two plans of one payment need not share one.
        for name in NAMES:
            for _ in range(4):
                self.deposit(name, 2 * COIN)
        self.node.mine(CONFIRMATIONS)
        self.settled()

    def end(self):
        for steps in self.steps.values():
            steps.close()
        super().end()
        self.node.end()

    @property
    def lead(self):
        """The host that leads."""
        return self.hosts[self.leader]

    @property
    def other(self):
        return "b" if self.leader == "a" else "a"

    def spawn(self, name, *daemons):
        """Starts daemons of a host; its walletd finds all that it talks to by the proxies."""
        host = self.hosts[name]
        for daemon in daemons:
            config = host.config
            if daemon == "walletd":
                config = host.state / "wallet.toml"
                config.write_text(host.config.read_text())
                steps = self.steps[name]
                set_key(config, "matchd", "socket", steps.link.path)
                set_key(config, "signerd", "socket", steps.signer.path)
                self.set_wallet(config, steps)
            with open(host.logs / f"{daemon}.log", "ab") as log:
                log.write(f"--- start of {daemon}\n".encode())
                log.flush()
                host.running[daemon] = subprocess.Popen(
                    [str(BIN / f"bourse-{daemon}"), "--config", str(config)],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def set_wallet(self, config, steps):
        set_key(config, "walletd", "nodes", steps.node.setting)
        # Coins that a test hides stop withdrawals once, and not for good.
        set_key(config, "walletd", "elsewhere", "LTC 1000")

    def said(self):
        """What both hosts say, for a failed test."""
        return "\n".join(
            f"--- {name} {daemon}\n{host.log_tail(daemon, 8)}"
            for name, host in self.hosts.items() for daemon in ("walletd", "signerd", "matchd"))

    def await_(self, what, is_so, each=lambda: None, seconds=0.05):
        deadline = time.monotonic() + SECONDS_MAX
        while not (value := is_so()):
            if time.monotonic() > deadline:
                raise ExchangeFault(f"{what}: {self.status()}\n{self.said()}")
            each()
            time.sleep(seconds)
        return value

    # --- the ends of a host's lead ---

    def power_off(self):
        """kill -9 of all daemons of the host that leads. What they had to say is lost."""
        for process in self.lead.running.values():
            process.send_signal(signal.SIGKILL)
        return False

    def switch_over(self):
        """An operator's switchover; what waits meanwhile goes on behind it."""
        status, answer = self.obey(self.leader, "switchover")
        if status != 200:
            raise ExchangeFault(f"{status}: {answer}")
        self.leads(self.other)
        return True

    def leads(self, name):
        await_true(f"{name} leads", lambda: (self.document(name) or {}).get("role") == "primary")

    def went_over(self):
        """The other host leads: goes on with it, and starts what was killed."""
        lost, self.leader = self.leader, self.other
        self.leads(self.leader)
        host = self.hosts[lost]
        ended = [daemon for daemon, process in host.running.items()
                 if process.poll() is not None or daemon == "matchd" and self.has_lost(process)]
        for daemon in ended:
            host.running.pop(daemon).wait(30)
        self.spawn(lost, *ended)

    @staticmethod
    def has_lost(process):
        try:
            process.wait(0.2)
            return True
        except subprocess.TimeoutExpired:
            return False

    def both_in_sync(self):
        """Both hosts are in sync; three removals in 10 min put one out, and an operator adds it."""
        def holds():
            # As systemd does: a matchd that has to cut its tail ends once more.
            for name, host in self.hosts.items():
                ended = [daemon for daemon, process in host.running.items()
                         if process.poll() is not None]
                for daemon in ended:
                    host.running.pop(daemon)
                self.spawn(name, *ended)
            found = self.document(self.leader)
            if found and "until standby add" in found["sentence"]:
                self.obey(self.leader, "standby-add")
            return found and sorted(found["inSync"]) == ["a", "b"]
        self.await_("both are in sync", holds)

    def random_failovers(self, chance, rounds):
        """So many times deposits and withdrawals, during which the host that leads is lost."""
        for _ in range(rounds):
            self.both_in_sync()
            for _ in range(chance.randrange(3)):
                self.random_deposit(chance)
            for _ in range(chance.randrange(1, 4)):
                self.random_withdrawal(chance)
            self.node.mine(chance.randrange(1, CONFIRMATIONS))
            time.sleep(chance.uniform(0, 2.5))
            chance.choice([self.power_off, self.switch_over])()
            self.went_over()
        self.settled()

    def random_deposit(self, chance):
        self.deposit(chance.choice(NAMES), chance.randrange(10_000, COIN))

    def random_withdrawal(self, chance):
        self.withdraw(chance.choice(NAMES), chance.randrange(200_000, COIN // 20))

    # --- deposits and withdrawals ---

    def deposit(self, name, amount):
        self.deposits[name] += 1
        self.node.pay(self.addresses[name], amount)

    def withdraw(self, name, amount):
        """Requests a withdrawal at the host that leads; gives its address."""
        there = self.node.call("getnewaddress")

        def request():
            return self.lead.ctl(
                "wallet", "withdraw", name, "LTC", "1", there,
                f"{amount // COIN}.{amount % COIN:08}", "--client-id", there[-36:],
                check=False)
        done = request()
        # A host that has just taken over opens its Link a moment later; what was in the log all the
        # same is refused as a duplicate.
        deadline = time.monotonic() + SECONDS_MAX
        while done.returncode != 0 and "already" not in done.stderr:
            assert time.monotonic() < deadline, done.stderr
            time.sleep(0.1)
            done = request()
        self.owed.append((there, amount))
        self.requests[name] += 1
        self.spent[name] += amount + FEE
        return there

    def status(self, name=None):
        """What a host's walletd says of the chain, or None."""
        host = self.hosts[name or self.leader]
        try:
            chains = json.loads((host.state / "run" / "wallet.json").read_text())["chains"]
        except (OSError, ValueError):
            return None
        return chains[0] if chains else None

    def balances(self):
        have = {}
        for name in NAMES:
            rows = self.lead.ctl_json("account", "show", name)["balances"]
            have[name] = sum(round(float(row["available"]) * COIN) for row in rows)
        return have

    def open_withdrawals(self):
        done = self.lead.ctl("--output", "json", "wallet", "withdrawals", check=False)
        return json.loads(done.stdout) if done.returncode == 0 else [None]

    def settled(self):
        """Mines until every deposit is credited and every withdrawal settled; then compares the
        chain, the accounts and what the wallet says of its coins."""
        self.await_("all are settled", lambda: not self.open_withdrawals(),
                    lambda: self.node.mine(), 0.3)
        # Deposits that came last.
        if self.node.call("getrawmempool"):
            self.node.mine()
        self.node.mine(CONFIRMATIONS - 1)
        height = self.node.height

        def is_in_step():
            now = self.status()
            return (now and now["condition"] == "in step" and now["read"] == height
                    and now["credited"] >= height - CONFIRMATIONS + 1)
        self.await_(f"in step at {height}", is_in_step)
        ledger = self.ledger.read()
        ledger.check_paid(self.owed)
        due = {name: ledger.received[ledger.script(address)] - self.spent[name]
               for name, address in self.addresses.items()}
        assert self.balances() == due
        self.await_("its coins are the chain's",
                    lambda: self.status()["payouts"]["total"] == ledger.total)
        came = sum(ledger.received.values())
        assert came == ledger.total + sum(units for _, units in self.owed) + ledger.fees

    def was_given(self, payment, since):
        """Whether a wallet gave a payment to its node, since it had given so many."""
        return any(payment["bytes"] in steps.given[since[name]:]
                   for name, steps in self.steps.items())

    def could_be_final(self, payment):
        """Whether the node takes a signed payment now."""
        (said,) = self.node.call("testmempoolaccept", [payment["bytes"]])
        return said["allowed"]

    def signed_in_log(self):
        """The payments that the log has, as the host that leads says."""
        done = self.lead.ctl("--output", "json", "wallet", "withdrawals", check=False)
        rows = json.loads(done.stdout) if done.returncode == 0 else []
        return {one["transaction"] for row in rows for one in row["payments"]}

    def inputs(self, payment):
        """What a signed payment spends."""
        return {(one["txid"], one["vout"])
                for one in self.node.call("decoderawtransaction", payment["bytes"])["vin"]}
