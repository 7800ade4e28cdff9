"""The console command ``rice-ssl``: one typed function a command."""

from __future__ import annotations

import dataclasses
import json
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rice_ssl import __version__
from rice_ssl.artifacts import RunStore
from rice_ssl.config import Pooling
from rice_ssl.errors import InputError, RiceSSLError

app = typer.Typer(
    help="Pretrain, fine-tune and explain encoders of paired-sensor plant images.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
import_app = typer.Typer(
    help="Make a manifest of images: who is whose twin, and what is wrong with them.", no_args_is_help=True
)
app.add_typer(import_app, name="import")


class _LogUnlessNamed(TyperGroup):
    """`rice-ssl dynamics LOG` is `rice-ssl dynamics log LOG`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command in where none is named."""
        named = not args or args[0] in self.commands or args[0] == "--help"
        return super().parse_args(ctx, args if named else ["log", *args])


dynamics_app = typer.Typer(
    cls=_LogUnlessNamed, help="Find where the loss dropped, and test what made it drop.", no_args_is_help=True
)
app.add_typer(dynamics_app, name="dynamics")

Target = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory, or the YAML file of a run.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, and nothing else there.")]
Progress = Annotated[bool, typer.Option("--progress/--no-progress", help="Show progress bars.")]
Folds = Annotated[int, typer.Option(min=2, max=50, help="Folds, by pair and group, stratified by label.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of every random choice.")]
Out = Annotated[Path | None, typer.Option(help="Folder of the manifest; manifests/NAME of DIR when left out.")]
Findings = Annotated[Path | None, typer.Option("--findings", metavar="CSV", help="Write the findings as CSV too.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with code 2 when there is any finding.")]


def _version(show: bool) -> None:
    if show:
        typer.echo(f"rice-ssl {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Pretrain, fine-tune and explain encoders of paired-sensor plant images."""


def _tell(summary: Any, as_json: bool) -> None:
    """Print a summary for people, or as one JSON object."""
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(summary), default=str))
    else:
        typer.echo(summary.text())
    if not getattr(summary, "finished", True):
        raise typer.Exit(130)


def _manifest_folder(out: Path | None, root: Path) -> Path:
    return Path("manifests") / (root.resolve().name or "images") if out is None else out


def _judge(summary: Any, as_json: bool, strict: bool) -> None:
    _tell(summary, as_json)
    if strict and summary.findings:
        raise typer.Exit(2)


@import_app.command("zindi")
def import_zindi(
    root: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with Train.csv, Test.csv and Images/.")],
    out: Out = None,
    folds: Folds = 5,
    validation_fold: Annotated[int, typer.Option(min=0, help="Fold whose pairs are the validation split.")] = 0,
    seed: Seed = 0,
    test_labels: Annotated[
        Path | None, typer.Option(help="CSV pair_id,label of test pairs, used by evaluate alone.")
    ] = None,
    findings: Findings = None,
    strict: Strict = False,
    progress: Progress = True,
    as_json: Json = False,
) -> None:
    """Import images in the Zindi challenge's layout: id.jpg (RGB) and id_rgn.jpg (RGNIR)."""
    from pipelines.import_images import run_import_zindi

    summary = run_import_zindi(
        root,
        _manifest_folder(out, root),
        folds=folds,
        validation_fold=validation_fold,
        seed=seed,
        test_labels=test_labels,
        findings_csv=findings,
        progress=progress,
    )
    _judge(summary, as_json, strict)


@import_app.command("folder")
def import_folder(
    root: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the images.")],
    sensor: Annotated[
        list[str], typer.Option(metavar="NAME=PATTERN", help="One for each camera, e.g. rgnir='{id}_rgn.jpg'.")
    ],
    labels: Annotated[Path | None, typer.Option(help="CSV pair_id,label[,group][,split].")] = None,
    out: Out = None,
    folds: Folds = 5,
    validation_fold: Annotated[int, typer.Option(min=0, help="Fold whose pairs are the validation split.")] = 0,
    seed: Seed = 0,
    findings: Findings = None,
    strict: Strict = False,
    progress: Progress = True,
    as_json: Json = False,
) -> None:
    """Import images of any two (or more) cameras by their file-name patterns."""
    from pipelines.import_images import run_import_folder
    from rice_ssl.sensors import sensor_from_pattern

    sensors = []
    for entry in sensor:
        name, equals, pattern = entry.partition("=")
        if not equals:
            raise InputError(f"--sensor {entry!r} lacks '=': write NAME=PATTERN, e.g. rgnir='{{id}}_rgn.jpg'.")
        sensors.append(sensor_from_pattern(name, pattern))
    summary = run_import_folder(
        root,
        sensors,
        labels,
        _manifest_folder(out, root),
        folds=folds,
        validation_fold=validation_fold,
        seed=seed,
        findings_csv=findings,
        progress=progress,
    )
    _judge(summary, as_json, strict)


