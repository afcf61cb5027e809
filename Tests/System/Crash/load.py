"""Who sends: traders over the API and an operator with boursectl, each writing down in the ledger
what it sends before it sends it, and each reply."""
import random
import secrets
import subprocess
import threading
import time
from dataclasses import dataclass
from decimal import Decimal

from exchange import ExchangeFault
from ledger import ACKED, PENDING, REFUSED, UNKNOWN, Booking, Order
from spot import NotSent, Refusal, Spot, Unknown

OPEN_ORDERS_AIM = 40     # a trader with more cancels more often
BOOKING_UNKNOWN_MAX = 2  # unanswered bookings an operator leaves before it waits for a check
# What boursectl says of a reference that is in the log (`RefusalWords.swift`).
BOOKED_ALREADY = "reference"


@dataclass(frozen=True)
class Market:
    """Where orders of one symbol lie."""

    symbol: str
    base: str
    quote: str
    middle: Decimal    # price around which orders lie
    step: Decimal      # between prices
    steps: int         # on either side
    lot: Decimal
    lots_max: int


MARKETS = [
    Market("BTCUSDT", "BTC", "USDT", Decimal(50000), Decimal("0.5"), 30, Decimal("0.00001"), 900),
    Market("ETHUSDT", "ETH", "USDT", Decimal(3000), Decimal("0.25"), 20, Decimal("0.0001"), 4000),
]


class Sender(threading.Thread):
    """A loop that can be held: between two steps nothing of it is on the way."""

    def __init__(self, name, seed):
        super().__init__(name=name, daemon=True)
        self.random = random.Random(f"{seed}/{name}")
        self.go = threading.Event()
        self.held = threading.Event()
        self.ended = False
        self.fault = None

    def run(self):
        try:
            while not self.ended:
                if not self.go.is_set():
                    self.held.set()
                    self.go.wait()
                    self.held.clear()
                    continue
                self.step()
        except Exception as fault:  # shown by `hold`; a silent thread would pass every check
            self.fault = fault
        finally:
            self.held.set()

    def resume(self):
        self.go.set()

    def hold(self, seconds_max=60):
        """Returns when the step on the way has its answer."""
        self.go.clear()
        if not self.held.wait(seconds_max):
            raise ExchangeFault(f"{self.name} got no answer for {seconds_max} s")
        if self.fault is not None:
            raise self.fault

    def end(self):
        self.ended = True
        self.go.set()


