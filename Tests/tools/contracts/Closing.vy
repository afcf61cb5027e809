# Takes coins until it is closed.
isClosed: bool

@external
@payable
def __default__():
    assert not self.isClosed, "closed"

@external
def close():
    self.isClosed = True

@external
def open():
    self.isClosed = False
