"""One run's configuration: frozen, validated on creation, written whole into the run directory.

The library takes these dataclasses; only ``pipelines`` reads them from YAML. A wrong value is refused with the field,
its value and the remedy before anything is computed.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
FREE_TO_CHANGE = ("log_every", "checkpoint_every", "keep_checkpoints", "accelerator", "loggers")
"""Settings of a training that change none of its numbers: a training may be resumed with others."""

Pooling = Literal["avg", "max", "concat"]
Views = Literal["paired-augmented", "paired", "rgb-only", "rgnir-only", "mixed"]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
_MOMENT = re.compile(r"(step|epoch) \d{1,9}")


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
        cache: folder in which they are kept, which several runs may share; the run's own when None.
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
    cache: str | None = None

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
        weights: safetensors that the encoder begins with, as ``rice-ssl import-encoder`` makes them; random when None.
    """

    name: str = "resnet34d"
    options: dict[str, int | float | str | bool | list[int]] = field(default_factory=dict)
    pooling: Pooling = "concat"
    weights: str | None = None


@dataclass(frozen=True, config=_STRICT)
class PretrainConfig:
    """SwAV pretraining. Sizes are pixels, scales are fractions of the image's area, angles are degrees.

    Attributes:
        views: which images of a sample are the views; see :mod:`rice_ssl.training.view_plan`.
        batch_size: samples whose codes are computed together; of all processes together.
        accumulate: batches whose gradients make one step; codes are of each batch (and the queue).
        sensor_dropout: probability that one sensor of a sample is left out.
        hue: at most so many turns either way, on images of the bands red, green, blue; ``saturation`` likewise.
        head_norm: normalisation in the projection head; ``layer`` knows no batch, and so no number of processes.
        queue: ``per-view``, or ``original`` as mwalimu-128 was trained; see :mod:`rice_ssl.swav.queue`.
        queue_length: projections for each assigned view, a multiple of ``batch_size``; 0 for none.
        queue_start: a fraction of all steps (1: never), ``"step N"`` or ``"epoch N"``.
        momentum: one-cycle's, at the ends and at the peak of the learning rate; the optimizer's own when None.
        patience: epochs without a better reference loss on the validation pairs that end the training; 0: never.
        keep: weights kept at the end: the last, or the best by that reference loss, which the queue's start leaves as
            it is.
        knn_every: epochs between two online kNN classifications of the validation pairs; 0: never.
        keep_checkpoints: checkpoints kept for good, for `rice-ssl dynamics test` and `rice-ssl assignments`: at so many
            equal distances, and just before and an epoch after each switch of the recipe; 0: none.
        compile: whether torch.compile is used.
        loggers: besides the run directory, which is always written.
    """

    views: Views = "paired-augmented"
    epochs: Count = 20
    batch_size: Annotated[int, Field(ge=2)] = 32
    accumulate: Count = 1
    global_crops: Annotated[int, Field(ge=1, le=4)] = 1
    local_crops: Annotated[int, Field(ge=0, le=8)] = 2
    global_size: Annotated[int, Field(ge=16)] = 96
    local_size: Annotated[int, Field(ge=16)] = 64
    global_scale: tuple[Positive, Positive] = (0.25, 1.0)
    local_scale: tuple[Positive, Positive] = (0.05, 0.3)
    rotation: Annotated[float, Field(ge=0.0, le=180.0)] = 10.0
    jitter: Fraction = 0.3
    blur: Fraction = 0.3
    saturation: Fraction = 0.0
    hue: Annotated[float, Field(ge=0.0, le=0.5)] = 0.0
    sensor_dropout: Fraction = 0.0
    hidden: Count = 512
    head_norm: Literal["batch", "layer"] = "batch"
    projection: Count = 128
    prototypes: Annotated[int, Field(ge=2)] = 64
    temperature: Positive = 0.1
    epsilon: Positive = 0.05
    sinkhorn_rounds: Count = 3
    queue: Literal["per-view", "original"] = "per-view"
    queue_length: Annotated[int, Field(ge=0)] = 256
    queue_start: float | str = 0.5
    freeze_prototypes_steps: Annotated[int, Field(ge=0)] = 0
    optimizer: Literal["adamw", "sgd", "lamb", "lars"] = "adamw"
    lr: Positive = 1e-3
    weight_decay: Annotated[float, Field(ge=0.0)] = 1e-4
    schedule: Literal["cosine", "one-cycle"] = "cosine"
    warmup: Fraction = 0.05
    momentum: tuple[Fraction, Fraction] | None = None
    patience: Annotated[int, Field(ge=0)] = 0
    keep: Literal["last", "best"] = "last"
    knn_every: Annotated[int, Field(ge=0)] = 5
    log_every: Count = 5
    checkpoint_every: Count = 100
    keep_checkpoints: Annotated[int, Field(ge=0, le=1000)] = 0
    precision: Literal["32-true", "16-mixed", "bf16-mixed"] = "32-true"
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    compile: bool = False
    loggers: tuple[Literal["tensorboard", "wandb"], ...] = ()

    def __post_init__(self) -> None:
        """Refuse scale ranges that hold nothing, and settings that do not fit each other."""
        for name in ("global_scale", "local_scale"):
            low, high = getattr(self, name)
            if not low <= high <= 1.0:
                raise ValueError(f"{name} is ({low}, {high}); give 0 < low <= high <= 1")
        start = self.queue_start
        if not (_MOMENT.fullmatch(start) if isinstance(start, str) else 0 <= start <= 1):
            raise ValueError(f"queue_start is {start!r}; give a fraction in [0, 1] (1 is never), 'step N' or 'epoch N'")
        if self.queue_length % self.batch_size:
            nearest = max(1, round(self.queue_length / self.batch_size)) * self.batch_size
            raise ValueError(
                f"queue_length is {self.queue_length}, which is no multiple of batch_size ({self.batch_size}); "
                f"take {nearest}, or 0 for no queue"
            )
        if self.momentum is not None and self.schedule != "one-cycle":
            raise ValueError(
                f"momentum is {self.momentum}, which schedule {self.schedule!r} does not move; "
                "take schedule one-cycle, or leave momentum out"
            )