class Trader(Sender):
    """One account's client."""

    def __init__(self, account, key, secret, port, ledger, seed, source):
        super().__init__(account, seed)
        self.spot = Spot(port, key, secret, source=source)
        self.ledger = ledger
        self.orders = []    # those that may still be open
        self.sent = 0

    # --- what to do next ---

    def step(self):
        chance = self.random.random()
        if chance < 0.03:
            self.place_impossible()
        elif self.orders and chance < (0.25 if len(self.orders) < OPEN_ORDERS_AIM else 0.6):
            order = self.orders.pop(self.random.randrange(len(self.orders)))
            if self.random.random() < 0.2:
                self.replace(order)
            else:
                self.cancel(order)
        else:
            self.place(self.any_order())

    def new_order(self, market, **terms):
        self.sent += 1
        name = f"{self.name}-{self.sent}"
        order = Order(self.name, name, market.symbol, **terms)
        self.ledger.orders[name] = order
        return order

    def any_order(self):
        market = self.random.choice(MARKETS)
        side = self.random.choice(("BUY", "SELL"))
        quantity = market.lot * self.random.randint(market.lots_max // 10, market.lots_max)
        # A buy lies a little below the middle, a sell above; both reach across it.
        away = self.random.randint(-market.steps // 3, market.steps)
        price = market.middle + market.step * (-away if side == "BUY" else away)
        chance = self.random.random()
        kind, force = "LIMIT", "GTC"
        if chance < 0.1:
            force = self.random.choice(("IOC", "FOK"))
        elif chance < 0.2:
            kind = "LIMIT_MAKER"
        elif chance < 0.25:
            kind, price = "MARKET", Decimal(0)
        # Traders meet their own orders often; without a mode of its own an order has the symbol's.
        prevention = self.random.choice((None, "NONE", "DECREMENT", "EXPIRE_TAKER"))
        return self.new_order(
            market, side=side, type=kind, quantity=quantity, price=price, time_in_force=force,
            prevention=prevention,
        )

    # --- sending ---

    def terms(self, order):
        return {
            "symbol": order.symbol, "side": order.side, "type": order.type,
            "quantity": order.quantity, "newClientOrderId": order.client_order_id,
            "price": order.price if order.type != "MARKET" else None,
            "timeInForce": order.time_in_force if order.type == "LIMIT" else None,
            "selfTradePreventionMode": order.prevention,
        }

    def place(self, order):
        try:
            self.placed(order, self.spot.place(**self.terms(order)))
        except Refusal:
            order.outcome = REFUSED
        except NotSent:
            order.outcome = REFUSED
            time.sleep(0.05)
        except Unknown:
            order.outcome = UNKNOWN
            self.orders.append(order)  # asked for by name later
            time.sleep(0.05)

    def placed(self, order, answer):
        self.expect(answer, "clientOrderId", order)
        order.answer = answer
        order.outcome = ACKED
        if order.may_be_open:
            self.orders.append(order)

    def place_impossible(self):
        """An order for more than the account has."""
        market = MARKETS[0]
        order = self.new_order(
            market, side="SELL", type="LIMIT", quantity=Decimal(5000), price=market.middle * 2
        )
        self.place(order)

    def cancel(self, order):
        order.cancel = PENDING
        try:
            answer = self.spot.cancel(
                symbol=order.symbol, origClientOrderId=order.client_order_id
            )
            self.canceled(order, answer)
        except Refusal:
            order.cancel = REFUSED
        except NotSent:
            order.cancel = None
            self.orders.append(order)
            time.sleep(0.05)
        except Unknown:
            order.cancel = UNKNOWN
            time.sleep(0.05)

    def expect(self, answer, key, order):
        """An answer that belongs to another request would shift all that come after it."""
        if answer[key] != order.client_order_id:
            raise ExchangeFault(f"the answer to {order.client_order_id} is another's: {answer}")

    def canceled(self, order, answer):
        self.expect(answer, "origClientOrderId", order)
        order.cancel, order.cancel_answer = ACKED, answer
        if order.outcome == UNKNOWN:  # so it was there
            order.outcome, order.answer = ACKED, {"orderId": answer["orderId"]}

    def replace(self, old):
        """Cancels one order and places another, both or (when the cancel fails) neither."""
        new = self.any_order()
        market = next(market for market in MARKETS if market.symbol == old.symbol)
        new.symbol, new.type, new.time_in_force = old.symbol, "LIMIT", "GTC"
        new.price = market.middle + market.step * self.random.randint(-10, 10)
        new.quantity = market.lot * self.random.randint(market.lots_max // 10, market.lots_max)
        old.cancel = PENDING
        try:
            answer = self.spot.cancel_replace(
                cancelOrigClientOrderId=old.client_order_id, **self.terms(new)
            )
            self.canceled(old, answer["cancelResponse"])
            self.placed(new, answer["newOrderResponse"])
        except Refusal as refusal:
            new.outcome = REFUSED
            data = refusal.answer.get("data") or {}
            if data.get("cancelResult") == "SUCCESS":
                self.canceled(old, data["cancelResponse"])
            elif data.get("newOrderResult") == "NOT_ATTEMPTED":
                old.cancel = REFUSED
            else:  # the new order was refused before either was tried
                old.cancel = None
                self.orders.append(old)
        except NotSent:
            new.outcome, old.cancel = REFUSED, None
            self.orders.append(old)
            time.sleep(0.05)
        except Unknown:
            new.outcome = old.cancel = UNKNOWN
            self.orders.append(new)
            time.sleep(0.05)

    def barrier(self, tries_max=50):
        """Returns when an order of this trader was acknowledged: then everything that is in the
        log before it shows. Only while the trader is held."""
        market = MARKETS[0]
        for _ in range(tries_max):
            order = self.new_order(
                market, side="BUY", type="LIMIT", quantity=market.lot * 100,
                price=market.middle / 2,
            )
            self.place(order)
            if order.outcome == ACKED:
                return
            time.sleep(0.1)
        raise ExchangeFault("no order is taken any more, long after the restart")


class Operator(Sender):
    """Credits and debits with boursectl."""

    def __init__(self, exchange, ledger, seed):
        super().__init__("operator", seed)
        self.exchange = exchange
        self.ledger = ledger

    def step(self):
        unknown = [b for b in self.ledger.bookings if b.outcome == UNKNOWN]
        if unknown and self.random.random() < 0.5:
            # Under its reference it counts once, however often it is asked for.
            self.send(self.random.choice(unknown))
        elif len(unknown) < BOOKING_UNKNOWN_MAX:
            account = self.random.choice(self.ledger.accounts)
            asset = self.random.choice(("BTC", "ETH", "USDT"))
            # Amounts differ in their last digits, so that a balance shows which are in it.
            amount = Decimal(self.random.randint(1, 10**8)) / 10**8
            self.book(account, asset, -amount if self.random.random() < 0.3 else amount)
        time.sleep(self.random.uniform(0.05, 0.3))

    def book(self, account, asset, amount):
        """Books an amount and returns the booking with what became of it."""
        reference = f"booking {len(self.ledger.bookings) + 1}"
        booking = Booking(account, asset, amount, reference)
        self.ledger.bookings.append(booking)
        self.send(booking)
        return booking

    def send(self, booking):
        verb = "credit" if booking.amount > 0 else "debit"
        try:
            done = self.exchange.ctl(
                verb, booking.account, booking.asset, f"{abs(booking.amount):.8f}",
                "--reference", booking.reference, "--reason", "crash loop", check=False
            )
        except subprocess.TimeoutExpired:
            booking.outcome = UNKNOWN
            return
        is_there = done.returncode == 0 or BOOKED_ALREADY in done.stderr
        booking.outcome = ACKED if is_there else UNKNOWN