@app.command()
def simulate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make (in the challenge's layout).")],
    pairs: Annotated[int, typer.Option(min=12, help="Pairs to draw.")] = 1200,
    test_fraction: Annotated[float, typer.Option(min=0.0, max=0.9, help="Share of pairs in Test.csv.")] = 0.25,
    seed: Seed = 0,
    progress: Progress = True,
    as_json: Json = False,
) -> None:
    """Draw paired rice leaves with lesion masks (simulated data; it says so in SIMULATED.json)."""
    from pipelines.simulate import simulate as act

    _tell(act(folder, pairs=pairs, test_fraction=test_fraction, seed=seed, progress=progress), as_json)


@app.command("simulate-embeddings")
def simulate_embeddings(
    pairs: Annotated[int, typer.Argument(metavar="N", help="Pairs to draw.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Run directory to make; not there yet, or empty.")],
    dimensions: Annotated[int, typer.Option(help="Of the embeddings.")] = 128,
    prototypes: Annotated[int, typer.Option(help="How many.")] = 300,
    seed: Seed = 0,
    full: Annotated[
        bool, typer.Option("--full", help="Projections and prototype logits, too, beyond 100,000 images.")
    ] = False,
    progress: Progress = True,
    as_json: Json = False,
) -> None:
    """Make a run directory of simulated embeddings, predictions and maps, for tests of scale."""
    from pipelines.simulate_embeddings import simulate_embeddings as act

    made = act(
        pairs,
        out,
        dimensions=dimensions,
        prototypes=prototypes,
        seed=seed,
        full=full or None,
        progress=progress,
    )
    _tell(made, as_json)


def _do(run: Path, stage: str, progress: bool, as_json: bool, max_minutes: float | None = None) -> None:
    """Do one stage of a run, named by its directory or its YAML."""
    from pipelines.configuration import resolve_target

    store, config = resolve_target(run)  # before what takes seconds to load: a mistake is told at once
    from pipelines.run import run_one

    summary = run_one(store, config, stage, progress=progress, max_minutes=max_minutes)
    if summary is not None:  # under torchrun, the first process tells
        _tell(summary, as_json)


@app.command()
def pretrain(
    run: Target,
    max_minutes: Annotated[float | None, typer.Option(min=0.0, help="Stop after that long; resume later.")] = None,
    progress: Progress = True,
    as_json: Json = False,
) -> None:
    """Pretrain the encoder with SwAV on the pairs; resumes where it was stopped."""
    _do(run, "pretrain", progress, as_json, max_minutes)


@app.command()
def finetune(run: Target, progress: Progress = True, as_json: Json = False) -> None:
    """Fine-tune the classifier; resumes where it was stopped."""
    _do(run, "finetune", progress, as_json)


@app.command("cross-validate")
def cross_validate(run: Target, progress: Progress = True, as_json: Json = False) -> None:
    """Train a classifier for each fold, and judge every labelled pair by one that did not see it; resumes."""
    _do(run, "cross-validate", progress, as_json)


@app.command()
def embed(
    run: Target,
    manifest: Annotated[Path | None, typer.Option(help="Manifest folder: begin the run RUN from these images.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Another run, whose weights are used.")] = None,
    progress: Progress = True,
    as_json: Json = False,
) -> None:
    """Embeddings, projections, prototype logits, logits and CAMs of every image."""
    if manifest is None and weights is None:
        _do(run, "embed", progress, as_json)
        return
    if weights is None:
        raise InputError(f"--manifest {manifest} needs weights: name a trained run with --weights RUN.")
    from pipelines.configuration import resolve_target
    from pipelines.embed import run_embed
    from pipelines.prepare import begin_with_weights
    from pipelines.run import refuse_torchrun

    refuse_torchrun("rice-ssl embed --weights")
    other = RunStore(weights)
    with RunStore(run).locked():
        store, config = resolve_target(run) if manifest is None else begin_with_weights(run, manifest, other)
        if "weights_from" not in store.info():
            raise InputError(f"{run} is a run with weights of its own: leave out --weights {weights}.")
        _tell(run_embed(store, config, weights=other, progress=progress), as_json)


@app.command()
def assignments(run: Target, progress: Progress = True, as_json: Json = False) -> None:
    """Which prototype each image of a sample had at every checkpoint that pretraining kept."""
    _do(run, "assignments", progress, as_json)


@app.command("map")
def map_(run: Target, progress: Progress = True, as_json: Json = False) -> None:
    """UMAP, t-SNE and PCA of embeddings, projections and logits, what they are worth, and neighbourhoods of pairs."""
    _do(run, "map", progress, as_json)


