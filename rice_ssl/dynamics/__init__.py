"""What happened in training: drops of the loss, the events they coincide with, and a verdict. Imports no torch."""

from rice_ssl.dynamics.analysis import Dynamics, analyse
from rice_ssl.dynamics.change_points import Drop, find_drops
from rice_ssl.dynamics.csv_log import parse_csv_log
from rice_ssl.dynamics.events import Event, events_of_run
from rice_ssl.dynamics.logs import TrainingLog, log_of_run
from rice_ssl.dynamics.read_log import parse_log, read_log
from rice_ssl.dynamics.recipe import Recipe, entropy_floor
from rice_ssl.dynamics.recipe_settings import recipe_from_mapping
from rice_ssl.dynamics.verdict import Verdict

__all__ = [
    "Drop",
    "Dynamics",
    "Event",
    "Recipe",
    "TrainingLog",
    "Verdict",
    "analyse",
    "entropy_floor",
    "events_of_run",
    "find_drops",
    "log_of_run",
    "parse_csv_log",
    "parse_log",
    "read_log",
    "recipe_from_mapping",
]