@dataclass(frozen=True, config=_STRICT)
class FinetuneConfig:
    """The classifier. Angles are degrees, scales are fractions of the image's area, probabilities are in [0, 1].

    Attributes:
        start: where the encoder's weights come from: this run's SwAV weights (or ``swav_run``'s), ``encoder.weights``,
            or random ones.
        swav_run: another run directory whose SwAV weights are the start; this run's own when None.
        sensors: ``shared``: one network judges either sensor's image, a pair's logits are the scaled mean of its
            images'; ``fused``: the embeddings of a pair's images are joined before the last layers, and one may be
            missing; or a sensor's name, whose images alone are learnt from.
        epochs: passes over the training pairs; more where ``least_steps`` asks for them.
        least_steps: steps that are done at least, for trainings on few labels.
        frozen_epochs: epochs in which the head alone learns.
        unfreeze_epochs: epochs between one stage of the encoder and the next one below it beginning to learn; 0: all
            begin together.
        encoder_lr_factor: learning rate of the encoder's last stage, as a factor of the head's.
        layer_decay: learning rate of each stage of the encoder, as a factor of the one above it.
        optimizer: ``ranger`` is fastai's: RAdam with Lookahead.
        momentum: one-cycle's, at the ends and at the peak of the learning rate; the optimizer's own when None.
        hidden: units of a hidden layer in the head; 0: none.
        class_weights: ``balanced`` weighs each class by the inverse of its share; probabilities are then those of
            balanced classes, which costs log loss where the test's classes are not.
        mixup: alpha of the beta distribution of MixUp's share; 0: none. Pairs are mixed, each sensor with itself.
        cutmix: likewise, of CutMix; with both, each is taken for half the batches.
        mix_across: probability that an image is mixed (MixUp) with the other sensor's image of its own pair.
        sensor_dropout: probability that ``fused`` is shown a pair without one of its images.
        ema: decay of the exponential average of weights, which is what is kept; 0: none.
        patience: epochs without a better validation log loss that end the training; 0: never.
        keep: weights kept at the end, where there are validation pairs: of the best epoch by log loss, or the last.
        distill: weight of a teacher's answers against the labels' in [0, 1]; the teacher is the same network, trained
            first by the same recipe on the same pairs (self-distillation).
        distill_temperature: of both answers.
    """

    start: Literal["swav", "encoder", "random"] = "swav"
    swav_run: str | None = None
    sensors: str = "shared"
    epochs: Count = 20
    least_steps: Annotated[int, Field(ge=0)] = 0
    frozen_epochs: Annotated[int, Field(ge=0)] = 1
    unfreeze_epochs: Annotated[int, Field(ge=0)] = 0
    batch_size: Annotated[int, Field(ge=2)] = 32
    optimizer: Literal["adamw", "sgd", "ranger"] = "adamw"
    lr: Positive = 1e-3
    encoder_lr_factor: Positive = 0.3
    layer_decay: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.05
    momentum: tuple[Fraction, Fraction] | None = None
    hidden: Annotated[int, Field(ge=0)] = 0
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.2
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.05
    class_weights: Literal["none", "balanced"] = "none"
    mixup: Annotated[float, Field(ge=0.0)] = 0.0
    cutmix: Annotated[float, Field(ge=0.0)] = 0.0
    mix_across: Fraction = 0.0
    sensor_dropout: Fraction = 0.0
    ema: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    patience: Annotated[int, Field(ge=0)] = 0
    keep: Literal["best", "last"] = "best"
    distill: Fraction = 0.0
    distill_temperature: Positive = 2.0
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
        """Refuse a crop range that holds nothing, a freeze that never ends, and settings that do not fit each other."""
        low, high = self.crop_scale
        if not low <= high <= 1.0:
            raise ValueError(f"crop_scale is ({low}, {high}); give 0 < low <= high <= 1")
        if self.frozen_epochs > self.epochs:
            raise ValueError(f"frozen_epochs is {self.frozen_epochs}, more than epochs ({self.epochs})")
        if self.momentum is not None and self.schedule != "one-cycle":
            raise ValueError(
                f"momentum is {self.momentum}, which schedule {self.schedule!r} does not move; "
                "take schedule one-cycle, or leave momentum out"
            )
        if self.mix_across and self.sensors != "shared":
            raise ValueError(
                f"mix_across is {self.mix_across:g}, but with sensors {self.sensors!r} no image of another sensor is "
                "judged alike; take sensors shared, or leave mix_across out"
            )
        if self.sensor_dropout and self.sensors != "fused":
            raise ValueError(
                f"sensor_dropout is {self.sensor_dropout:g}, which is of sensors fused alone, not {self.sensors!r}; "
                "leave it out"
            )
        if self.swav_run is not None and self.start != "swav":
            raise ValueError(f"swav_run is {self.swav_run!r}, but start is {self.start!r}; take start swav")


