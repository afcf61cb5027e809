# A token whose transfer returns false and moves nothing, without failing.
balanceOf: public(HashMap[address, uint256])

@deploy
def __init__():
    self.balanceOf[msg.sender] = 10 ** 24

@external
def transfer(receiver: address, amount: uint256) -> bool:
    return False
