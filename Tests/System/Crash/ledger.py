"""What the clients know: every order, cancel and operator booking they sent, and what was said to
it. Kept outside the exchange; the checker holds the exchange to it."""
from dataclasses import dataclass, field
from decimal import Decimal

# What a client knows of something it sent.
PENDING = "pending"      # still waiting for the answer
ACKED = "acknowledged"   # answered yes: it is there, once, for ever
REFUSED = "refused"      # answered no: it is not there and never will be
UNKNOWN = "unknown"      # no answer: wholly there or not at all

OPEN = ("NEW", "PARTIALLY_FILLED")


@dataclass
class Order:
    """One order as it was sent, and the answers to it and to its cancel."""

    account: str
    client_order_id: str
    symbol: str
    side: str
    type: str
    quantity: Decimal
    price: Decimal = Decimal(0)
    time_in_force: str = "GTC"
    prevention: str | None = None  # selfTradePreventionMode, where one was sent
    outcome: str = PENDING
    answer: dict = field(default_factory=dict)
    cancel: str | None = None
    cancel_answer: dict = field(default_factory=dict)

    @property
    def order_id(self):
        return self.answer.get("orderId")

    @property
    def may_be_open(self):
        """Whether a client that reads only its answers would try to cancel it."""
        return (
            self.outcome == ACKED and self.cancel is None and self.answer.get("status") in OPEN
        )


@dataclass
class Booking:
    """A credit (or, negative, a debit) by the operator."""

    account: str
    asset: str
    amount: Decimal
    reference: str
    outcome: str = PENDING


@dataclass
class Ledger:
    """Everything sent in one run."""

    accounts: list = field(default_factory=list)
    symbols: dict = field(default_factory=dict)  # symbol → (base asset, quote asset)
    orders: dict = field(default_factory=dict)   # clientOrderId → Order
    bookings: list = field(default_factory=list)

    def count(self, outcome):
        return sum(order.outcome == outcome for order in self.orders.values())


@dataclass
class View:
    """What the exchange shows, read while nobody sends anything."""

    orders: dict    # account → allOrders rows of all symbols
    open: dict      # account → openOrders rows
    trades: dict    # account → myTrades rows of all symbols, each with its symbol
    balances: dict  # account → asset → (free, locked)
    depth: dict     # symbol → {"bids": [[price, quantity]], "asks": …}
    # The same rows asked for in other ways, where that was done.
    again: list = field(default_factory=list)   # (account, symbol, "orders" or "trades", all rows)
    latest: list = field(default_factory=list)  # (account, symbol, "orders" or "trades", the last)
    single: list = field(default_factory=list)  # (account, the row of one order by its id)
    tape: dict = field(default_factory=dict)    # symbol → the last public trades
