"""Extreme values: what a client sends by mistake, and what one sends on purpose."""
import random
import time

NOW = int(time.time())


def edges(value):
    return [str(value - 1), str(value), str(value + 1)]


def numbers():
    found = ["0", "1", "-1", "-0", "+1", "00000000000000000001"]
    for bits in (7, 8, 15, 16, 31, 32, 53, 63, 64, 127, 128):
        found += edges(2**bits)
    found += [str(-(2**63)), str(-(2**63) - 1), str(-(2**127)), "9" * 19, "9" * 20, "9" * 21]
    # Seconds, milliseconds, microseconds, nanoseconds, and where they no longer fit each other.
    found += [str(NOW * factor) for factor in (1, 10**3, 10**6, 10**9, 10**12)]
    for most in (2**63 // 10**6, 2**63 // 10**3, 9 * 10**12, 10**13, 10**15, 10**16, 10**17):
        found += edges(most)
    return found


def decimals():
    return [
        "0.0", "0.00000001", "0." + "0" * 19 + "1", "0." + "0" * 20 + "1", "1.5", "0.01",
        "30000.01", "9" * 20 + "." + "9" * 20, "9" * 18 + "." + "9" * 20, "9" * 38, "9" * 400,
        "0" * 5000, "1e308", "1E5", "1e-400", "-1.5", "-0.0", ".", "1.", ".5", "1.2.3", "NaN",
        "nan", "Infinity", "-inf", "0x10", "1_000", "1,000", " 1", "1 ", "1\n", "١٢٣", "１２",
    ]


def texts():
    return [
        "", " ", "\0", "é", "💥" * 20, "null", "true", "false", "TRUE", "[]", "{}", "[1]",
        '["BTCUSDT"]', '["BTCUSDT","BTCUSDT"]', '["BTCUSDT",1e999]', "[" * 500, '{"a":' * 200,
        "BTCUSDT", "btcusdt", "B" * 16, "B" * 17, "B" * 5000, "1m", "1M", "0m", "99999999999m",
        "BUY", "MARKET", "FULL", "GTC", "a" * 36, "a" * 37, "../../etc/passwd", "%s%n", "'--",
        b"%ff%fe", b"%", b"%4", b"%zz", b"%00", b"\xff", b"a=b", b"a%26b%3dc", b"+",
    ]


VALUES = numbers() + decimals() + texts()


def at_random(chance: random.Random):
    """A value of any length around one of the extremes."""
    kind = chance.randrange(6)
    if kind == 0:
        return str(chance.getrandbits(chance.randint(1, 140)) * chance.choice((1, 1, 1, -1)))
    if kind == 1:
        scale = chance.randint(0, 24)
        return f"{chance.getrandbits(chance.randint(1, 100))}." + "".join(
            chance.choice("0123456789") for _ in range(scale))
    if kind == 2:
        return str(2 ** chance.randint(0, 130) + chance.randint(-3, 3))
    if kind == 3:
        return str(10 ** chance.randint(0, 40) + chance.randint(-3, 3))
    if kind == 4:
        return "".join(chr(chance.choice((0x20, 0x7F, 0xFF, 0x660, 0x1F4A5)) + chance.randint(0, 9))
                       for _ in range(chance.randint(0, 40)))
    return chance.choice(VALUES)
