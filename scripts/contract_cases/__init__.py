"""Cases of the online contract, made without a line of the product: bytes by `struct`, statuses by a plain oracle."""
