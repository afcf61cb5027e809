"""Holds what the exchange shows against what its clients know. Pure: a ledger and a view go in,
sentences about what is wrong come out; none means that every acknowledged change is there once,
nothing else is, and every balance follows from bookings and trades to the last unit."""
from collections import Counter, defaultdict
from decimal import Decimal
from itertools import combinations

from ledger import ACKED, OPEN, REFUSED, UNKNOWN

# Unknown bookings that one check can distinguish by their amounts; more would be a fault of the
# load, which sends one at a time.
UNKNOWN_BOOKINGS_MAX = 6


def prevented(row):
    """The quantity that self-trade prevention took from an order."""
    return Decimal(row.get("preventedQuantity", 0))


def open_quantity(row):
    """What is left of an open order."""
    return Decimal(row["origQty"]) - Decimal(row["executedQty"]) - prevented(row)


class Checker:
    """Checks views one after another; remembers what has ended, which must stay as it was."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.ended = {}   # orderId → its row when it was first seen ended
        self.traded = {}  # (symbol, trade id, account, isBuyer) → its row
        self.late = 0     # orders that were never answered and are there

    def check(self, view):
        """All faults of a view."""
        wrong = []
        rows = self.rows_by_client_order_id(view, wrong)
        for order in self.ledger.orders.values():
            wrong += self.order_faults(order, rows.get(order.client_order_id))
        self.late = sum(self.ledger.orders[name].outcome == UNKNOWN for name in rows
                        if name in self.ledger.orders)
        wrong += self.open_faults(view)
        wrong += self.trade_faults(view)
        wrong += self.fill_faults(view)
        wrong += self.balance_faults(view)
        wrong += self.conservation_faults(view)
        wrong += self.depth_faults(view)
        wrong += self.listing_faults(view)
        wrong += self.tape_faults(view)
        wrong += self.changed_faults(view)
        return wrong

    # --- orders ---

    def rows_by_client_order_id(self, view, wrong):
        found, ids = {}, {}
        for account, rows in view.orders.items():
            for row in rows:
                name, number = row["clientOrderId"], row["orderId"]
                order = self.ledger.orders.get(name)
                if order is None:
                    wrong.append(f"order {number} of {account} was never sent: {row}")
                elif order.account != account:
                    wrong.append(f"order {name} of {order.account} stands with {account}")
                if name in found:
                    wrong.append(f"order {name} is there twice: {found[name]} and {row}")
                if number in ids:
                    wrong.append(f"two orders have the id {number}: {ids[number]} and {row}")
                found[name] = ids[number] = row
        return found

    def order_faults(self, order, row):
        name = f"order {order.client_order_id} ({order.outcome})"
        if row is None:
            return [f"{name} is not there"] if order.outcome == ACKED else []
        if order.outcome == REFUSED:
            return [f"{name} is there: {row}"]
        wrong = []
        sent = {
            "symbol": order.symbol, "side": order.side, "type": order.type,
            "timeInForce": order.time_in_force,
        }
        if order.prevention:
            sent["selfTradePreventionMode"] = order.prevention
        for key, value in sent.items():
            if row[key] != value:
                wrong.append(f"{name} has {key} {row[key]}, sent was {value}")
        for key, value in (("origQty", order.quantity), ("price", order.price)):
            if Decimal(row[key]) != value:
                wrong.append(f"{name} has {key} {row[key]}, sent was {value}")
        if order.outcome == ACKED and row["orderId"] != order.order_id:
            wrong.append(f"{name} has id {row['orderId']}, acknowledged was {order.order_id}")
        return wrong + self.progress_faults(name, order, row)

    def progress_faults(self, name, order, row):
        """An order's state only advances from what was reported of it."""
        wrong = []
        done, status = Decimal(row["executedQty"]), row["status"]
        whole = Decimal(row["origQty"]) - prevented(row)
        if whole < done:
            wrong.append(f"{name} has executed more than was not prevented: {row}")
        fits = {
            "NEW": done == 0, "PARTIALLY_FILLED": 0 < done < whole, "FILLED": done == whole,
            "EXPIRED_IN_MATCH": done == whole,
        }.get(status, done < whole or whole == 0)
        if not fits:
            wrong.append(f"{name} is {status} with {done} of {whole} executed")
        if order.outcome == ACKED and "status" in order.answer:
            said = Decimal(order.answer["executedQty"])
            if done < said:
                wrong.append(f"{name} has executed {done}, acknowledged was {said}")
            if order.answer["status"] not in OPEN and status != order.answer["status"]:
                wrong.append(f"{name} is {status}, acknowledged was {order.answer['status']}")
        if order.cancel == ACKED:
            said = Decimal(order.cancel_answer["executedQty"])
            if status != "CANCELED" or done != said:
                wrong.append(
                    f"{name} is {status} with {done} executed; acknowledged was its cancel with"
                    f" {said} executed"
                )
        elif order.cancel == REFUSED and status in OPEN:
            wrong.append(f"{name} is {status}, though its cancel was refused as not open")
        elif order.cancel is None and status == "CANCELED":
            wrong.append(f"{name} is canceled, and nobody asked for that")
        return wrong

    def open_faults(self, view):
        wrong = []
        for account, rows in view.orders.items():
            by_history = {row["orderId"]: row for row in rows if row["status"] in OPEN}
            by_book = {row["orderId"]: row for row in view.open[account]}
            if len(by_book) != len(view.open[account]):
                wrong.append(f"openOrders of {account} shows an order twice")
            for number in by_history.keys() ^ by_book.keys():
                where = "openOrders" if number in by_book else "allOrders"
                wrong.append(f"order {number} of {account} is open in {where} alone")
            for number in by_history.keys() & by_book.keys():
                for key in ("status", "executedQty", "origQty", "price", "preventedQuantity"):
                    if by_history[number].get(key) != by_book[number].get(key):
                        wrong.append(f"order {number} of {account}: {key} differs between"
                                     " allOrders and openOrders")
        return wrong

    # --- trades ---

    def trade_faults(self, view):
        """Each trade has one buyer and one seller, who agree; ids have no hole."""
        wrong = []
        sides = defaultdict(list)
        for account, rows in view.trades.items():
            for row in rows:
                sides[row["symbol"], row["id"]].append((account, row))
        for (symbol, number), found in sides.items():
            rows = [row for _, row in found]
            if len(rows) != 2 or {row["isBuyer"] for row in rows} != {True, False}:
                wrong.append(f"trade {symbol} {number} has not one buyer and one seller: {found}")
                continue
            if {row["isMaker"] for row in rows} != {True, False}:
                wrong.append(f"trade {symbol} {number} has not one maker and one taker")
            for key in ("price", "qty", "quoteQty", "time"):
                if rows[0][key] != rows[1][key]:
                    wrong.append(f"trade {symbol} {number}: the sides differ in {key}")
            if Decimal(rows[0]["price"]) * Decimal(rows[0]["qty"]) != Decimal(rows[0]["quoteQty"]):
                wrong.append(f"trade {symbol} {number}: price × qty is not quoteQty: {rows[0]}")
        for symbol in self.ledger.symbols:
            numbers = sorted(number for name, number in sides if name == symbol)
            if numbers != list(range(1, len(numbers) + 1)):
                wrong.append(f"trade ids of {symbol} have a hole or do not begin at 1")
        return wrong

    def fill_faults(self, view):
        """Orders have executed what their trades say; acknowledged fills are among them."""
        wrong = []
        for account, rows in view.orders.items():
            quantity, quote, known = Counter(), Counter(), {}
            for trade in view.trades[account]:
                quantity[trade["orderId"]] += Decimal(trade["qty"])
                quote[trade["orderId"]] += Decimal(trade["quoteQty"])
                known[trade["symbol"], trade["id"], trade["orderId"]] = trade
            for row in rows:
                number = row["orderId"]
                for key, sums in (("executedQty", quantity), ("cummulativeQuoteQty", quote)):
                    if Decimal(row[key]) != sums.pop(number, 0):
                        wrong.append(f"order {number} of {account}: {key} is not what its trades"
                                     f" add up to: {row}")
            for number in quantity:
                wrong.append(f"trades of {account} name order {number}, which it does not have")
            wrong += self.acknowledged_fill_faults(account, known)
        return wrong

    def acknowledged_fill_faults(self, account, known):
        wrong = []
        for order in self.ledger.orders.values():
            if order.account != account or order.outcome != ACKED:
                continue
            for fill in order.answer.get("fills", []):
                trade = known.get((order.symbol, fill["tradeId"], order.order_id))
                if trade is None:
                    wrong.append(f"fill {fill} of order {order.client_order_id} is not there")
                    continue
                for key in ("price", "qty", "commission", "commissionAsset"):
                    if trade[key] != fill[key]:
                        wrong.append(f"fill {fill} of order {order.client_order_id} has become"
                                     f" {trade}")
        return wrong

    # --- balances ---

    def balance_faults(self, view):
        """Every balance is bookings plus trades; what is locked is what open orders hold."""
        wrong = []
        for account in self.ledger.accounts:
            moved, held = self.moved(view, account), self.held(view, account)
            assets = moved.keys() | held.keys() | view.balances[account].keys()
            for asset in sorted(assets):
                free, locked = view.balances[account].get(asset, (Decimal(0), Decimal(0)))
                if locked != held[asset]:
                    wrong.append(f"{account} has {locked} {asset} locked; its open orders hold"
                                 f" {held[asset]}")
                if free < 0 or locked < 0:
                    wrong.append(f"{account} has a negative balance: {free} + {locked} {asset}")
                wrong += self.booking_faults(account, asset, free + locked - moved[asset])
        return wrong

    def moved(self, view, account):
        """What trades brought and took, by asset."""
        moved = Counter()
        for trade in view.trades[account]:
            base, quote = self.ledger.symbols[trade["symbol"]]
            sign = 1 if trade["isBuyer"] else -1
            moved[base] += sign * Decimal(trade["qty"])
            moved[quote] -= sign * Decimal(trade["quoteQty"])
            moved[trade["commissionAsset"]] -= Decimal(trade["commission"])
        return moved

    def held(self, view, account):
        """What open orders hold, by asset."""
        held = Counter()
        for row in view.open[account]:
            base, quote = self.ledger.symbols[row["symbol"]]
            rest = open_quantity(row)
            if row["side"] == "SELL":
                held[base] += rest
            else:
                held[quote] += rest * Decimal(row["price"])
        return held

    def booking_faults(self, account, asset, booked):
        """`booked` is what bookings must have brought. Settles the unknown ones by it."""
        mine = [b for b in self.ledger.bookings if (b.account, b.asset) == (account, asset)]
        missing = booked - sum(b.amount for b in mine if b.outcome == ACKED)
        unknown = [b for b in mine if b.outcome == UNKNOWN]
        if len(unknown) > UNKNOWN_BOOKINGS_MAX:
            return [f"{len(unknown)} unknown bookings of {account} cannot be distinguished"]
        for count in range(len(unknown) + 1):
            for those in combinations(unknown, count):
                if sum(b.amount for b in those) == missing:
                    for booking in unknown:
                        booking.outcome = ACKED if booking in those else REFUSED
                    return []
        return [f"{account} has {missing} {asset} that no booking and no trade explains"
                f" ({len(unknown)} bookings unknown)"]

    def conservation_faults(self, view):
        """What all customers have, with the fees they paid, is what was ever booked; and what they
        have alone is no more than that, for nobody pays rebates out of nothing."""
        owned, fees, booked = Counter(), Counter(), Counter()
        for account in self.ledger.accounts:
            for asset, (free, locked) in view.balances[account].items():
                owned[asset] += free + locked
            for trade in view.trades[account]:
                fees[trade["commissionAsset"]] += Decimal(trade["commission"])
        for booking in self.ledger.bookings:
            if booking.outcome == ACKED:
                booked[booking.asset] += booking.amount
        wrong = []
        for asset in sorted(owned.keys() | fees.keys() | booked.keys()):
            value = owned[asset] + fees[asset] - booked[asset]
            if value != 0:
                wrong.append(f"over all accounts {value} {asset} came from nowhere")
            if owned[asset] > booked[asset]:
                wrong.append(f"customers own {owned[asset]} {asset}, and {booked[asset]} came in")
        return wrong

    # --- the same in other ways ---

    def listing_faults(self, view):
        """Rows are the same in pages of any size, in the last page, and each by itself."""
        wrong = []

        def whole(account, symbol, listing):
            rows = (view.orders if listing == "orders" else view.trades)[account]
            return [row for row in rows if row["symbol"] == symbol]

        for account, symbol, listing, rows in view.again:
            if rows != whole(account, symbol, listing):
                wrong.append(f"{listing} of {account} in {symbol} differ with the size of pages")
        for account, symbol, listing, rows in view.latest:
            known = whole(account, symbol, listing)
            if rows != known[len(known) - len(rows):] or bool(rows) != bool(known):
                wrong.append(f"the latest {listing} of {account} in {symbol} are not the last")
        for account, row in view.single:
            if row not in view.orders[account]:
                wrong.append(f"order {row['orderId']} of {account} by itself is {row}")
        return wrong

    def tape_faults(self, view):
        """The public trades are the customers', once each."""
        wrong = []
        for symbol, rows in view.tape.items():
            known = {row["id"]: row for trades in view.trades.values() for row in trades
                     if row["symbol"] == symbol}
            numbers = sorted(known)[len(known) - len(rows):]
            if [row["id"] for row in rows] != numbers or bool(rows) != bool(known):
                wrong.append(f"the public trades of {symbol} are not the customers' last")
                continue
            for row in rows:
                for key in ("price", "qty", "quoteQty", "time"):
                    if row[key] != known[row["id"]][key]:
                        wrong.append(f"public trade {symbol} {row['id']} differs in {key}")
        return wrong

    # --- market data ---

    def depth_faults(self, view):
        """The public book is the sum of the open orders."""
        wrong = []
        for symbol, depth in view.depth.items():
            levels = {"bids": Counter(), "asks": Counter()}
            for rows in view.open.values():
                for row in rows:
                    if row["symbol"] == symbol:
                        side = "bids" if row["side"] == "BUY" else "asks"
                        levels[side][Decimal(row["price"])] += open_quantity(row)
            for side, expected in levels.items():
                shown = {Decimal(price): Decimal(quantity) for price, quantity in depth[side]}
                if shown != dict(expected):
                    odd = {p for p in shown.keys() | expected.keys()
                           if shown.get(p) != expected.get(p)}
                    wrong.append(f"{symbol} {side}: the book and the open orders differ at"
                                 f" {sorted(odd)[:5]}")
        return wrong

    # --- what has been seen ---

    def changed_faults(self, view):
        """Ended orders and all trades are unchanged."""
        wrong = []
        rows = {row["orderId"]: row for rows in view.orders.values() for row in rows}
        trades = {
            (row["symbol"], row["id"], account, row["isBuyer"]): row
            for account, rows_of in view.trades.items() for row in rows_of
        }
        for what, old, new in (("order", self.ended, rows), ("trade", self.traded, trades)):
            for key, row in old.items():
                if new.get(key) != row:
                    wrong.append(f"{what} {key} was {row} and is {new.get(key)}")
        self.ended = {n: row for n, row in rows.items() if row["status"] not in OPEN}
        self.traded = trades
        return wrong
