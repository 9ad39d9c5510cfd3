from __future__ import annotations

from datetime import date, datetime

import pytest

from skewless.core import dtypes, serving
from skewless.errors import ContractBroken, StoreUnreachable, UsageError
from skewless.online import OnlineClient, revisions
from skewless.online.connection import OnlineTarget
from skewless.online.transport import Gather, Read
from tests.online.shop import T0, CassandraShop, Shop


class NoReads:
    """A transport that may be asked for manifests only."""

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def start(self, reads: list[Read], gather: Gather) -> None:
        raise AssertionError("a wrong request reached the store")


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"user": 1},
        {"user_id": 1, "more": 2},
        {"user_id": "1"},
        {"user_id": 1.0},
        {"user_id": True},
        {"user_id": 2**63},
        {"user_id": b"1"},
        [("user_id", 1)],
        1,
    ],
)
def test_request_with_wrong_keys_is_refused_before_any_read(shop: Shop, keys: object) -> None:
    view = shop.view()
    shop.serve(view)
    shop.publish((view, 5))
    client = shop.client(transport=lambda: NoReads(shop.transport()))
    with pytest.raises(UsageError):
        client.get("svc", keys)
    with pytest.raises(UsageError):
        client.get_many("svc", [{"user_id": None}, keys])


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        (dtypes.Int32, 2**31),
        (dtypes.String, b"a"),
        (dtypes.String, 1),
        (dtypes.Bytes, "a"),
        (dtypes.Bool, 1),
        (dtypes.Date, datetime(2017, 1, 1)),  # noqa: DTZ001 - wrong on purpose
        (dtypes.Date, "2017-01-01"),
        (dtypes.Int64, date(2017, 1, 1)),
    ],
)
def test_request_with_a_key_of_another_type_says_which_type_it_needs(
    shop: Shop, dtype: dtypes.DType, value: object
) -> None:
    view = shop.view(keys={"id": dtype}, features={"x": dtypes.Int64})
    shop.serve(view)
    shop.publish((view, 5))
    with pytest.raises(UsageError, match=rf"Key 'id' must be {dtype.kind}"):
        shop.client().get("svc", {"id": value})


def test_request_with_numpy_integers_is_served(shop: Shop) -> None:
    np = pytest.importorskip("numpy")
    view = shop.view()
    shop.serve(view)
    shop.put(view, 5, (1, T0, "", 1.0, 1))
    shop.publish((view, 5))
    assert shop.client().get("svc", {"user_id": np.int64(1)}).values["spend:visits"] == 1


def test_request_for_an_unknown_service_names_the_known_ones(shop: Shop) -> None:
    shop.serve(shop.view())
    with pytest.raises(UsageError, match=r"no feature service 'nope'.*it serves: svc"):
        shop.client().get("nope", {"user_id": 1})


def test_request_against_another_contract_is_refused(shop: Shop) -> None:
    view = shop.view()
    shop.serve(view)
    shop.publish((view, 5))
    for pins in ("c0", {"svc": "c0"}):
        with pytest.raises(ContractBroken, match="pinned to c0"):
            shop.client(contract_hash=pins).get("svc", {"user_id": 1})
    for pins in ("c1", {"svc": "c1"}, {"other": "c0"}):
        assert shop.client(contract_hash=pins).get("svc", {"user_id": 1}).revision == 1


@pytest.mark.cassandra
def test_request_for_a_service_of_a_later_release_says_to_upgrade(
    cassandra_shop: CassandraShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = cassandra_shop
    view = shop.view()
    with monkeypatch.context() as later:
        later.setattr(serving, "TYPED_FORMAT", serving.FORMAT + 1)
        # the writer reads back what it wrote
        later.setattr(revisions, "FORMAT", serving.FORMAT + 1)
        shop.serve(view)
    shop.publish((view, 5))
    client = shop.client(transport=lambda: NoReads(shop.transport()))
    with pytest.raises(UsageError, match=rf"has format {serving.FORMAT + 1}; this client reads up to .* Upgrade"):
        client.get("svc", {"user_id": 1})


@pytest.mark.parametrize("deadline_ms", [0, -1, float("nan")])
def test_request_with_an_impossible_deadline_is_refused(shop: Shop, deadline_ms: float) -> None:
    shop.serve(shop.view())
    with pytest.raises(UsageError, match="deadline"):
        shop.client().get("svc", {"user_id": 1}, deadline_ms=deadline_ms)


def test_request_with_an_unknown_consistency_is_refused(shop: Shop) -> None:
    shop.serve(shop.view())
    with pytest.raises(UsageError, match="LOCAL_ONE"):
        shop.client().get("svc", {"user_id": 1}, consistency="MOST")
    assert shop.client().get("svc", {"user_id": 1}, consistency="LOCAL_ONE").revision is None


def test_client_after_close_is_refused(shop: Shop) -> None:
    client = shop.client()
    client.close()
    client.close()
    with pytest.raises(UsageError, match="closed"):
        client.get("svc", {"user_id": 1})


@pytest.mark.cassandra
def test_client_of_a_missing_keyspace_says_what_to_do(target: OnlineTarget) -> None:
    with OnlineClient.connect(target.contact_points, project="nobody", port=target.port) as client:
        with pytest.raises(StoreUnreachable, match=r"no keyspace 'skewless_nobody'.*skewless apply") as caught:
            client.get("svc", {"user_id": 1})
        assert "\n" not in str(caught.value)


def test_client_of_an_unreachable_cluster_names_address_and_port() -> None:
    with OnlineClient.connect(["127.0.0.1"], project="demo", port=1) as client:
        with pytest.raises(StoreUnreachable, match=r"127\.0\.0\.1 port 1 .*Check address") as caught:
            client.get("svc", {"user_id": 1})
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400


def test_target_never_shows_its_password() -> None:
    assert "hush" not in repr(OnlineTarget(("h",), password="hush"))  # noqa: S106 - not a secret
