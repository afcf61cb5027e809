# A token that moves until it is closed; from then on its transfers are reverted.
event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    amount: uint256

balanceOf: public(HashMap[address, uint256])
isClosed: bool

@deploy
def __init__():
    self.balanceOf[msg.sender] = 10 ** 24

@external
def close():
    self.isClosed = True

@external
def transfer(receiver: address, amount: uint256) -> bool:
    assert not self.isClosed, "closed"
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=msg.sender, receiver=receiver, amount=amount)
    return True