@dataclass(frozen=True, config=_STRICT)
class CrossValidationConfig:
    """A classifier for each fold of the labelled pairs, which judges the pairs of that fold.

    The folds are those of ``data.folds``: by group, stratified by label.

    Attributes:
        seeds: of the trainings; logits are the mean over them.
        views: test-time augmentation: how many of an image's mirrored and (from 5 on, where it is square) turned
            versions are judged; logits are the mean over them.
        label_fraction: share of each fold's training pairs that is learnt from, by class; smaller shares are part of
            larger ones.
        inner_folds: where finetune.keep or finetune.patience choose an epoch, it is chosen on one of so many group
            folds of the training pairs, never on the fold that is judged.
        channels: whether each fold's network is also asked about its pairs with a band replaced.
    """

    seeds: tuple[Seed, ...] = (0,)
    views: Annotated[int, Field(ge=1, le=8)] = 4
    label_fraction: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    inner_folds: Annotated[int, Field(ge=2, le=50)] = 5
    channels: bool = False

    def __post_init__(self) -> None:
        """Refuse no seed, or one given twice."""
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds are {list(self.seeds)}; name one or more, each once")


@dataclass(frozen=True, config=_STRICT)
class EmbedConfig:
    """Embeddings, logits and CAMs of every image in one pass.

    Attributes:
        batch_size: images at once.
        thumbnail: long side, in pixels.
        history_images: images at most that `rice-ssl assignments` embeds with each checkpoint that pretraining kept,
            whole pairs in random order; 0: none.
    """

    batch_size: Count = 64
    thumbnail: Annotated[int, Field(ge=32, le=512)] = 200
    history_images: Annotated[int, Field(ge=0)] = 2000
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"


@dataclass(frozen=True, config=_STRICT)
class MapConfig:
    """Maps, both sensors in one fit, and neighbourhoods in the original space.

    Attributes:
        methods: of which maps are made.
        spaces: whose vectors are laid out.
        dimensions: 3 adds a map in three dimensions to the first seed's of UMAP and PCA.
        seeds: maps by UMAP and t-SNE in two dimensions, with the run's seed and those after it.
        fit_at_most: images that UMAP and t-SNE are fitted on; of more, a sample is fitted and the others are laid in.
        neighbours: of UMAP.
        min_dist: of UMAP.
        perplexity: of t-SNE.
        prototype_clusters: by average linkage.
        nearest: pairs of each pair's neighbourhood in either sensor.
    """

    methods: tuple[Literal["umap", "tsne", "pca"], ...] = ("umap", "tsne", "pca")
    spaces: tuple[Literal["embedding", "projection", "logits", "prototype_logits"], ...] = (
        "embedding",
        "projection",
        "logits",
        "prototype_logits",
    )
    dimensions: tuple[Literal[2, 3], ...] = (2, 3)
    seeds: Annotated[int, Field(ge=1, le=10)] = 2
    fit_at_most: Annotated[int, Field(ge=50)] = 100_000
    neighbours: Annotated[int, Field(ge=2)] = 15
    min_dist: Fraction = 0.1
    perplexity: Positive = 30.0
    prototype_clusters: Annotated[int, Field(ge=2)] = 6
    nearest: Annotated[int, Field(ge=1, le=100)] = 10

    def __post_init__(self) -> None:
        """Refuse what is given twice, no method or space, and maps in three dimensions alone."""
        for name in ("methods", "spaces", "dimensions"):
            given = getattr(self, name)
            if not given or len(set(given)) < len(given):
                raise ValueError(f"{name} are {list(given)}; name one or more, each once")
        if 2 not in self.dimensions:
            raise ValueError(f"dimensions are {list(self.dimensions)}; three come beside two: give [2] or [2, 3]")


