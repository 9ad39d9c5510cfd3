from __future__ import annotations

from datetime import timedelta

import pytest

from skewless.core.time import from_us
from skewless.core.vector import Status
from skewless.errors import ContractBroken
from tests.online.shop import DAY, SECOND, T0, Shop, both_layouts, daily

pytestmark = both_layouts


def statuses(shop: Shop, user: int | None = 1) -> set[Status]:
    return set(shop.client().get("svc", {"user_id": user}).status.values())


def test_status_row_with_values_is_present(shop: Shop) -> None:
    view = shop.view()
    shop.serve(view)
    shop.put(view, 5, (1, T0 - 3 * SECOND, "", 12.5, 2))
    shop.publish((view, 5))
    vector = shop.client().get("svc", {"user_id": 1})
    assert dict(vector.values) == {"spend:spend": 12.5, "spend:visits": 2}
    assert set(vector.status.values()) == {Status.PRESENT}
    assert vector.event_time == {"spend": from_us(T0 - 3 * SECOND)}
    assert vector.age == {"spend": timedelta(seconds=3)}
    assert (vector.generation, vector.revision, vector.at) == ({"spend": 5}, 1, from_us(T0))
    assert not vector.unconfirmed


def test_status_null_feature_is_null_beside_a_present_one(shop: Shop) -> None:
    view = shop.view()
    shop.serve(view)
    shop.put(view, 5, (1, T0, "", None, 2))
    shop.publish((view, 5))
    vector = shop.client().get("svc", {"user_id": 1})
    assert vector.status == {"spend:spend": Status.NULL, "spend:visits": Status.PRESENT}
    assert vector.values == {"spend:spend": None, "spend:visits": 2}


def test_status_row_without_any_value_is_null_and_not_missing(shop: Shop) -> None:
    view = shop.view()
    shop.serve(view)
    shop.put(view, 5, (1, T0, "", None, None))
    shop.publish((view, 5))
    assert statuses(shop) == {Status.NULL}


def test_status_unknown_entity_is_not_found(shop: Shop) -> None:
    view = shop.view()
    shop.serve(view)
    shop.put(view, 5, (1, T0, "", 1.0, 2))
    shop.publish((view, 5))
    vector = shop.client().get("svc", {"user_id": 2})
    assert set(vector.status.values()) == {Status.NOT_FOUND}
    assert set(vector.values.values()) == {None}
    assert (vector.event_time, vector.age, vector.generation) == ({"spend": None}, {"spend": None}, {"spend": 5})


def test_status_null_key_is_not_found(shop: Shop) -> None:
    view = shop.view()
    shop.serve(view)
    shop.publish((view, 5))
    vector = shop.client().get("svc", {"user_id": None})
    assert set(vector.status.values()) == {Status.NOT_FOUND}
    (why,) = shop.client().explain("svc", {"user_id": None}).views
    assert (why.key, why.reason) == (None, "A part of the key is null: it is nobody's.")


def test_status_deleted_row_is_deleted_with_its_event_time(shop: Shop) -> None:
    view = shop.view()
    shop.serve(view)
    shop.put(view, 5, (1, T0 - DAY, "", 1.0, 2))
    shop.put(view, 6, (1, T0 - SECOND, "deleted", None, None))
    shop.publish((view, 6))
    vector = shop.client().get("svc", {"user_id": 1})
    assert set(vector.status.values()) == {Status.DELETED}
    assert vector.event_time == {"spend": from_us(T0 - SECOND)}


def test_status_deleted_row_beats_its_ttl(shop: Shop) -> None:
    view = shop.view(ttl=timedelta(seconds=1))
    shop.serve(view)
    shop.put(view, 6, (1, T0 - DAY, "deleted", None, None))
    shop.publish((view, 6))
    assert statuses(shop) == {Status.DELETED}


@pytest.mark.parametrize("event_us", [None, T0])
def test_status_absent_row_hides_an_older_one(shop: Shop, event_us: int | None) -> None:
    view = shop.view()
    shop.serve(view)
    shop.put(view, 5, (1, T0, "", 1.0, 2))
    shop.put(view, 6, (1, event_us, "absent", None, None))
    shop.publish((view, 6))
    vector = shop.client().get("svc", {"user_id": 1})
    assert set(vector.status.values()) == {Status.NOT_FOUND}
    assert vector.event_time == {"spend": None}