@app.command()
def evaluate(run: Target, progress: Progress = True, as_json: Json = False) -> None:
    """Log loss, accuracy, macro F1, confusion and agreement, with bootstrap intervals over pairs."""
    _do(run, "evaluate", progress, as_json)


@app.command()
def channels(run: Target, progress: Progress = True, as_json: Json = False) -> None:
    """What the classifier answers when a band is replaced: by its mean, another pair's, the other sensor's."""
    from pipelines.configuration import resolve_target

    store, config = resolve_target(run)
    from pipelines.channels import run_channels

    store.info()  # a run that is not there has nothing to lock
    with store.locked():
        _tell(run_channels(store, config, progress=progress), as_json)


@app.command()
def attribution(run: Target, progress: Progress = True, as_json: Json = False) -> None:
    """Maps of the evidence in every image, and how far they may be trusted: faithfulness, randomisation, agreement."""
    _do(run, "attribution", progress, as_json)


@app.command()
def card(run: Target, as_json: Json = False) -> None:
    """Write the run's model card, card.md and card.html: data, recipe, figures, known limits."""
    from pipelines.card import run_card
    from pipelines.configuration import resolve_target

    store, _ = resolve_target(run)
    store.info()  # a run that is not there has nothing to lock
    with store.locked():
        _tell(run_card(store), as_json)


@app.command()
def evidence(
    run: Target,
    out: Annotated[Path, typer.Option(metavar="FILE", help="FILE.html, one page; or FILE.zip, PNGs and a CSV.")],
    pairs: Annotated[str | None, typer.Option(metavar="ID,ID", help="Pair ids of the leaves.")] = None,
    worst: Annotated[int | None, typer.Option(metavar="N", help="Leaves whose maps can be trusted least.")] = None,
    disagree: Annotated[int | None, typer.Option(metavar="N", help="Leaves on which the sensors differ most.")] = None,
    as_json: Json = False,
) -> None:
    """Hand on the evidence of up to 200 leaves: pictures, maps and whether to believe them, figures, hashes."""
    from pipelines.configuration import resolve_target
    from pipelines.evidence import run_evidence

    # a run that is there is read whatever its configuration
    store = RunStore(run) if run.is_dir() else resolve_target(run)[0]
    _tell(run_evidence(store, out, pairs=pairs, worst=worst, disagree=disagree), as_json)


@dynamics_app.command("log")
def dynamics_log(
    log: Annotated[
        Path, typer.Argument(metavar="LOG", help="A run directory, its YAML, or a log: CSV, JSON lines, event files.")
    ],
    recipe: Annotated[
        Path | None, typer.Option(help="Log: YAML with queue_start_pct, epochs, steps_per_epoch, ...")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="Log: metric to search, loss when left out.")] = None,
    step_column: Annotated[str | None, typer.Option(help="Log: name of the step or epoch column.")] = None,
    train_column: Annotated[str | None, typer.Option(help="Log: column, key or tag of the training loss.")] = None,
    val_column: Annotated[str | None, typer.Option(help="Log: column, key or tag of the validation loss.")] = None,
    progress: Progress = True,
    as_json: Json = False,
) -> None:
    """Find where the loss dropped, and which event of the recipe it coincides with."""
    from pipelines.configuration import resolve_target
    from pipelines.dynamics import analyse_log, refuse_options, run_dynamics
    from rice_ssl.dynamics.csv_log import named_columns
    from rice_ssl.dynamics.tensorboard_folder import holds_event_files

    is_log = log.is_dir() and not RunStore(log).exists and holds_event_files(log)
    if (log.is_dir() and not is_log) or log.suffix.lower() in {".yaml", ".yml"}:
        options = {"--recipe": recipe, "--metric": metric, "--step-column": step_column}
        refuse_options(log, {**options, "--train-column": train_column, "--val-column": val_column})
        store, config = resolve_target(log)
        store.info()  # a run that is not there has nothing to lock
        with store.locked():
            _tell(run_dynamics(store, config, progress=progress), as_json)
        return
    found = analyse_log(
        log,
        recipe=recipe,
        metric=metric or "loss",
        step_column=step_column,
        loss_columns=named_columns(train_column, val_column),
    )
    _tell(found, as_json)


@dynamics_app.command("test")
def dynamics_test(
    run: Target,
    step: Annotated[int | None, typer.Option(min=1, help="Where to look; the log's largest drop if not.")] = None,
    batches: Annotated[int, typer.Option(min=1, help="Fixed training batches.")] = 4,
    starts: Annotated[int, typer.Option(min=1, help="Random starts of Lanczos on each batch.")] = 2,
    continue_steps: Annotated[
        int | None, typer.Option(min=2, help="Steps to train on with and without the event; 2% of all when left out.")
    ] = None,
    double: Annotated[bool, typer.Option("--double", help="Curvature in float64.")] = False,
    progress: Progress = True,
    as_json: Json = False,
) -> None:
    """Test on kept checkpoints what made a run's loss drop: a switch, learning, or an escaped saddle."""
    from pipelines.configuration import resolve_target
    from pipelines.dynamics_tests import TestSettings, run_dynamics_tests

    store, config = resolve_target(run)
    store.info()  # a run that is not there has nothing to lock
    with store.locked():
        settings = TestSettings(batches, starts, continue_steps, double)
        _tell(run_dynamics_tests(store, config, settings, step=step, progress=progress), as_json)


