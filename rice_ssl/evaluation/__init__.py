"""Figures and their intervals. Imports no torch: the dashboard uses it."""