@pytest.mark.parametrize(("age_us", "status"), [(10 * SECOND, Status.EXPIRED), (10 * SECOND - 1, Status.PRESENT)])
def test_status_age_at_the_ttl_is_expired_and_one_microsecond_less_is_not(
    shop: Shop, age_us: int, status: Status
) -> None:
    view = shop.view(ttl=timedelta(seconds=10))
    shop.serve(view)
    shop.put(view, 5, (1, T0, "", 1.0, 2))
    shop.publish((view, 5))
    shop.clock.instant_us = T0 + age_us
    vector = shop.client().get("svc", {"user_id": 1})
    assert set(vector.status.values()) == {status}
    assert (vector.values["spend:spend"] is None) == (status is Status.EXPIRED)
    assert vector.age == {"spend": timedelta(microseconds=age_us)}
    assert vector.event_time == {"spend": from_us(T0)}


def test_status_tick_view_is_as_fresh_as_its_through_and_not_as_its_last_change(shop: Shop) -> None:
    view = shop.view(ttl=timedelta(days=2), schedule=daily())
    shop.serve(view)
    shop.put(view, 5, (1, T0 - 30 * DAY, "", 1.0, 2))
    shop.publish((view, 5), through_us=T0)
    shop.clock.instant_us = T0 + 2 * DAY - 1
    assert statuses(shop) == {Status.PRESENT}
    shop.clock.instant_us = T0 + 2 * DAY
    assert statuses(shop) == {Status.EXPIRED}


def test_status_view_without_revision_is_unpublished(shop: Shop) -> None:
    view, other = shop.view(), shop.view("other")
    shop.serve(view, other)
    shop.put(view, 5, (1, T0, "", 1.0, 2))
    assert statuses(shop) == {Status.UNPUBLISHED}
    shop.publish((view, 5))
    vector = shop.client().get("svc", {"user_id": 1})
    assert vector.status["spend:spend"] is Status.PRESENT
    assert vector.status["other:spend"] is Status.UNPUBLISHED
    assert vector.generation == {"spend": 5, "other": None}
    # nobody's key is not found, whatever is published: a training set says so too
    assert statuses(shop, None) == {Status.NOT_FOUND}


def test_status_version_that_a_revision_does_not_know_is_unpublished_whatever_others_are(shop: Shop) -> None:
    old, new = shop.view(), shop.view(version=2)
    shop.serve(new)
    for view in (old, new):
        shop.put(view, 5, (1, T0, "", float(view.version), 2))
    shop.publish((old, 5))
    client = shop.client()
    assert set(client.get("svc", {"user_id": 1}).status.values()) == {Status.UNPUBLISHED}
    shop.publish((new, 5), at_us=T0 + 1)
    shop.clock.instant_us = T0 + 1
    assert client.get("svc", {"user_id": 1}).values["spend:spend"] == 2.0


def test_status_clients_of_an_earlier_contract_keep_its_version_beside_those_of_the_new_one(shop: Shop) -> None:
    old, new = shop.view(), shop.view(version=2)
    shop.serve(old, contract_hash="c1")
    for view in (old, new):
        shop.put(view, 5, (1, T0, "", float(view.version), 2))
    shop.publish((old, 5))
    running = shop.client()
    assert running.get("svc", {"user_id": 1}).values["spend:spend"] == 1.0
    shop.serve(new, contract_hash="c2")
    shop.put(old, 6, (1, T0, "", 1.5, 2))
    shop.publish((old, 6), (new, 5), at_us=T0 + 1)
    shop.clock.instant_us = T0 + 1
    clients = (running, shop.client(contract_hash="c1"), shop.client(contract_hash={"svc": "c2"}), shop.client())
    assert [one.get("svc", {"user_id": 1}).values["spend:spend"] for one in clients] == [1.5, 1.5, 2.0, 2.0]
    assert [one.get("svc", {"user_id": 1}).generation["spend"] for one in clients] == [6, 6, 5, 5]
    with pytest.raises(ContractBroken, match="pinned to c0"):
        shop.client(contract_hash="c0").get("svc", {"user_id": 1})


def test_explanation_expired_value_names_generation_age_and_ttl(shop: Shop) -> None:
    view = shop.view(ttl=timedelta(seconds=10))
    shop.serve(view)
    shop.put(view, 5, (1, T0, "", 1.0, 2))
    shop.publish((view, 7))
    shop.clock.instant_us = T0 + 10 * SECOND
    explanation = shop.client().explain("svc", {"user_id": 1})
    (only,) = explanation.views
    assert (only.generation, only.row_generation, only.age) == (7, 5, timedelta(seconds=10))
    assert set(only.status.values()) == {Status.EXPIRED}
    assert "ttl 0:00:10" in only.reason
