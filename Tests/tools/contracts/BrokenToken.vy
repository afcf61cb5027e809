# A token whose balances cannot be asked for while it is broken: in the first way it reverts, in the
# second it uses up all gas, in the third it stops at an instruction that there is not.
event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    amount: uint256

balances: HashMap[address, uint256]
fault: uint256
waste: HashMap[uint256, uint256]

@deploy
def __init__():
    self.balances[msg.sender] = 10 ** 24

@external
def damage(fault: uint256):
    self.fault = fault

@external
def balanceOf(owner: address) -> uint256:
    if self.fault == 1:
        raise "closed"
    if self.fault == 2:
        for turn: uint256 in range(10_000_000):
            self.waste[turn] = turn + 1
    if self.fault == 3:
        raise UNREACHABLE
    return self.balances[owner]

@external
def transfer(receiver: address, amount: uint256) -> bool:
    self.balances[msg.sender] -= amount
    self.balances[receiver] += amount
    log Transfer(sender=msg.sender, receiver=receiver, amount=amount)
    return True
