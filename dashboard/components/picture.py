"""A figure that can be saved as PNG or SVG, made in the browser: nothing is fetched, and no program is needed."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from dashboard.charts.figures import grounded

_HTML = """
<div>
  <button type="button" data-format="png">Save as PNG</button>
  <button type="button" data-format="svg">Save as SVG</button>
</div>
"""
_CSS = """
div { display: flex; gap: 0.5rem; justify-content: flex-end; }
button {
  font-family: var(--st-font); font-size: 0.875rem; color: var(--st-text-color); background: transparent;
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius); padding: 0.2rem 0.7rem;
  cursor: pointer;
}
button:hover, button:focus-visible { color: var(--st-primary-color); border-color: var(--st-primary-color); }
"""
# Plotly's own camera knows one format: it is told another one for this click, and then its former one again.
_JS = """
export default function ({ data, parentElement }) {
  for (const button of parentElement.querySelectorAll("button")) {
    button.onclick = () => {
      const plot = document.querySelector(`.st-key-${data.figure} .js-plotly-plot`)
      const camera = plot && plot.querySelector('.modebar-btn[data-title^="Download"]')
      if (!camera) return
      const former = plot._context.toImageButtonOptions
      plot._context.toImageButtonOptions = { filename: data.filename, format: button.dataset.format, scale: 2 }
      camera.click()
      plot._context.toImageButtonOptions = former
    }
  }
}
"""
_buttons = st.components.v2.component("rice_ssl_save_figure", html=_HTML, css=_CSS, js=_JS)


def draw(figure: go.Figure, *, key: str, filename: str, alt: str) -> None:
    """Draw a figure with two buttons that save it as it is on screen, in the colours of the theme.

    Args:
        figure: gets the theme's background.
        key: of the figure; letters and underscores.
        filename: of what is saved, without its ending.
        alt: what the figure shows, for who cannot see it.
    """
    st.plotly_chart(
        grounded(figure),
        key=key,
        config={"displaylogo": False, "toImageButtonOptions": {"format": "png", "filename": filename, "scale": 2}},
        alt=alt,
    )
    _buttons(key=f"{key}_save", data={"figure": key, "filename": filename}, height="content")
