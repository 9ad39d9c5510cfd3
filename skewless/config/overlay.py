"""Files and variables laid over each other: base < environment's file < `SKEWLESS__SECTION__KEY`.

What comes out still is raw; `convert` gives it its type. Every value remembers where it was said.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from skewless.config.convert import Given
from skewless.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PREFIX = "SKEWLESS__"

Section = tuple[str, ...]
Layer = dict[Section, dict[str, Given]]


def sections_of(roots: Mapping[str, type], above: Section = ()) -> dict[Section, type]:
    """Every section of the settings and its class, nested ones included."""
    found: dict[Section, type] = {}
    for name, kind in roots.items():
        path = (*above, name)
        hints = get_type_hints(kind)
        found[path] = kind
        inner = {key: hint for key, hint in hints.items() if isinstance(hint, type) and is_dataclass(hint)}
        found |= sections_of(inner, path)
    return found


def keys_of(kind: type) -> dict[str, Any]:
    """The keys that a section may have in a file, with their types."""
    hints = get_type_hints(kind)
    settable = [item.name for item in fields(kind) if not item.metadata.get("computed")]
    return {name: hints[name] for name in settable if not is_dataclass(hints[name])}


def read_file(path: Path, sections: Mapping[Section, type]) -> Layer:
    """Read one TOML file and check every name in it.

    Raises:
        ConfigError: The file is missing, is not TOML, or names an unknown section or key.
    """
    shown = "/".join(path.parts[-3:] if path.parent.name == "env" else path.parts[-2:])
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{shown} is missing. Restore it, or name another folder with --conf.") from None
    except OSError as error:
        raise ConfigError(f"{shown} cannot be read ({error.strerror}). Correct its permissions.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{shown} is not valid TOML: {error}. Correct that line.") from None
    layer: Layer = {}
    _collect(tree, (), layer, shown=shown, sections=sections)
    return layer


def _collect(
    tree: Mapping[str, Any], above: Section, layer: Layer, *, shown: str, sections: Mapping[Section, type]
) -> None:
    known = keys_of(sections[above]) if above else {}
    for name, value in tree.items():
        path = (*above, name)
        if path in sections and isinstance(value, dict):
            _collect(value, path, layer, shown=shown, sections=sections)
        elif name in known:
            layer.setdefault(above, {})[name] = Given(value, f"{shown}: [{'.'.join(above)}] {name}")
        else:
            inner = [section[-1] for section in sections if section[:-1] == above]
            place = f"[{'.'.join(above)}]" if above else "its top level"
            raise ConfigError(f"{shown} has an unknown key '{name}' in {place}. {_nearest(name, [*known, *inner])}")


def read_variables(environ: Mapping[str, str], sections: Mapping[Section, type]) -> Layer:
    """Collect the overriding variables.

    Raises:
        ConfigError: A variable of the prefix names no section or key.
    """
    legal = {
        PREFIX + "__".join((*section, key)).upper(): (section, key)
        for section, kind in sections.items()
        for key, hint in keys_of(kind).items()
        if get_origin(hint) is not Mapping
    }
    layer: Layer = {}
    for variable in sorted(name for name in environ if name.startswith(PREFIX)):
        if variable not in legal:
            raise ConfigError(f"The environment variable {variable} sets nothing. {_nearest(variable, legal)}")
        section, key = legal[variable]
        layer.setdefault(section, {})[key] = Given(environ[variable], variable, is_text=True)
    return layer


def overlay(layers: Iterable[Layer], sections: Mapping[Section, type]) -> Layer:
    """Lay later layers over earlier ones, key by key; tables such as `[spark.conf]` are merged too."""
    merged: Layer = {section: {} for section in sections}
    for layer in layers:
        for section, values in layer.items():
            for key, given in values.items():
                below = merged[section].get(key)
                merged[section][key] = _merge(below, given) if below is not None else given
    return merged


def _merge(below: Given, above: Given) -> Given:
    if isinstance(below.value, dict) and isinstance(above.value, dict) and not {"env", "file"} & set(above.value):
        return Given(below.value | above.value, above.source)
    return above


def _nearest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"Did you mean '{close[0]}'?"
    return f"Known: {', '.join(names)}." if len(names) <= 15 else "See conf/README.md for the known ones."
