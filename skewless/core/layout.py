"""How a row lies in the online store: each feature in a column of its own type, or all of them in one blob."""

from __future__ import annotations

from typing import Literal

OnlineLayout = Literal["typed", "packed"]
TYPED: OnlineLayout = "typed"
