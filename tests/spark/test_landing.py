"""Landing: files into Delta tables, with the declared columns and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from skewless.core.dtypes import Float64, Int64, String, Timestamp
from skewless.core.source import DeltaSource
from skewless.errors import UsageError
from skewless.spark.landing import append_file, change_rows, read_file
from skewless.spark.read import SourceDrift, SourceMissing, check_schema, head_version, pin, read_source
from tests.support.frames import assert_same_rows, frame, us

pytestmark = pytest.mark.spark

SOURCE = DeltaSource(
    "buys",
    path="raw/buys",
    event_timestamp="bought_at",
    schema={"buy_id": Int64, "bought_at": Timestamp, "amount": Float64, "shop": String},
)
DAY = us("2017-10-02")


def lines(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows) + "\n")
    return path


def test_csv_gives_the_declared_columns_whatever_else_it_has(spark: SparkSession, tmp_path: Path) -> None:
    whole = DeltaSource("b", path="b", event_timestamp="bought_at", schema={"buy_id": Int64, "bought_at": Timestamp})
    file = lines(
        tmp_path / "buys.csv", "buy_id,bought_at", "1,2017-10-02T00:00:00.000001Z", "2,2017-10-02T02:00:00+02:00"
    )
    assert_same_rows(read_file(spark, whole, file), [(1, DAY + 1), (2, DAY)])


def test_parquet_gives_the_declared_columns_in_their_types(spark: SparkSession, tmp_path: Path) -> None:
    rows = frame(
        spark, "more string, shop string, amount int, bought_at timestamp, buy_id int", [("x", "", 3, None, 1)]
    )
    rows.coalesce(1).write.parquet(str(tmp_path / "buys"))
    assert_same_rows(read_file(spark, SOURCE, tmp_path / "buys"), [(1, None, 3.0, "")])


def test_json_lines_keep_null_and_empty_apart(spark: SparkSession, tmp_path: Path) -> None:
    file = lines(
        tmp_path / "buys.jsonl",
        '{"buy_id": 1, "bought_at": "2017-10-02T00:00:00Z", "amount": -0.0, "shop": ""}',
        '{"buy_id": 2, "bought_at": "2017-10-02T00:00:00Z", "amount": 0.5, "shop": null}',
    )
    assert_same_rows(read_file(spark, SOURCE, file), [(1, DAY, -0.0, ""), (2, DAY, 0.5, None)])


@pytest.mark.parametrize(
    ("name", "says"), [("none.csv", "There is no file none.csv"), ("buys.xlsx", "'.xlsx' files cannot be landed")]
)
def test_file_that_cannot_be_landed_is_refused_in_one_line(
    spark: SparkSession, tmp_path: Path, name: str, says: str
) -> None:
    lines(tmp_path / "buys.xlsx", "x")
    with pytest.raises(UsageError, match=says) as caught:
        read_file(spark, SOURCE, tmp_path / name)
    assert "\n" not in str(caught.value)


def test_parquet_without_a_declared_column_is_refused_in_one_line(spark: SparkSession, tmp_path: Path) -> None:
    frame(spark, "buy_id bigint, bought_at timestamp, shop string", []).coalesce(1).write.parquet(
        str(tmp_path / "buys")
    )
    with pytest.raises(SourceDrift, match=r"buys lacks \['amount'\], which source 'buys' declares") as caught:
        read_file(spark, SOURCE, tmp_path / "buys")
    assert "\n" not in str(caught.value)


def test_csv_without_a_declared_column_is_refused_in_one_line(spark: SparkSession, tmp_path: Path) -> None:
    """Never read by place: the shop would become the amount."""
    file = lines(tmp_path / "buys.csv", "buy_id,bought_at,shop", "1,2017-10-02T00:00:00Z,7")
    with pytest.raises(SourceDrift, match=r"lacks \['amount'\]") as caught:
        read_file(spark, SOURCE, file)
    assert "\n" not in str(caught.value)


def test_csv_with_columns_in_another_order_is_read_by_name(spark: SparkSession, tmp_path: Path) -> None:
    file = lines(tmp_path / "buys.csv", "shop,amount,bought_at,buy_id,more", "a,1.5,2017-10-02T00:00:00Z,1,x")
    assert_same_rows(read_file(spark, SOURCE, file), [(1, DAY, 1.5, "a")])


def test_table_is_appended_to_upserted_and_deleted_from_by_key(spark: SparkSession, tmp_path: Path) -> None:
    table, schema = str(tmp_path / "table"), "buy_id bigint, bought_at timestamp, amount double, shop string"
    with pytest.raises(SourceMissing, match="There is no table") as caught:
        change_rows(spark, frame(spark, schema, []), table, ["buy_id"], is_delete=False)
    assert "\n" not in str(caught.value)
    with pytest.raises(SourceMissing, match="Source 'buys' has no"):
        pin(spark, SOURCE, table)
    append_file(frame(spark, schema, [(1, None, 1.0, "a"), (2, None, 2.0, "b"), (3, None, 3.0, "c")]), table)
    landed = pin(spark, SOURCE, table)
    change_rows(
        spark, frame(spark, schema, [(2, None, 22.0, None), (4, None, 4.0, "d")]), table, ["buy_id"], is_delete=False
    )
    change_rows(spark, frame(spark, "buy_id bigint", [(3,), (9,)]), table, ["buy_id"], is_delete=True)
    now = pin(spark, SOURCE, table)
    assert (now.version, now.table_id) == (head_version(spark, table), landed.table_id)
    assert now.version == landed.version + 2
    assert_same_rows(read_source(spark, now), [(1, None, 1.0, "a"), (2, None, 22.0, None), (4, None, 4.0, "d")])
    assert_same_rows(read_source(spark, landed), [(1, None, 1.0, "a"), (2, None, 2.0, "b"), (3, None, 3.0, "c")])
    assert read_source(spark, now).columns == ["buy_id", "event_timestamp", "amount", "shop"]
    check_schema(spark, SOURCE, table)
    other = DeltaSource("buys", path="b", event_timestamp="bought_at", schema={**SOURCE.schema, "amount": Int64})
    with pytest.raises(SourceDrift, match="declares 'amount' as int64, but the table has double") as drift:
        check_schema(spark, other, table)
    assert "\n" not in str(drift.value)
