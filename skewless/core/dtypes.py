"""The closed set of types that keys, source columns and features may have."""

from __future__ import annotations

import re
from dataclasses import dataclass

from skewless.errors import DefinitionError

_SCALARS = ("bool", "int32", "int64", "float32", "float64", "string", "bytes", "date", "timestamp")
_KEYS = frozenset({"bool", "int32", "int64", "string", "bytes", "date"})
_COMPOUND = re.compile(r"decimal<([0-9]+),([0-9]+)>|vector<([0-9]+)>|array<(.+)>")


@dataclass(frozen=True, slots=True)
class DType:
    """One type of the closed set; compare with `==`, spell with `str`.

    Attributes:
        kind: bool, int32, int64, float32, float64, string, bytes, date, timestamp (µs, UTC), decimal, array, vector.
        precision: Total digits of a decimal.
        scale: Digits behind the point of a decimal.
        element: The type of an array's elements; they are never null.
        length: The number of float32 elements of a vector.
    """

    kind: str
    precision: int = 0
    scale: int = 0
    element: DType | None = None
    length: int = 0

    def __str__(self) -> str:
        """The canonical spelling, which `parse_dtype` reads back."""
        if self.kind == "decimal":
            return f"decimal<{self.precision},{self.scale}>"
        if self.kind == "array":
            return f"array<{self.element}>"
        return f"vector<{self.length}>" if self.kind == "vector" else self.kind

    __repr__ = __str__

    @property
    def is_key(self) -> bool:
        """True for the types that may identify an entity: those whose equality leaves no doubt."""
        return self.kind in _KEYS

    @property
    def is_float(self) -> bool:
        """True for float32 and float64."""
        return self.kind in {"float32", "float64"}

    @property
    def is_numeric(self) -> bool:
        """True for integers, floats and decimals."""
        return self.is_float or self.kind in {"int32", "int64", "decimal"}


Bool, Int32, Int64, Float32, Float64, String, Bytes, Date, Timestamp = (DType(kind) for kind in _SCALARS)


def Decimal(precision: int, scale: int) -> DType:  # noqa: N802 - it reads as the type that it makes
    """A decimal of `precision` digits (1 to 38), `scale` of them behind the point."""
    if not 1 <= precision <= 38 or not 0 <= scale <= precision:
        message = f"Decimal({precision}, {scale}) does not exist. Precision is 1 to 38, scale 0 to precision."
        raise DefinitionError(message)
    return DType("decimal", precision=precision, scale=scale)


def Array(element: DType) -> DType:  # noqa: N802 - it reads as the type that it makes
    """An array of non-null elements of one scalar type."""
    if element.kind in {"array", "vector"}:
        raise DefinitionError(f"Array({element}) is nested. Arrays hold scalars; use Vector(n) for embeddings.")
    return DType("array", element=element)


def Vector(length: int) -> DType:  # noqa: N802 - it reads as the type that it makes
    """An embedding of `length` float32 numbers (1 to 8,192)."""
    if not 1 <= length <= 8192:
        raise DefinitionError(f"Vector({length}) does not exist. A vector has 1 to 8192 elements.")
    return DType("vector", length=length)


def parse_dtype(text: str) -> DType:
    """Read the canonical spelling of a type.

    Raises:
        DefinitionError: It spells no type of the closed set.
    """
    if text in _SCALARS:
        return DType(text)
    compound = _COMPOUND.fullmatch(text)
    if compound is None:
        raise DefinitionError(f"'{text}' is not one of our types: {', '.join(_SCALARS)}, decimal, array, vector.")
    precision, scale, length, element = compound.groups()
    if precision:
        return Decimal(int(precision), int(scale))
    return Vector(int(length)) if length else Array(parse_dtype(element))
