"""Imports point one way: dashboard -> artifacts <- pipelines -> library."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TORCH = {"torch", "torchvision", "timm", "captum", "lightning"}

TORCH_IN_DASHBOARD = "dashboard/live_network.py"
"""The one module of the dashboard that reaches torch, inside functions: new pictures need a network."""

LIVE = "rice_ssl.attribution.explain"

# folder -> what its modules may not import (directly)
FORBIDDEN = {
    "rice_ssl": {"streamlit", "typer", "yaml", "argparse", "jsonargparse", "pipelines", "dashboard"},
    "rice_ssl/artifacts": TORCH | {"rice_ssl.data", "rice_ssl.models", "rice_ssl.training", "rice_ssl.evaluation"},
    "rice_ssl/evaluation": TORCH,
    "rice_ssl/dynamics": TORCH,
    "rice_ssl/card": TORCH,
    "rice_ssl/evidence": TORCH,
    "rice_ssl/audit": TORCH,
    "pipelines": {"streamlit", "dashboard"},
    "dashboard": TORCH
    | {LIVE, "pipelines", "rice_ssl.models", "rice_ssl.training", "rice_ssl.transforms", "rice_ssl.swav"},
    "dashboard/charts": {"streamlit", "dashboard.access", "dashboard.state"},
}


def imported(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the full name"
            names.add(node.module or "")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def violations(folder: str) -> list[str]:
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        allowed = TORCH | {LIVE} if path == ROOT / TORCH_IN_DASHBOARD else set()
        for name in sorted(imported(path)):
            if any(name == bad or name.startswith(f"{bad}.") for bad in FORBIDDEN[folder] - allowed):
                found.append(f"{path.relative_to(ROOT)} imports {name}")
    return found


@pytest.mark.parametrize("folder", sorted(FORBIDDEN))
def test_no_import_points_the_wrong_way(folder):
    assert violations(folder) == []


def test_only_access_reads_artifacts_in_the_dashboard():
    readers = [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "dashboard").rglob("*.py"))
        if any(name.startswith("rice_ssl.artifacts") for name in imported(path))
    ]
    assert readers == ["dashboard/access.py"]


def test_no_catch_all_module():
    bad = {"utils.py", "helpers.py", "common.py", "misc.py"}
    found = [p for p in ROOT.rglob("*.py") if p.name in bad and ".venv" not in p.parts]
    assert found == []


def test_nothing_unpickles_or_evaluates():
    """Calls that could execute what a file holds; torch.load must say weights_only=True, numpy allow_pickle=False."""
    found = []
    for folder in ("rice_ssl", "pipelines", "dashboard"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call):
                    continue
                name = ast.unparse(node.func)
                given = {k.arg: ast.unparse(k.value) for k in node.keywords}
                unsafe = (
                    name in {"eval", "exec", "pickle.load", "pickle.loads", "joblib.load", "yaml.load"}
                    or (name == "torch.load" and given.get("weights_only") != "True")
                    or (name == "np.load" and given.get("allow_pickle") != "False")
                )
                if unsafe:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno} {name}")
    assert found == []


def test_dashboard_does_not_load_torch():
    """Neither when the app starts, nor when any of its screens does: it starts at once, and works without torch."""
    names = [
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for path in sorted((ROOT / "dashboard").rglob("*.py"))
        if path.name not in {"__init__.py", "app.py"}  # the app runs when it is imported
    ]
    assert TORCH_IN_DASHBOARD.removesuffix(".py").replace("/", ".") in names
    code = f"import sys, {', '.join(names)}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_app_runs_without_torch():
    code = """
import sys
class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'")
sys.meta_path.insert(0, NotInstalled())
sys.argv = ["app.py"]
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("dashboard/app.py", default_timeout=60).run()
sys.exit(0 if not app.exception and app.title[0].value == "Overview" else 1)
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, capture_output=True).returncode == 0
