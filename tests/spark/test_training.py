"""Training sets: which spines are refused, how features are laid out, what the content hash sees."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from skewless.core.dtypes import Float64, Int64, String, Timestamp
from skewless.core.entity import Entity
from skewless.core.service import FeatureService
from skewless.core.source import DeltaSource
from skewless.core.time import to_us
from skewless.core.view import Feature, RowView
from skewless.errors import UsageError
from skewless.spark.training import check_spine, content_hash, laid_out, read_spine
from tests.support.frames import assert_same_rows, at, frame

pytestmark = pytest.mark.spark

VIEW = RowView(
    name="spend",
    entity=Entity("user", {"user_id": String, "shop": Int64}),
    source=DeltaSource("buys", path="raw/buys", event_timestamp="at", schema={"at": Timestamp}),
    transform=lambda rows: rows,
    features=(Feature("week", Float64), Feature("visits", Int64)),
)
SERVICE = FeatureService("svc", features=[VIEW.pick("visits", "week")])
GOOD = "user_id string, shop bigint, at timestamp"


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (
            "user_id string, shop bigint",
            r"no time column 'at' \(it has \['user_id', 'shop'\]\). Name it with --time-column",
        ),
        ("user_id string, shop bigint, at string", r"'at' is string, not a timestamp with a zone. Cast it"),
        ("user_id string, shop bigint, at timestamp_ntz", r"'at' is timestamp_ntz, not a timestamp with a zone"),
        ("user_id string, shop bigint, at date", r"'at' is date, not a timestamp"),
        ("user_id bigint, shop bigint, at timestamp", r"key 'user_id' is bigint, but view 'spend' has string. Cast it"),
        ("user_id string, shop int, at timestamp", r"key 'shop' is int, but view 'spend' has bigint. Cast it"),
        ("user_id string, at timestamp", r"lacks key 'shop' of view 'spend'"),
        (f"{GOOD}, spend__week double", r"columns named like what is joined to it: \['spend__week'\]"),
        (f"{GOOD}, spend__visits__status string", r"\['spend__visits__status'\]"),
        (f"{GOOD}, spend double", r"\['spend'\]"),
        (f"{GOOD}, Spend__Week double", r"\['Spend__Week'\]"),
        (f"{GOOD}, AT string", r"columns of one name: \['at', 'AT'\]"),
    ],
)
def test_spine_that_cannot_be_joined_is_refused_in_one_line(spark: SparkSession, schema: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        check_spine(spark.createDataFrame([], schema), [VIEW], service=SERVICE, time_column="at")
    assert "\n" not in str(caught.value)


def test_spine_with_keys_time_and_more_is_taken(spark: SparkSession) -> None:
    check_spine(spark.createDataFrame([], f"{GOOD}, label int, week double"), [VIEW], service=SERVICE, time_column="at")


def test_spine_that_is_not_there_is_refused_in_one_line(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no spine at") as caught:
        read_spine(spark, str(tmp_path / "none.parquet"), [VIEW])
    assert "\n" not in str(caught.value)


def test_csv_spine_has_keys_of_the_declared_types_and_times_in_utc(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "spine.csv"
    file.write_text("user_id,shop,at,label\n007,1,2017-10-02 00:00:00,0.5\n,,2017-10-02T02:00:00+02:00,1\n")
    spine = read_spine(spark, str(file), [VIEW])
    check_spine(spine, [VIEW], service=SERVICE, time_column="at")
    midnight_us = to_us(at("2017-10-02"))
    assert_same_rows(spine, [("007", 1, midnight_us, 0.5), (None, None, midnight_us, 1.0)])
    file.write_text("user_id,shop,at\n7,first,2017-10-02 00:00:00\n")
    with pytest.raises(UsageError, match="a row that cannot be read; its keys are to be user_id string, shop bigint"):
        read_spine(spark, str(file), [VIEW])


def test_features_are_laid_out_in_the_order_of_the_service(spark: SparkSession) -> None:
    answer = "status: string, is_simulated: boolean, values: struct<week: double, visits: bigint>"
    rows = [
        ("a", 1, at("2017-10-02"), "x", ("PRESENT", True, (None, 2))),
        ("b", 1, None, "y", ("EXPIRED", False, None)),
        (None, 1, None, "z", ("NOT_FOUND", False, None)),
    ]
    answered = frame(spark, f"{GOOD}, `my label` string, spend struct<{answer}>", rows)
    told = laid_out(answered, answered.drop("spend"), SERVICE, with_status=True)
    names = ["spend__visits", "spend__week"]
    assert told.columns == ["user_id", "shop", "at", "my label", *names, *(f"{name}__status" for name in names)]
    expected = [
        ("x", 2, None, "PRESENT", "NULL"),
        ("y", None, None, "EXPIRED", "EXPIRED"),
        ("z", None, None, "NOT_FOUND", "NOT_FOUND"),
    ]
    assert_same_rows(told.drop("user_id", "shop", "at"), expected)
    plain = laid_out(answered, answered.drop("spend"), SERVICE, with_status=False)
    assert plain.columns == told.columns[:6]


CONTENT = "k int, x double, s string, t timestamp, tags array<string>"
ROW = (1, 0.5, "a", at("2017-10-02"), ["a", "b"])


def hashed(spark: SparkSession, rows: Sequence[tuple[Any, ...]], *, partitions: int = 2) -> str:
    return content_hash(frame(spark, CONTENT, rows, partitions=partitions))


def test_content_hash_does_not_depend_on_order_and_partitions(spark: SparkSession) -> None:
    rows = [ROW, (2, None, "", None, []), (2, None, "", None, []), (3, float("nan"), None, at("1969-12-31"), None)]
    found = {
        hashed(spark, rows),
        hashed(spark, rows[::-1], partitions=3),
        hashed(spark, rows[2:] + rows[:2], partitions=1),
    }
    assert len(found) == 1


def test_content_hash_sees_every_bit(spark: SparkSession) -> None:
    contents = {
        "as it is": [ROW],
        "twice": [ROW, ROW],
        "three times": [ROW, ROW, ROW],
        "none": [],
        "zero": [(1, 0.0, *ROW[2:])],
        "minus zero": [(1, -0.0, *ROW[2:])],
        "null": [(1, None, *ROW[2:])],
        "nan": [(1, float("nan"), *ROW[2:])],
        "infinity": [(1, float("inf"), *ROW[2:])],
        "next double": [(1, 0.5000000000000001, *ROW[2:])],
        "null string": [(1, 0.5, None, *ROW[3:])],
        "word null": [(1, 0.5, "null", *ROW[3:])],
        "empty string": [(1, 0.5, "", *ROW[3:])],
        "microsecond": [(*ROW[:3], at("2017-10-02T00:00:00.000001"), ROW[4])],
        "no array": [(*ROW[:4], None)],
        "empty array": [(*ROW[:4], [])],
        "array of one empty": [(*ROW[:4], [""])],
        "array in other order": [(*ROW[:4], ["b", "a"])],
        "array joined": [(*ROW[:4], ["a,b"])],
    }
    hashes = {name: hashed(spark, rows) for name, rows in contents.items()}
    assert len(set(hashes.values())) == len(contents), hashes


def test_content_hash_of_other_kinds_sees_every_bit(spark: SparkSession) -> None:
    """Floats within arrays, times within arrays, bytes and decimals of another scale."""
    spelled = [
        *[
            "array(0.0D)",
            "array(-0.0D)",
            "array(double('nan'))",
            "array(cast(0.1 as float))",
            "array(double('infinity'))",
        ],
        *["array(timestamp_micros(1))", "array(timestamp_micros(2))", "timestamp_micros(1)", "timestamp_micros(2)"],
        *["unhex('00')", "unhex('')", "unhex('FF')", "unhex('FE')", "1.0BD", "1.00BD", "date'2017-10-02'"],
    ]
    hashes = {text: content_hash(spark.range(1).select(F.expr(text).alias("x"))) for text in spelled}
    # times and numbers of equal spelling may share a hash only when their columns have other types
    assert hashes["array(0.0D)"] != hashes["array(-0.0D)"]
    assert len({hashes[text] for text in spelled}) == len(spelled), hashes
