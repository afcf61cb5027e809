"""The checker of the crash loop must see what it is there for: each planted fault, shown to it in
place of what an exchange shows, must make it speak; a sound exchange must leave it silent."""
from decimal import Decimal

import pytest
from checker import Checker
from exchange import ExchangeFault
from ledger import ACKED, REFUSED, UNKNOWN, Booking, Ledger, Order, View
from load import Trader

SYMBOL = "BTCUSDT"


def row(number, name, side, quantity, price, status, executed="0", quote="0"):
    return {
        "symbol": SYMBOL, "orderId": number, "clientOrderId": name, "side": side, "type": "LIMIT",
        "timeInForce": "GTC", "origQty": quantity, "price": price, "status": status,
        "executedQty": executed, "cummulativeQuoteQty": quote,
    }


def trade(account_side, number, order, commission, asset):
    return {
        "symbol": SYMBOL, "id": number, "orderId": order, "price": "100", "qty": "1",
        "quoteQty": "100", "time": 1000, "isBuyer": account_side == "BUY",
        "isMaker": account_side == "SELL", "commission": commission, "commissionAsset": asset,
    }


def world():
    """A buys one of B's two at 100; A canceled a buy at 90 and has one open at 80."""
    ledger = Ledger(accounts=["a", "b"], symbols={SYMBOL: ("BTC", "USDT")})

    def sent(name, account, side, quantity, price, outcome, answer=None, cancel=None):
        ledger.orders[name] = Order(
            account, name, SYMBOL, side, "LIMIT", Decimal(quantity), Decimal(price),
            outcome=outcome, answer=answer or {}, cancel=cancel,
            cancel_answer={"executedQty": "0"} if cancel == ACKED else {},
        )

    fill = {"tradeId": 1, "price": "100", "qty": "1", "commission": "0.001",
            "commissionAsset": "BTC"}
    sent("b1", "b", "SELL", "2", "100", ACKED, {"orderId": 1, "status": "NEW", "executedQty": "0"})
    sent("a1", "a", "BUY", "1", "100", ACKED,
         {"orderId": 2, "status": "FILLED", "executedQty": "1", "fills": [fill]})
    sent("a2", "a", "BUY", "1", "90", ACKED,
         {"orderId": 3, "status": "NEW", "executedQty": "0"}, cancel=ACKED)
    sent("a3", "a", "BUY", "1", "80", ACKED, {"orderId": 4, "status": "NEW", "executedQty": "0"})
    sent("b2", "b", "SELL", "1", "120", UNKNOWN)
    sent("b3", "b", "SELL", "1", "130", REFUSED)
    ledger.bookings = [
        Booking("a", "USDT", Decimal("1000"), "first", ACKED),
        Booking("b", "BTC", Decimal("10"), "second", ACKED),
        Booking("a", "USDT", Decimal("7.25"), "third", UNKNOWN),
    ]
    orders = {
        "a": [row(2, "a1", "BUY", "1", "100", "FILLED", "1", "100"),
              row(3, "a2", "BUY", "1", "90", "CANCELED"),
              row(4, "a3", "BUY", "1", "80", "NEW")],
        "b": [row(1, "b1", "SELL", "2", "100", "PARTIALLY_FILLED", "1", "100")],
    }
    view = View(
        orders=orders,
        open={"a": [dict(orders["a"][2])], "b": [dict(orders["b"][0])]},
        trades={"a": [trade("BUY", 1, 2, "0.001", "BTC")],
                "b": [trade("SELL", 1, 1, "0.1", "USDT")]},
        balances={
            "a": {"USDT": (Decimal("820"), Decimal("80")), "BTC": (Decimal("0.999"), Decimal(0))},
            "b": {"USDT": (Decimal("99.9"), Decimal(0)), "BTC": (Decimal("8"), Decimal("1"))},
        },
        depth={SYMBOL: {"bids": [["80", "1"]], "asks": [["100", "1"]]}},
    )
    return ledger, view


def add_unknown_order(view):
    """The order that nobody answered is there, wholly."""
    late = row(5, "b2", "SELL", "1", "120", "NEW")
    view.orders["b"].append(late)
    view.open["b"].append(dict(late))
    view.balances["b"]["BTC"] = (Decimal("7"), Decimal("2"))
    view.depth[SYMBOL]["asks"].append(["120", "1"])


