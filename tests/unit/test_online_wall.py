from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

CHILD = """
import sys

REFUSED = {"pyspark", "delta", "pandas", "numpy", "pyarrow", "great_expectations", "boto3"}


class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in REFUSED:
            raise ImportError(f"{name} is behind the wall")


sys.meta_path.insert(0, Wall())

from skewless.core.clock import ManualClock
from skewless.core.dtypes import Float64, Int64
from skewless.core.serving import ServedView, ServingManifest
from skewless.core.timeline import Pointer, Revision
from skewless.online import ClientOptions, MemoryStore, OnlineClient


class Rows:
    def to_pydict(self):
        return {"user_id": [1], "event_us": [5], "_state": [""], "spend": [12.5]}


view = ServedView("v", 1, "v__v1", {"user_id": Int64}, {"spend": Float64}, None, None, "f")
store = MemoryStore("demo")
store.ensure_view_table(view)
assert next(store.write_rows(view, 7, [Rows()]))["written"] == 1
store.timeline.write_serving(ServingManifest("demo", "svc", "c", (("v", "spend"),), (view,)))
store.timeline.publish(Revision(1, 6, {"v@1": Pointer("v__v1", 7, 6)}), expected=None)
with OnlineClient(store.transport, ClientOptions(clock=ManualClock(6))) as client:
    vector = client.get("svc", {"user_id": 1})
    assert client.get_many("svc", [{"user_id": 1}]).to_dicts() == [{"user_id": 1, "v:spend": 12.5}]
loaded = REFUSED & {name.split(".")[0] for name in sys.modules}
# whoever only reads needs no definitions
loaded |= {"skewless.core.view", "skewless.core.service", "skewless.core.aggregate"} & set(sys.modules)
print(vector.values["v:spend"], sorted(loaded))
"""


def test_online_client_behind_the_wall_imports_and_serves() -> None:
    child = subprocess.run(
        [sys.executable, "-c", CHILD], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert child.stderr == ""
    assert child.stdout == "12.5 []\n"


def test_online_import_opens_nothing_and_starts_no_thread() -> None:
    code = "import threading, skewless.online; print(threading.active_count())"
    child = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert child.stdout == "1\n"
