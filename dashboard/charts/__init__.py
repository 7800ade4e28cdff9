"""Figures: data in, plotly figure out. No Streamlit here."""