def test_says_nothing_of_a_sound_exchange():
    ledger, view = world()
    assert Checker(ledger).check(view) == []


def test_takes_an_unanswered_order_that_is_wholly_there():
    ledger, view = world()
    add_unknown_order(view)
    assert Checker(ledger).check(view) == []


def test_takes_what_was_prevented_from_the_rest_of_an_order():
    ledger, view = world()
    for rows in (view.orders["a"], view.open["a"]):
        rows[-1]["preventedQuantity"] = "0.5"
    view.balances["a"]["USDT"] = (Decimal("860"), Decimal("40"))
    view.depth[SYMBOL]["bids"] = [["80", "0.5"]]
    assert Checker(ledger).check(view) == []


def test_takes_an_unanswered_credit_and_settles_it():
    ledger, view = world()
    view.balances["a"]["USDT"] = (Decimal("827.25"), Decimal("80"))
    checker = Checker(ledger)
    assert checker.check(view) == []
    assert ledger.bookings[2].outcome == ACKED
    view.balances["a"]["USDT"] = (Decimal("820"), Decimal("80"))
    assert checker.check(view), "a credit that was seen has gone"


def lose_acknowledged_order(view):
    del view.orders["a"][2], view.open["a"][0]
    view.balances["a"]["USDT"] = (Decimal("900"), Decimal(0))
    view.depth[SYMBOL]["bids"].clear()


def place_order_twice(view):
    again = row(6, "a3", "BUY", "1", "80", "NEW")
    view.orders["a"].append(again)
    view.open["a"].append(dict(again))
    view.balances["a"]["USDT"] = (Decimal("740"), Decimal("160"))
    view.depth[SYMBOL]["bids"] = [["80", "2"]]


def bring_back_canceled_order(view):
    view.orders["a"][1]["status"] = "NEW"
    view.open["a"].append(dict(view.orders["a"][1]))
    view.balances["a"]["USDT"] = (Decimal("730"), Decimal("170"))
    view.depth[SYMBOL]["bids"].append(["90", "1"])


def cancel_unasked(view):
    view.orders["a"][2]["status"] = "CANCELED"
    view.open["a"].clear()
    view.balances["a"]["USDT"] = (Decimal("900"), Decimal(0))
    view.depth[SYMBOL]["bids"].clear()


def take_refused_order(view):
    late = row(5, "b3", "SELL", "1", "130", "NEW")
    view.orders["b"].append(late)
    view.open["b"].append(dict(late))
    view.balances["b"]["BTC"] = (Decimal("7"), Decimal("2"))
    view.depth[SYMBOL]["asks"].append(["130", "1"])


def unanswered_order_holds_nothing(view):
    add_unknown_order(view)
    view.balances["b"]["BTC"] = (Decimal("8"), Decimal("1"))


def unanswered_order_with_other_terms(view):
    add_unknown_order(view)
    view.orders["b"][-1]["price"] = view.open["b"][-1]["price"] = "121"
    view.depth[SYMBOL]["asks"][-1][0] = "121"


def unanswered_order_missing_in_book(view):
    add_unknown_order(view)
    view.depth[SYMBOL]["asks"].pop()


def order_of_nobody(view):
    add_unknown_order(view)
    for rows in (view.orders, view.open):
        rows["b"][-1]["clientOrderId"] = "stranger"


def same_id_twice(view):
    add_unknown_order(view)
    for rows in (view.orders, view.open):
        rows["b"][-1]["orderId"] = 4


def credit_twice(view):
    view.balances["a"]["USDT"] = (Decimal("1820"), Decimal("80"))


def lose_credit(view):
    view.balances["b"]["BTC"] = (Decimal("0"), Decimal("1"))


def half_a_credit(view):
    view.balances["a"]["USDT"] = (Decimal("823"), Decimal("80"))


def lose_one_unit(view):
    view.balances["a"]["BTC"] = (Decimal("0.99899999"), Decimal(0))


def keep_a_hold(view):
    view.balances["a"]["USDT"] = (Decimal("730"), Decimal("170"))


def lose_trade(view):
    view.trades["a"].clear()
    view.trades["b"].clear()


def lose_one_side_of_trade(view):
    view.trades["b"].clear()
    view.orders["b"][0].update(executedQty="0", cummulativeQuoteQty="0", status="NEW")


def trade_twice(view):
    for account in ("a", "b"):
        view.trades[account].append(dict(view.trades[account][0], id=2))


