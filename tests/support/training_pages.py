"""Pages of training sets: one as it should be, one with all there is to show, one of hostile text."""

from __future__ import annotations

from dataclasses import replace

from skewless.site.training import FeatureCoverage, Finding, LabelValue, LeakRow, TrainingPage, ViewAges

_BINS = tuple((f"{day} d to {day + 1} d", max(900 - day * 80, 40)) for day in range(20))

FULL = TrainingPage(
    project="demo",
    environment="prod",
    built_at="2017-10-23 06:00 UTC",
    service="churn_v1",
    rows=12_345,
    headline="2 things to look at in these 12,345 rows.",
    findings=(
        Finding(
            state="warn",
            sentence="household_spend was too old for 7.1 % of the rows: it came too rarely, or its ttl is short.",
        ),
        Finding(state="warn", sentence="Label churned is null in 0.4 % of the rows."),
        Finding(
            state="new",
            sentence="household_spend: 41.2 % of the rows lie before its first publish, so they are simulated.",
        ),
    ),
    facts=(
        ("Rows", "12,345"),
        ("Features", "3 of 2 views"),
        ("Joined", "as served: what a service was given at each row's time"),
        ("Simulated", "41.2 % of the rows, at most"),
        ("As of", "revision 12"),
        ("Rows lie at", "a/rather/long/path/to/a/training/set/of/the/year/2017/churn.parquet"),
    ),
    features=(
        FeatureCoverage(
            name="household_spend:spend_7d",
            rows={"PRESENT": 11_000, "NULL": 45, "NOT_FOUND": 300, "EXPIRED": 1_000},
        ),
        FeatureCoverage(name="household_spend:spend_30d", rows={"PRESENT": 11_045, "NOT_FOUND": 300, "EXPIRED": 1_000}),
        FeatureCoverage(name="last_coupon:used_at", rows={"PRESENT": 12_344, "NOT_FOUND": 1}),
    ),
    views=(
        ViewAges(
            name="household_spend",
            version=2,
            ttl="at 10 d",
            simulated=5_086,
            bins=(*_BINS, ("20 d and more", 210)),
            to_ttl=10,
        ),
        ViewAges(name="last_coupon", version=1, ttl="never", simulated=0, bins=_BINS[:15], to_ttl=None),
    ),
    label="churned",
    label_values=(
        LabelValue(value="0", rows=11_000, test=2_200),
        LabelValue(value="1", rows=1_295, test=245),
    ),
    label_facts=(("Type", "int"), ("Null", "50 rows")),
    split_sentence="A share of 0.2 of the keys is for the test, always the same ones.",
    split_rows={"train": 9_900, "test": 2_445},
    leaks_sentence="By event time alone 812 of 7,259 rows (11.2 %) would have a value that nobody was served.",
    leaks=(
        LeakRow(feature="household_spend:spend_7d", rows=812, appeared=400, vanished=12, changed=400, largest=312.5),
    ),
    pins=(
        ("household_spend/history", 14, "6a0b4d3c-1c1e-4b1a-9d0f-0c5a1d2e3f40"),
        ("household_spend/served", 1_214, "7b0b4d3c-1c1e-4b1a-9d0f-0c5a1d2e3f41"),
    ),
    hashes=(("Content of the rows", "9f" * 32), ("Contract of the service", "1c" * 32)),
    command="skewless rebuild a/rather/long/path/to/a/training/set/churn.parquet.manifest.json --verify",
    manifest_name="churn.parquet.manifest.json",
)

FINE = replace(
    FULL,
    headline="All is fine with these 12,345 rows.",
    findings=(),
    label="",
    label_values=(),
    label_facts=(),
    split_sentence="",
    split_rows={},
    leaks_sentence="",
    leaks=(),
)


def hostile(evil: str) -> TrainingPage:
    """A page of which every text is one that must not be believed."""
    return replace(
        FULL,
        project=evil,
        environment=evil,
        built_at=evil,
        service=evil,
        headline=evil,
        findings=(Finding(state="warn", sentence=evil),),
        facts=((evil, evil),),
        features=(FeatureCoverage(name=evil, rows={"PRESENT": 1}),),
        views=(replace(FULL.views[0], name=evil, ttl=evil, bins=((evil, 1), (evil, 2)), to_ttl=1),),
        label=evil,
        label_values=(LabelValue(value=evil, rows=1, test=0), LabelValue(value=None, rows=1, test=1)),
        label_facts=((evil, evil),),
        leaks_sentence=evil,
        leaks=(replace(FULL.leaks[0], feature=evil),),
        pins=((evil, 1, evil),),
        hashes=((evil, evil),),
        command=evil,
        manifest_name=evil,
    )
