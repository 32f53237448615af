"""What the executor's core needs from outside; the docstrings are the contract."""