def trade_id_twice(view):
    view.trades["a"].append(dict(view.trades["a"][0]))


def other_fee(view):
    view.trades["a"][0]["commission"] = "0.002"
    view.balances["a"]["BTC"] = (Decimal("0.998"), Decimal(0))


def executed_less(view):
    view.orders["a"][0].update(executedQty="0", status="NEW", cummulativeQuoteQty="0")


def open_only_in_history(view):
    view.open["a"].clear()


def pay_a_rebate_from_nothing(view):
    view.trades["b"][0]["commission"] = "-0.1"
    view.balances["b"]["USDT"] = (Decimal("100.1"), Decimal(0))


def prevent_and_hold_on(view):
    for rows in (view.orders["a"], view.open["a"]):
        rows[-1]["preventedQuantity"] = "0.5"


def prevent_in_the_book_alone(view):
    view.open["a"][0]["preventedQuantity"] = "0.5"
    view.balances["a"]["USDT"] = (Decimal("860"), Decimal("40"))
    view.depth[SYMBOL]["bids"] = [["80", "0.5"]]


def prevent_what_was_traded(view):
    view.orders["a"][0]["preventedQuantity"] = "0.5"


FAULTS = [
    lose_acknowledged_order, place_order_twice, bring_back_canceled_order, cancel_unasked,
    take_refused_order, unanswered_order_holds_nothing, unanswered_order_with_other_terms,
    unanswered_order_missing_in_book, order_of_nobody, same_id_twice, credit_twice, lose_credit,
    half_a_credit, lose_one_unit, keep_a_hold, lose_trade, lose_one_side_of_trade, trade_twice,
    trade_id_twice, other_fee, executed_less, open_only_in_history, pay_a_rebate_from_nothing,
    prevent_and_hold_on, prevent_in_the_book_alone, prevent_what_was_traded,
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_finds(fault):
    ledger, view = world()
    fault(view)
    assert Checker(ledger).check(view)


def test_finds_an_ended_order_that_changes_later():
    ledger, view = world()
    ledger.orders["b2"].outcome = UNKNOWN
    gone = row(5, "b2", "SELL", "1", "120", "EXPIRED")
    view.orders["b"].append(gone)
    checker = Checker(ledger)
    assert checker.check(view) == []
    view.orders["b"].pop()
    assert checker.check(view)


def asked_again():
    """The sound world, with its rows asked for in every other way too."""
    ledger, view = world()
    view.again = [(name, SYMBOL, "orders", list(view.orders[name])) for name in "ab"]
    view.again += [(name, SYMBOL, "trades", list(view.trades[name])) for name in "ab"]
    view.latest = [("a", SYMBOL, "orders", view.orders["a"][-2:]),
                   ("b", SYMBOL, "trades", view.trades["b"][-1:])]
    view.single = [("a", dict(view.orders["a"][1]))]
    view.tape = {SYMBOL: [dict(view.trades["a"][0])]}
    return ledger, view


def test_takes_rows_that_are_the_same_in_other_ways():
    ledger, view = asked_again()
    assert Checker(ledger).check(view) == []


@pytest.mark.parametrize("plant", [
    lambda view: view.again[0][3].pop(1),
    lambda view: view.again[0][3].append(view.orders["a"][2]),
    lambda view: view.again[3][3].pop(),
    lambda view: view.latest[0][3].pop(),
    lambda view: view.latest[1][3].pop(),
    lambda view: view.single[0][1].update(executedQty="1"),
    lambda view: view.tape[SYMBOL].pop(),
    lambda view: view.tape[SYMBOL].append(dict(view.tape[SYMBOL][0])),
    lambda view: view.tape[SYMBOL][0].update(price="101"),
])
def test_finds_a_row_that_another_way_of_asking_shows_differently(plant):
    ledger, view = asked_again()
    plant(view)
    assert Checker(ledger).check(view)


def test_a_client_notices_an_answer_that_belongs_to_another_request():
    ledger, _ = world()
    trader = Trader("a", "key", "secret", 1, ledger, 1, "127.0.0.1")
    trader.placed(ledger.orders["a3"], {"clientOrderId": "a3", "orderId": 4, "status": "NEW"})
    for take in (trader.placed, trader.canceled):
        with pytest.raises(ExchangeFault):
            take(ledger.orders["a3"], {"clientOrderId": "a2", "origClientOrderId": "a2"})
