"""One run's configuration: frozen, validated on creation, written whole into the run directory.

The library takes these dataclasses; only ``pipelines`` reads them from YAML. A wrong value is refused with the field,
its value and the remedy before anything is computed.
"""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
FREE_TO_CHANGE = ("log_every", "checkpoint_every", "accelerator", "devices")
"""Settings of a training that change none of its numbers: a training may be resumed with others."""

Views = Literal["paired-augmented", "paired", "rgb-only", "rgnir-only", "mixed"]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


@dataclass(frozen=True, config=_STRICT)
class SimulateConfig:
    """Make the images before importing them (simulated rice leaves)."""

    pairs: Annotated[int, Field(ge=12)] = 1200
    test_fraction: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.25
    seed: Seed = 0


@dataclass(frozen=True, config=_STRICT)
class DataConfig:
    """Where the images are and how they are read.

    Attributes:
        root: folder of the images; relative paths are taken from the working directory.
        layout: ``zindi`` (Train.csv, Test.csv, Images/) or ``folder`` (file patterns).
        sensors: for ``folder``: sensor name -> file pattern with ``{id}``.
        labels: for ``folder``: CSV with ``pair_id,label`` (and optionally ``group``, ``split``).
        test_labels: CSV ``pair_id,label`` with the labels of test pairs, used by ``evaluate`` alone.
        simulate: when given, the images are made first.
        validation_fold: fold (of ``folds``) whose pairs are the validation split.
        image_size: height and width, in pixels, at which images are decoded once and kept.
    """

    root: str
    layout: Literal["zindi", "folder"] = "zindi"
    sensors: dict[str, str] = field(default_factory=lambda: {"rgb": "{id}.jpg", "rgnir": "{id}_rgn.jpg"})
    labels: str | None = None
    test_labels: str | None = None
    simulate: SimulateConfig | None = None
    folds: Annotated[int, Field(ge=2, le=50)] = 5
    validation_fold: Annotated[int, Field(ge=0)] = 0
    split_seed: Seed = 0
    image_size: tuple[Annotated[int, Field(ge=16, le=2048)], Annotated[int, Field(ge=16, le=2048)]] = (128, 160)

    def __post_init__(self) -> None:
        """Refuse a validation fold that does not exist."""
        if self.validation_fold >= self.folds:
            raise ValueError(f"validation_fold is {self.validation_fold}, but folds run from 0 to {self.folds - 1}")


@dataclass(frozen=True, config=_STRICT)
class EncoderConfig:
    """A timm encoder by name.

    Attributes:
        name: any timm name; ``xresnet34`` stands for resnet34d.
        options: passed to ``timm.create_model``, e.g. ``channels`` or ``output_stride`` of a ResNet.
        pooling: how the last feature map becomes an embedding; ``concat`` is [max, avg] as fastai has it.
    """

    name: str = "resnet34d"
    options: dict[str, int | float | str | bool | list[int]] = field(default_factory=dict)
    pooling: Literal["avg", "max", "concat"] = "concat"


@dataclass(frozen=True, config=_STRICT)
class PretrainConfig:
    """SwAV pretraining. Sizes are pixels, scales are fractions of the image's area, angles are degrees.

    ``queue_start`` is a fraction of all steps; a value of 1 never uses the queue. ``queue_batches`` is the queue's
    length in batches per assigned view, 0 for none.
    """

    views: Views = "paired-augmented"
    epochs: Count = 20
    batch_size: Annotated[int, Field(ge=2)] = 32
    global_crops: Annotated[int, Field(ge=1, le=4)] = 1
    local_crops: Annotated[int, Field(ge=0, le=8)] = 2
    global_size: Annotated[int, Field(ge=16)] = 96
    local_size: Annotated[int, Field(ge=16)] = 64
    global_scale: tuple[Positive, Positive] = (0.25, 1.0)
    local_scale: tuple[Positive, Positive] = (0.05, 0.3)
    rotation: Annotated[float, Field(ge=0.0, le=180.0)] = 10.0
    jitter: Fraction = 0.3
    blur: Fraction = 0.3
    hidden: Count = 512
    projection: Count = 128
    prototypes: Annotated[int, Field(ge=2)] = 64
    temperature: Positive = 0.1
    epsilon: Positive = 0.05
    sinkhorn_rounds: Count = 3
    queue_batches: Annotated[int, Field(ge=0)] = 8
    queue_start: Fraction = 0.5
    freeze_prototypes_steps: Annotated[int, Field(ge=0)] = 0
    optimizer: Literal["adamw", "sgd", "lamb", "lars"] = "adamw"
    lr: Positive = 1e-3
    weight_decay: Annotated[float, Field(ge=0.0)] = 1e-4
    schedule: Literal["cosine", "one-cycle"] = "cosine"
    warmup: Fraction = 0.05
    log_every: Count = 5
    checkpoint_every: Count = 100
    precision: Literal["32-true", "16-mixed", "bf16-mixed"] = "32-true"
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: Count = 1

    def __post_init__(self) -> None:
        """Refuse scale ranges that hold nothing."""
        for name in ("global_scale", "local_scale"):
            low, high = getattr(self, name)
            if not low <= high <= 1.0:
                raise ValueError(f"{name} is ({low}, {high}); give 0 < low <= high <= 1")


