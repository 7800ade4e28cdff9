"""What one would write first: every point of a run's map by ``st.plotly_chart``. For ``tests/benchmarks/map.py``."""

import sys
from pathlib import Path

import plotly.express as px
import streamlit as st

from rice_ssl.artifacts import RunStore


@st.cache_data
def points(run: str):
    store = RunStore(Path(run))
    maps = store.read_table("map", ["method", "dimensions", "seed", "kind", "pair_id", "sensor", "x", "y"])
    first = maps[(maps["kind"] == "image") & (maps["dimensions"] == 2)]
    first = first[(first["method"] == first["method"].iloc[0]) & (first["seed"] == first["seed"].iloc[0])]
    labels = store.read_table("manifest", ["pair_id", "label"]).drop_duplicates("pair_id").set_index("pair_id")["label"]
    return first.assign(label=first["pair_id"].map(labels).fillna("no label"))


found = points(sys.argv[1])
figure = px.scatter(found, x="x", y="y", color="label", symbol="sensor", hover_name="pair_id", render_mode="webgl")
figure.update_layout(dragmode="select")
place = st.empty()
event = st.plotly_chart(figure, on_select="rerun", key="map", config={"scrollZoom": True})
place.markdown(f"{len(event['selection']['points']):,} points selected")