@app.command()
def submit(
    run: Target,
    out: Annotated[Path | None, typer.Option(help="CSV to write; submission.csv in the run when left out.")] = None,
    sample: Annotated[Path | None, typer.Option(help="SampleSubmission.csv to check against.")] = None,
    as_json: Json = False,
) -> None:
    """Write the challenge's CSV for the test pairs."""
    from pipelines.configuration import resolve_target
    from pipelines.submit import run_submit

    store, config = resolve_target(run)
    _tell(run_submit(store, config, out=out, sample=sample), as_json)


@app.command()
def audit(
    run: Target,
    findings: Findings = None,
    strict: Strict = False,
    progress: Progress = True,
    as_json: Json = False,
) -> None:
    """Find wrong pairs, duplicates, unusual images, shifts between the sensors and likely label errors."""
    from pipelines.audit import run_audit
    from pipelines.configuration import resolve_target
    from pipelines.run import bring_in

    store, config = resolve_target(run)
    with store.locked():
        if not store.exists or not store.has("manifest"):
            bring_in(store, config, progress=progress)
        summary = run_audit(store, config, findings_csv=findings, progress=progress)
    _judge(summary, as_json, strict)


@app.command("import-encoder")
def import_encoder(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="State dictionary of an encoder (.pth).")],
    arch: Annotated[str, typer.Option(help="xresnet34 for fastai's, or a timm name.")],
    out: Annotated[Path | None, typer.Option(help="File to write; FILE with .safetensors when left out.")] = None,
    pooling: Annotated[Pooling, typer.Option(help="How feature maps become embeddings.")] = "concat",
    option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="For timm.create_model, e.g. output_stride=16.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Turn an encoder that fastai or timm trained into weights that a run can begin with."""
    from pipelines.import_encoder import run_import_encoder

    _tell(run_import_encoder(file, arch, out=out, pooling=pooling, options=option or ()), as_json)


@app.command()
def ablate(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The YAML file of an ablation.")],
    max_minutes: Annotated[
        float | None, typer.Option(min=0.0, help="Stop the pretraining at hand after that long.")
    ] = None,
    progress: Progress = True,
    as_json: Json = False,
) -> None:
    """Pretrain every point of a grid, and compare what came of them; resumes, and shares its work with others."""
    from pipelines.configuration import read_ablation_config

    settings = read_ablation_config(config)
    from pipelines.ablate import run_ablate

    summary = run_ablate(settings, progress=progress, max_minutes=max_minutes)
    _tell(summary, as_json)
    if summary.failures:
        raise typer.Exit(2)


@app.command()
def compare(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The YAML file of a comparison.")],
    progress: Progress = True,
    as_json: Json = False,
) -> None:
    """Cross-validate classifiers of each sensor, and of both, and compare them; resumes, and shares its work."""
    from pipelines.configuration import read_comparison_config

    settings = read_comparison_config(config)
    from pipelines.compare import run_compare

    summary = run_compare(settings, progress=progress)
    _tell(summary, as_json)
    if summary.failures:
        raise typer.Exit(2)


@app.command()
def run(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The YAML file of a run.")],
    max_minutes: Annotated[float | None, typer.Option(min=0.0, help="Stop pretraining after that long.")] = None,
    progress: Progress = True,
    as_json: Json = False,
) -> None:
    """Do every stage in order, and skip what is up to date."""
    from pipelines.configuration import read_config

    settings = read_config(config)  # before what takes seconds to load: a mistake is told at once
    from pipelines.run import run_all

    _tell(run_all(settings, progress=progress, max_minutes=max_minutes), as_json)


def main() -> None:
    """Run the command line: a user's mistake is one sentence on stderr and exit code 2."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    try:
        app()
    except RiceSSLError as error:
        typer.echo(f"rice-ssl: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        where = f"{error.filename} " if error.filename else ""
        typer.echo(
            f"rice-ssl: {where}cannot be used ({error.strerror or error}): check the path and its rights.", err=True
        )
        sys.exit(2)
    except SystemExit as ended:
        if isinstance(getattr(ended.__context__, "__cause__", None), KeyboardInterrupt):  # typer's own exit on Ctrl-C
            typer.echo("rice-ssl: stopped; the same command resumes.", err=True)
        raise


if __name__ == "__main__":
    main()
