"""A fake run whose names are those of someone who means harm."""

from pathlib import Path

from rice_ssl.artifacts import RunStore
from tests.fake_attribution import write_attribution
from tests.fakes import write_fake_run

SCRIPT = "<script>alert(1)</script>"
PAIR = "../../<img src=x onerror=alert(2)>"
LABEL = '"><svg onload=alert(3)>'
FORMULA = '=HYPERLINK("http://example.org")'


def write_hostile_run(folder: Path) -> RunStore:
    """A run called a script, with a pair (once ``id_0003``) and a label (once ``blast``) that are markup."""
    store = write_fake_run(folder)
    write_attribution(store)
    names = {"id_0003": PAIR, "id_0007": FORMULA, "blast": LABEL}
    for table in ("manifest", "predictions", "embeddings", "thumbnails", "cams", "attribution", "trust",
                  "map_agreement", "band_evidence"):  # fmt: skip
        frame = store.read_table(table)
        for column in {"pair_id", "label", "prediction", "class_name"} & set(frame.columns):
            frame[column] = frame[column].replace(names)
        if table == "manifest":
            frame["path"] = f"a`b{SCRIPT}\x00.jpg"
        if table == "band_evidence":
            frame["band"] = frame["band"].replace({"red": SCRIPT})
        store.write_table(table, frame)
    document = store.read_document("attribution")
    document["maps"] = [{**kind, "title": f"{kind['title']}{SCRIPT}"} for kind in document["maps"]]
    store.write_document("attribution", document)
    info = store.info()
    store.update_info(
        name=SCRIPT,
        created=SCRIPT,
        weights_from=SCRIPT,
        classes=[names.get(name, name) for name in info["classes"]],
        sensors=[{**sensor, "title": f"{sensor['title']}{SCRIPT}"} for sensor in info["sensors"]],
        hashes={**info["hashes"], f"weights/{SCRIPT.replace('/', '')}.safetensors": {"sha256": SCRIPT, "bytes": 1}},
    )
    return store
