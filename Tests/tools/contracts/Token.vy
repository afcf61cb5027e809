# An ERC-20 token that does what the standard says.
event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    amount: uint256

name: public(constant(String[16])) = "Test Token"
symbol: public(constant(String[8])) = "TST"
decimals: public(constant(uint8)) = 6
balanceOf: public(HashMap[address, uint256])

@deploy
def __init__():
    self.balanceOf[msg.sender] = 10 ** 24

@internal
def _move(receiver: address, amount: uint256):
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=msg.sender, receiver=receiver, amount=amount)

@external
def transfer(receiver: address, amount: uint256) -> bool:
    self._move(receiver, amount)
    return True

@external
def transferTwice(receiver: address, first: uint256, second: uint256):
    self._move(receiver, first)
    self._move(receiver, second)
