"""The point-in-time join: the rule of the contract over millions of rows."""
