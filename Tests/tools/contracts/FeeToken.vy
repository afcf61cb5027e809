# A token that keeps a tenth of each transfer, and logs the whole of it.
event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    amount: uint256

balanceOf: public(HashMap[address, uint256])

@deploy
def __init__():
    self.balanceOf[msg.sender] = 10 ** 24

@external
def transfer(receiver: address, amount: uint256) -> bool:
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[receiver] += amount - amount // 10
    self.balanceOf[self] += amount // 10
    log Transfer(sender=msg.sender, receiver=receiver, amount=amount)
    return True
