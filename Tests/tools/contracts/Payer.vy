# Passes the coin that it gets on by an internal call, of which no transaction tells.
@external
@payable
def pay(receiver: address):
    raw_call(receiver, b"", value=msg.value)

# The same, and then all of it is undone.
@external
@payable
def payAndFail(receiver: address):
    raw_call(receiver, b"", value=msg.value)
    assert False, "undone"