@dataclass(frozen=True, config=_STRICT)
class EvaluateConfig:
    """Figures and their bootstrap intervals (over pairs)."""

    bootstrap: Annotated[int, Field(ge=100, le=100_000)] = 2000
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95


@dataclass(frozen=True, config=_STRICT)
class AttributionConfig:
    """Maps of the evidence, and how far they may be trusted.

    Attributes:
        pairs: judged pairs that are measured, drawn with the run's seed; 0 for all.
        methods: besides Grad-CAM of the last layer, which ``embed`` makes.
        layers: how many of the encoder's stages get CAMs, counted from the last one.
        batch_size: images at once.
        steps: in which pixels are removed or brought back.
        random_maps: that a map must beat; with 19, the fewest, all of them for p = .05.
        road_images: pairs whose images are measured by ROAD, which solves many linear systems for each; 0 for none.
        randomised_images: pairs whose images are explained under randomised parameters; 0 for none.
        integration_steps: of integrated gradients.
        occlusion: side of the window that is covered, as a share of the picture's short side.
        bootstrap: repetitions, over pairs.
        confidence: of the intervals.
    """

    pairs: Annotated[int, Field(ge=0)] = 250
    methods: tuple[Literal["grad_cam", "grad_cam_plus_plus", "layer_cam", "integrated_gradients", "occlusion"], ...] = (
        "grad_cam",
        "grad_cam_plus_plus",
        "layer_cam",
        "integrated_gradients",
        "occlusion",
    )
    layers: Annotated[int, Field(ge=1, le=4)] = 2
    batch_size: Count = 64
    steps: Annotated[int, Field(ge=2, le=100)] = 10
    random_maps: Annotated[int, Field(ge=19, le=199)] = 19
    road_images: Annotated[int, Field(ge=0)] = 60
    randomised_images: Annotated[int, Field(ge=0)] = 60
    integration_steps: Annotated[int, Field(ge=2, le=1000)] = 16
    occlusion: Annotated[float, Field(gt=0.0, le=0.5)] = 0.2
    bootstrap: Annotated[int, Field(ge=100, le=100_000)] = 2000
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"

    def __post_init__(self) -> None:
        """Refuse no method, or one given twice."""
        if not self.methods or len(set(self.methods)) < len(self.methods):
            raise ValueError(f"methods are {list(self.methods)}; name one or more, each once")
        if not {"grad_cam", "grad_cam_plus_plus", "layer_cam"} & set(self.methods):
            raise ValueError(f"methods are {list(self.methods)}; name one of layers, too, grad_cam say, for its grid")


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
        cross_validation: when given, a classifier is trained for each fold, too.
    """

    name: str
    run: str
    data: DataConfig
    seed: Seed = 0
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    cross_validation: CrossValidationConfig | None = None
    embed: EmbedConfig = field(default_factory=EmbedConfig)
    map: MapConfig = field(default_factory=MapConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    attribution: AttributionConfig = field(default_factory=AttributionConfig)
    dynamics: DynamicsConfig = field(default_factory=DynamicsConfig)


@dataclass(frozen=True, config=_STRICT)
class AblationConfig:
    """A grid of pretrainings that differ in the settings named, and nothing else.

    Attributes:
        name: shown on screen.
        out: the ablation's folder, relative to the working directory; each pretraining is a run directory below it.
        settings: a run's YAML without ``name``, ``run`` and ``seed``.
        grid: dotted setting -> its values, e.g. ``pretrain.views: [rgb-only, paired]``; every combination is a
            condition.
        random: whether the network with random weights is one more condition.
        seeds: of each condition's pretrainings.
        baseline: value of each setting of the grid that the others are compared with; the first of each when empty.
        retrieval_split: pairs on which sensors are compared without labels. Probe and kNN are always judged on
            validation pairs.
        bootstrap: repetitions, over seeds and pairs.
        confidence: of the intervals.
    """

    name: str
    out: str
    settings: dict[str, Any]
    grid: dict[str, list[Any]]
    random: bool = True
    seeds: tuple[Seed, ...] = (0, 1, 2)
    baseline: dict[str, Any] = field(default_factory=dict)
    retrieval_split: Literal["val", "test"] = "val"
    bootstrap: Annotated[int, Field(ge=100, le=100_000)] = 1000
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95

    def __post_init__(self) -> None:
        """Refuse an empty grid, seeds given twice, and a baseline that is no condition."""
        own = sorted({"name", "run", "seed"} & {*self.grid, *self.settings})
        if own:
            raise ValueError(f"settings or grid hold {own[0]!r}, which the ablation gives each network; leave it out")
        for name, values in {**self.settings, **self.grid}.items():
            if not _is_plain(values):
                raise ValueError(
                    f"{name} in settings or grid holds more than text, numbers, lists and mappings; quote it"
                )
        for name, values in self.grid.items():
            if any(values[number] in values[:number] for number in range(1, len(values))):
                raise ValueError(f"grid.{name} is {values}, with a value that is there twice; name each once")
        empty = [name for name, values in self.grid.items() if not values]
        if empty:
            raise ValueError(f"grid.{empty[0]} has no values; name one or more, or leave it out")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds are {list(self.seeds)}; name one or more, each once")
        for name, value in self.baseline.items():
            if value not in self.grid.get(name, []):
                raise ValueError(f"baseline.{name} is {value!r}, which is not in the grid; take one of its values")


@dataclass(frozen=True, config=_STRICT)
class ComparisonConfig:
    """Cross-validated classifiers that differ in the sensors they learn from and in the weights they start from.

    Attributes:
        name: shown on screen.
        out: the comparison's folder, relative to the working directory; each classifier is a run directory below it.
        settings: a run's YAML without ``name``, ``run`` and ``seed``.
        sensors: values of ``finetune.sensors``: ``shared``, ``fused`` and names of sensors.
        starts: values of ``finetune.start``. SwAV weights are pretrained once, on the labelled pairs' images alone.
        finetune: settings of the fine-tuning that differ by start, e.g. ``{random: {lr: 0.002}}``.
        label_fractions: shares of the labels below 1 that ``label_sensors`` learns from too, from each start.
        label_sensors: one of ``sensors``.
        pretrain_folds: folds of the pretraining's own split: one is its validation split, which it does not learn from.
        seed: of the pretraining, and of the bootstrap.
        bootstrap: repetitions, over pairs.
        confidence: of the intervals.
    """

    name: str
    out: str
    settings: dict[str, Any]
    sensors: tuple[str, ...] = ("rgb", "rgnir", "shared", "fused")
    starts: tuple[Literal["swav", "encoder", "random"], ...] = ("swav", "random")
    finetune: dict[Literal["swav", "encoder", "random"], dict[str, Any]] = field(default_factory=dict)
    label_fractions: tuple[Annotated[float, Field(gt=0.0, lt=1.0)], ...] = ()
    label_sensors: str = "shared"
    pretrain_folds: Annotated[int, Field(ge=2, le=50)] = 10
    seed: Seed = 0
    bootstrap: Annotated[int, Field(ge=100, le=100_000)] = 2000
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95

    def __post_init__(self) -> None:
        """Refuse what is given twice or not at all, and settings that the comparison gives."""
        own = sorted({"name", "run", "seed"} & set(self.settings))
        if own:
            raise ValueError(f"settings hold {own[0]!r}, which the comparison gives each run; leave it out")
        for name in ("settings", "finetune"):
            if not _is_plain(getattr(self, name)):
                raise ValueError(f"{name} holds more than text, numbers, lists and mappings; quote it")
        for name in ("sensors", "starts"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise ValueError(f"{name} are {list(values)}; name one or more, each once")
        if len(set(self.label_fractions)) < len(self.label_fractions):
            raise ValueError(f"label_fractions are {list(self.label_fractions)}; name each once")
        if self.label_fractions and self.label_sensors not in self.sensors:
            raise ValueError(f"label_sensors is {self.label_sensors!r}, which is not among sensors; take one of them")


def _is_plain(value: Any) -> bool:
    """Whether a value is what JSON can hold: text, numbers, booleans, nothing, lists, and mappings by text."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(inner) for key, inner in value.items())
    if isinstance(value, (list, tuple)):
        return all(_is_plain(inner) for inner in value)
    return value is None or isinstance(value, (str, int, float, bool))
