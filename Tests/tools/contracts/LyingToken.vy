# A token that logs transfers without moving anything, and moves without a log on request.
event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    amount: uint256

balances: HashMap[address, uint256]
isClosed: bool

@external
@view
def balanceOf(owner: address) -> uint256:
    assert not self.isClosed, "closed"
    return self.balances[owner]

@external
def transfer(receiver: address, amount: uint256) -> bool:
    log Transfer(sender=msg.sender, receiver=receiver, amount=amount)
    return True

@external
def mint(receiver: address, amount: uint256):
    self.balances[receiver] += amount

# Gives so much, and logs more.
@external
def mintAndLog(receiver: address, amount: uint256, logged: uint256):
    self.balances[receiver] += amount
    log Transfer(sender=msg.sender, receiver=receiver, amount=logged)

# From now on nobody learns a balance.
@external
def close():
    self.isClosed = True
