"""Definitions, time and the rule of the contract, as frozen values; the standard library is all that is needed."""
