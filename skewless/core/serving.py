"""The serving manifest: all that a client needs to know of a service, so that it needs only contact points."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, get_args

from skewless.core.dtypes import Bytes, DType, parse_dtype
from skewless.core.layout import TYPED, OnlineLayout
from skewless.core.names import PACKED
from skewless.core.reference import view_reference
from skewless.core.time import Schedule, duration_us
from skewless.errors import UsageError

if TYPE_CHECKING:
    # what is defined is of no interest to whoever reads
    from skewless.core.service import FeatureService
    from skewless.core.view import FeatureView

#: The newest format that this release reads. What has no packed view is written in the first, for older clients.
FORMAT = 2
TYPED_FORMAT = 1
_LONGEST_TABLE_NAME = 48


@dataclass(frozen=True, slots=True)
class ServedView:
    """How to read one view version online.

    Attributes:
        name: The view.
        version: Its version.
        table: Its Cassandra table.
        keys: Key column → type, in key order.
        features: Feature → type, in the order of the table's columns, or of a packed row (every feature of the view).
        ttl: Age at which a value is too old; None never.
        schedule: Its ticks; None for a RowView.
        fingerprint: Of the definition.
        layout: Whether each feature has a column, or all of a row are packed into one.
    """

    name: str
    version: int
    table: str
    keys: Mapping[str, DType] = field(hash=False)
    features: Mapping[str, DType] = field(hash=False)
    ttl: timedelta | None
    schedule: Schedule | None
    fingerprint: str
    layout: OnlineLayout = TYPED

    @property
    def is_packed(self) -> bool:
        """True when all features of a row are in one column."""
        return self.layout == PACKED

    @property
    def value_columns(self) -> Mapping[str, DType]:
        """The columns of its table that hold values → type, in order."""
        return {PACKED: Bytes} if self.is_packed else self.features

    def columns_of(self, features: Sequence[str]) -> tuple[str, ...]:
        """The columns of its table that hold some of its features."""
        return (PACKED,) if self.is_packed else tuple(features)

    @property
    def reference(self) -> str:
        """This version of it, as `name@version`: what a revision calls it."""
        return view_reference(self.name, self.version)

    @property
    def ttl_us(self) -> int | None:
        """The ttl in microseconds."""
        return None if self.ttl is None else duration_us(self.ttl)


@dataclass(frozen=True, slots=True)
class ServingManifest:
    """What a client must know of a service.

    Attributes:
        project: The project.
        service: The service.
        contract_hash: Its fingerprint.
        features: (view, feature) in the order of the vector.
        views: The views that it reads.
    """

    project: str
    service: str
    contract_hash: str
    features: tuple[tuple[str, str], ...]
    views: tuple[ServedView, ...]

    def to_json(self) -> str:
        """The JSON that is stored beside the values."""
        return json.dumps(
            {
                "format": _format(self.views),
                "project": self.project,
                "service": self.service,
                "contract_hash": self.contract_hash,
                "features": [list(pair) for pair in self.features],
                "views": [_view_to_json(view) for view in self.views],
            },
            sort_keys=True,
        )

    @staticmethod
    def from_json(text: str) -> ServingManifest:
        """Read what `to_json` wrote; the caller checks `format` for manifests newer than itself.

        Raises:
            UsageError: A view has a layout that this release does not know.
        """
        body = json.loads(text)
        return ServingManifest(
            project=body["project"],
            service=body["service"],
            contract_hash=body["contract_hash"],
            features=tuple((view, feature) for view, feature in body["features"]),
            views=tuple(_view_from_json(view) for view in body["views"]),
        )


def table_name(project: str, view: FeatureView) -> str:
    """Name a view version's Cassandra table: a readable prefix, the version, and a hash of what decides its columns.

    The order of the features and the layout are of it, so a table's rows cannot be taken for another's.
    At most 48 characters, the longest that Cassandra allows; the hash keeps cut prefixes apart.
    """
    keys = ",".join(f"{key}:{dtype}" for key, dtype in view.entity.keys.items())
    features = ",".join(f"{feature.name}:{feature.dtype}" for feature in view.features)
    # nothing when typed: tables keep the names that they had before there was a choice
    layout = "" if view.online_layout == TYPED else f"|{view.online_layout}"
    identity = f"{project}|{view.name}|{view.version}|{keys}|{features}{layout}"
    suffix = f"__v{view.version}_{hashlib.sha256(identity.encode()).hexdigest()[:8]}"
    return view.name[: _LONGEST_TABLE_NAME - len(suffix)] + suffix


def served_view(project: str, view: FeatureView, fingerprint: str) -> ServedView:
    """How to read a view online."""
    return ServedView(
        name=view.name,
        version=view.version,
        table=table_name(project, view),
        keys=dict(view.entity.keys),
        features=view.feature_types,
        ttl=view.ttl,
        schedule=view.schedule if view.has_ticks else None,
        fingerprint=fingerprint,
        layout=view.online_layout,
    )


def serving_manifest(
    project: str, service: FeatureService, views: Mapping[str, ServedView], contract_hash: str
) -> ServingManifest:
    """Put a service's manifest together.

    Args:
        project: The project.
        service: The service.
        views: `name@version` → how it is read; those that the service pins at least.
        contract_hash: Of the service.
    """
    return ServingManifest(
        project=project,
        service=service.name,
        contract_hash=contract_hash,
        features=tuple((ref.view, ref.feature) for ref in service.features),
        views=tuple(views[reference] for reference in service.view_references),
    )


def _format(views: Iterable[ServedView]) -> int:
    """A reader that knows no packed rows would take their table for one that lacks columns: it must refuse."""
    return FORMAT if any(view.is_packed for view in views) else TYPED_FORMAT


def _view_to_json(view: ServedView) -> dict[str, object]:
    return {
        "name": view.name,
        "version": view.version,
        "table": view.table,
        "keys": [[key, str(dtype)] for key, dtype in view.keys.items()],
        "features": [[feature, str(dtype)] for feature, dtype in view.features.items()],
        "ttl_us": view.ttl_us,
        "schedule_us": None if view.schedule is None else [view.schedule.every_us, view.schedule.offset_us],
        "fingerprint": view.fingerprint,
        **({"layout": view.layout} if view.is_packed else {}),
    }


def _view_from_json(body: Mapping[str, Any]) -> ServedView:
    schedule, ttl_us, layout = body["schedule_us"], body["ttl_us"], body.get("layout", TYPED)
    if layout not in get_args(OnlineLayout):
        message = (
            f"The rows of view '{body['name']}' have layout {layout!r}, which this release does not know. Upgrade."
        )
        raise UsageError(message)
    return ServedView(
        name=str(body["name"]),
        version=int(str(body["version"])),
        table=str(body["table"]),
        keys={key: parse_dtype(dtype) for key, dtype in body["keys"]},
        features={feature: parse_dtype(dtype) for feature, dtype in body["features"]},
        ttl=None if ttl_us is None else timedelta(microseconds=int(str(ttl_us))),
        schedule=None if schedule is None else Schedule(*(timedelta(microseconds=us) for us in schedule)),
        fingerprint=str(body["fingerprint"]),
        layout=layout,
    )