@dataclass(frozen=True, config=_STRICT)
class FinetuneConfig:
    """The classifier: one encoder for all sensors; a pair's logits are the scaled mean of its sensors' logits.

    ``start`` says where the encoder's weights come from: this run's SwAV weights or random ones.
    """

    start: Literal["swav", "random"] = "swav"
    epochs: Count = 20
    frozen_epochs: Annotated[int, Field(ge=0)] = 1
    batch_size: Annotated[int, Field(ge=2)] = 32
    lr: Positive = 1e-3
    encoder_lr_factor: Positive = 0.3
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.05
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.2
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.05
    crop_scale: tuple[Positive, Positive] = (0.5, 1.0)
    rotation: Annotated[float, Field(ge=0.0, le=180.0)] = 15.0
    jitter: Fraction = 0.3
    warmup: Fraction = 0.1
    schedule: Literal["cosine", "one-cycle"] = "one-cycle"
    log_every: Count = 5
    checkpoint_every: Count = 100
    precision: Literal["32-true", "16-mixed", "bf16-mixed"] = "32-true"
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"

    def __post_init__(self) -> None:
        """Refuse a crop range that holds nothing, and a freeze that never ends."""
        low, high = self.crop_scale
        if not low <= high <= 1.0:
            raise ValueError(f"crop_scale is ({low}, {high}); give 0 < low <= high <= 1")
        if self.frozen_epochs > self.epochs:
            raise ValueError(f"frozen_epochs is {self.frozen_epochs}, more than epochs ({self.epochs})")


@dataclass(frozen=True, config=_STRICT)
class EmbedConfig:
    """Embeddings, logits and CAMs of every image in one pass. ``thumbnail`` is the long side in pixels."""

    batch_size: Count = 64
    thumbnail: Annotated[int, Field(ge=32, le=512)] = 200
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"


@dataclass(frozen=True, config=_STRICT)
class MapConfig:
    """2-D maps, both sensors in one fit."""

    methods: tuple[Literal["umap", "tsne", "pca"], ...] = ("umap", "tsne", "pca")
    spaces: tuple[Literal["embedding", "projection", "logits"], ...] = ("embedding", "projection", "logits")
    neighbours: Annotated[int, Field(ge=2)] = 15
    min_dist: Fraction = 0.1
    perplexity: Positive = 30.0
    prototype_clusters: Annotated[int, Field(ge=2)] = 6


@dataclass(frozen=True, config=_STRICT)
class EvaluateConfig:
    """Figures and their bootstrap intervals (over pairs)."""

    bootstrap: Annotated[int, Field(ge=100, le=100_000)] = 2000
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95


@dataclass(frozen=True, config=_STRICT)
class DynamicsConfig:
    """Search for loss drops in the run's own log."""

    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    bootstrap: Annotated[int, Field(ge=100, le=100_000)] = 500


@dataclass(frozen=True, config=_STRICT)
class RunConfig:
    """A run from images to dashboard: one YAML file.

    Attributes:
        name: shown on screen.
        run: the run directory, relative to the working directory.
        seed: every random choice of the run derives from it.
    """

    name: str
    run: str
    data: DataConfig
    seed: Seed = 0
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    embed: EmbedConfig = field(default_factory=EmbedConfig)
    map: MapConfig = field(default_factory=MapConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    dynamics: DynamicsConfig = field(default_factory=DynamicsConfig)
