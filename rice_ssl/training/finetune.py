"""Fine-tuning of the classifier on labelled pairs."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from timm.optim import create_optimizer_v2
from timm.utils.model_ema import ModelEmaV3
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from rice_ssl.artifacts import RunStore, sha256_file
from rice_ssl.config import EncoderConfig, FinetuneConfig
from rice_ssl.errors import InputError, TrainingError
from rice_ssl.models.classifier import PairClassifier, build_classifier, used_slots
from rice_ssl.models.weights import begin_encoder, load_weights, save_weights
from rice_ssl.training.batches import LabelledRows, Pictures, epoch_order, fill_missing, step_generator
from rice_ssl.training.checkpoint import load_checkpoint, refuse_other_settings, save_checkpoint, settings_note
from rice_ssl.training.classifier_loss import balanced_weights, distillation_loss, pair_loss
from rice_ssl.training.device import launch
from rice_ssl.training.gradients import checked_gradient_norm
from rice_ssl.training.interrupt import stop_on_signal
from rice_ssl.training.judging import judge_rows
from rice_ssl.training.log import MetricLog
from rice_ssl.training.schedules import learning_rate, momentum, set_momentum, warmup_end
from rice_ssl.training.thawing import encoder_stages, learning_stages, parameter_groups, thaw
from rice_ssl.transforms.mixing import draw_mix, mix_images, mix_targets
from rice_ssl.transforms.photometric import PhotometricSettings
from rice_ssl.transforms.views import CropSettings, augmented_crops

STAGE = "finetune"
_OPTIMIZERS = {"adamw": "adamw", "sgd": "sgd", "ranger": "lookahead_radam"}
_CROPS, _DROPOUT, _MIX, _MISSING = 2, 3, 4, 5
"""What a step's random choices are for; see :func:`rice_ssl.training.batches.step_generator`."""


@dataclass
class FinetuneProgress:
    """Where fine-tuning stands; part of its checkpoint. Losses in nats."""

    step: int = 0
    last_loss: float = math.nan
    best_log_loss: float = math.inf
    best_accuracy: float = math.nan
    best_epoch: int = -1
    ended_early: bool = False


@dataclass(frozen=True)
class FinetuneResult:
    """How fine-tuning ended."""

    progress: FinetuneProgress
    steps: int
    seconds: float
    finished: bool


@dataclass(frozen=True)
class Task:
    """What is to be learnt.

    Attributes:
        pictures: decoded pictures.
        train: labelled training pairs.
        val: labelled validation pairs; may be empty, then the last epoch is kept.
        classes: names of the classes.
        sensors: names of the sensors, in the order of the pairs' pictures.
    """

    pictures: Pictures
    train: LabelledRows
    val: LabelledRows
    classes: tuple[str, ...]
    sensors: tuple[str, ...]


class _OnCrops(nn.Module):
    """A classifier as it is trained: crops of all sensors in one batch, so that normalisation sees them together."""

    def __init__(self, network: PairClassifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: list[Tensor], present: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of images and pairs, of crops (B, 3, h, w) by sensor."""
        embeddings = self.network.encoder(torch.cat(crops)).unflatten(0, (len(crops), -1)).transpose(0, 1)
        return self.network.judge(embeddings, present)


class Finetuning:
    """One fine-tuning: begun, or taken up from its newest checkpoint.

    On CPU a resumed training gives the same numbers as one that was not stopped.

    Args:
        store: where checkpoints, log, events and weights go.
        task: pictures and labelled pairs; those without a picture of a sensor that is learnt from are left out.
        encoder: the network.
        config: the recipe.
        seed: of the head's weights, order, crops and mixing.
        source: run whose SwAV weights are the start where ``config`` says so; ``store`` when None.
        teacher: gives answers to learn from where ``config.distill`` says so; in evaluation mode.

    Raises:
        InputError: there is no labelled pair, one class only, or fewer pairs than a batch.
        ArtifactError: SwAV weights are asked for, but missing or of another network; or the newest checkpoint is of
            other settings, data or SwAV weights, or unreadable.
    """

    def __init__(
        self,
        store: RunStore,
        task: Task,
        encoder: EncoderConfig,
        config: FinetuneConfig,
        *,
        seed: int,
        source: RunStore | None = None,
        teacher: PairClassifier | None = None,
    ) -> None:
        """Check data, make the network from the weights asked for, and take up the newest checkpoint if any."""
        self.store, self.pictures, self.config, self.seed, self.teacher = store, task.pictures, config, seed, teacher
        slots = used_slots(config, task.sensors)
        self.train, self.val = _of_slots(task.train, slots), _of_slots(task.val, slots)
        self.classes = len(task.classes)
        count = len(self.train.targets)
        _refuse_untrainable(self.train, task.classes, config)
        self.size = task.pictures.size
        photometric = PhotometricSettings(jitter=config.jitter)
        self.crop = CropSettings(self.size, config.crop_scale, config.rotation, True, photometric)
        self.per_epoch = count // config.batch_size
        self.steps = self.per_epoch * max(config.epochs, math.ceil(config.least_steps / self.per_epoch))
        self.folder = store.root / "checkpoints" / STAGE
        self.fabric = launch(config.accelerator, config.precision)
        torch.manual_seed(seed)
        network = build_classifier(encoder, config, self.classes, task.sensors).to(memory_format=torch.channels_last)
        network.encoder.refuse_unfit(self.size)
        start = _begin(network, encoder, config, source or store)
        parts = [part.tobytes() for side in (self.train, self.val) for part in (side.rows, side.targets)]
        self._settings = settings_note(
            config,
            encoder=asdict(encoder),
            seed=seed,
            classes=list(task.classes),
            image_size=list(self.size),
            samples=hashlib.sha256(b"".join(parts)).hexdigest(),
            start_weights=start,
        )
        self.stages = encoder_stages(network.encoder)
        inside = {id(parameter) for parameter in network.encoder.parameters()}
        head = [parameter for parameter in network.parameters() if id(parameter) not in inside]
        groups = parameter_groups(
            self.stages, head, encoder_factor=config.encoder_lr_factor, layer_decay=config.layer_decay
        )
        optimizer = create_optimizer_v2(
            groups,
            opt=_OPTIMIZERS[config.optimizer],
            lr=config.lr,
            weight_decay=config.weight_decay,
        )
        self.progress = FinetuneProgress()
        self.best: dict[str, Tensor] = {}
        self.network = network
        self.model, self.optimizer = self.fabric.setup(_OnCrops(network), optimizer)
        self.average = ModelEmaV3(network, decay=config.ema, use_warmup=True) if config.ema > 0 else None
        self.precision = self.fabric.strategy.precision
        state = load_checkpoint(self.folder)
        if state is not None:
            refuse_other_settings(state, self._settings, self.folder)
            self._take_up(state)
        self.pictures.device = self.fabric.device
        if teacher is not None:
            teacher.to(self.fabric.device).eval()
        weights = balanced_weights(self.train.targets, self.classes) if config.class_weights == "balanced" else None
        self.class_weights = None if weights is None else weights.to(self.fabric.device)
        self.log = MetricLog(store, STAGE, self.progress.step)
        if state is not None and not self._ended():
            self._event("resume", f"Taken up from the checkpoint of step {self.progress.step}.")

    def _take_up(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint; after the network was put on its device, as an optimizer's state follows that."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.precision.load_state_dict(state["precision"])
        if self.average is not None:
            self.average.module.load_state_dict(state["average"])
        self.best = state["best"]
        self.progress = FinetuneProgress(**state["progress"])

    def run(self, *, show: bool = True, description: str = STAGE) -> FinetuneResult:
        """Train to the end, or until SIGINT or SIGTERM; write ``weights/classifier.safetensors`` at the end.

        Raises:
            TrainingError: the loss is not finite; the last good checkpoint is kept.
        """
        progress, started = self.progress, time.perf_counter()
        bar = tqdm(total=self.steps, initial=progress.step, unit="step", desc=description, disable=not show)
        with stop_on_signal() as stop, bar:
            while not self._ended():
                self._step()
                bar.update()
                bar.set_postfix(loss=f"{progress.last_loss:.3f}", refresh=False)
                if progress.step % self.per_epoch == 0:
                    self._validate()
                if stop.asked or self._ended() or progress.step % self.config.checkpoint_every == 0:
                    self._save()
                if stop.asked:
                    break
        finished = self._ended()
        if finished:
            final = self.judging_network()
            if self.best and self.config.keep == "best":
                final.load_state_dict(self.best)
            save_weights(final, self.store.weights_path("classifier"))
            self.store.note_hash("weights/classifier.safetensors")
        return FinetuneResult(progress, self.steps, time.perf_counter() - started, finished)

    def judging_network(self) -> PairClassifier:
        """The network that pairs are judged with: the averaged weights where the recipe asks for them."""
        return self.network if self.average is None else cast(PairClassifier, self.average.module)

    def _ended(self) -> bool:
        return self.progress.step >= self.steps or self.progress.ended_early

    def _step(self) -> None:
        config, progress = self.config, self.progress
        step = progress.step
        epoch, at = divmod(step, self.per_epoch)
        order = epoch_order(len(self.train.targets), self.seed, epoch)
        chosen = order[at * config.batch_size : (at + 1) * config.batch_size]
        rows = self.train.rows[chosen]
        torch.manual_seed(self._generator(step, _DROPOUT).initial_seed())
        crops, present, targets = self._batch(rows, self.train.targets[chosen], step)
        rate = self._set_rates(step)
        if step and step == warmup_end(self.steps, config.warmup):
            self._event("warmup_end", f"Learning rate at its peak of {config.lr:g}.")
        self.model.train()
        self._thaw(step)
        logits, joined = self.model(crops, present)
        loss = pair_loss(logits, joined, present, targets, smoothing=config.label_smoothing, weights=self.class_weights)
        if self.teacher is not None and config.distill > 0:
            with torch.no_grad():
                taught = _OnCrops(self.teacher)(crops, present)
            from_teacher = distillation_loss(logits, joined, present, taught, config.distill_temperature)
            loss = (1 - config.distill) * loss + config.distill * from_teacher
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(
                f"The fine-tuning loss became {value} at step {step}: lower finetune.lr ({config.lr:g}), or train with "
                f"precision 32-true. The last checkpoint is kept in {self.folder}."
            )
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        norm = checked_gradient_norm(self.network, self.optimizer.optimizer, self.precision, step)
        self.optimizer.step()
        if self.average is not None:
            self.average.update(self.network, step=step)
        progress.last_loss = value
        if step % config.log_every == 0 or step == self.steps - 1:
            accuracy = float((joined.argmax(dim=1) == targets.argmax(dim=1)).float().mean())
            self.log.add(step, step / self.per_epoch, "train", loss=value, lr=rate, grad_norm=norm, accuracy=accuracy)
        progress.step += 1

    def _generator(self, step: int, purpose: int, *, device: torch.device | None = None) -> torch.Generator:
        return step_generator(self.seed, step, device or torch.device("cpu"), purpose=purpose)

    def _batch(self, rows: Any, classes: Any, step: int) -> tuple[list[Tensor], Tensor, Tensor]:
        """Crops by sensor, which of them count, and class probabilities of a step's pairs."""
        config, device = self.config, self.fabric.device
        generator = self._generator(step, _CROPS, device=device)
        crops = [
            augmented_crops(self.pictures.batch(fill_missing(rows)[:, slot]), self.crop, generator)
            for slot in range(rows.shape[1])
        ]
        present = torch.from_numpy(rows >= 0)
        if config.sensor_dropout > 0:
            present = _leave_out(present, config.sensor_dropout, self._generator(step, _MISSING))
        targets = functional.one_hot(torch.from_numpy(classes), self.classes).to(device, torch.float32)
        if config.mixup > 0 or config.cutmix > 0 or config.mix_across > 0:
            mix = draw_mix(
                torch.from_numpy(rows >= 0),
                self.size,
                mixup=config.mixup,
                cutmix=config.cutmix,
                across=config.mix_across,
                generator=self._generator(step, _MIX),
            )
            crops, targets = mix_images(crops, mix), mix_targets(targets, mix)
        return crops, present.to(device), targets

    def _set_rates(self, step: int) -> float:
        """Give every group its learning rate, and its momentum where that moves; return the head's."""
        config = self.config
        rate = learning_rate(step, self.steps, peak=config.lr, warmup=config.warmup, schedule=config.schedule)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
            if config.momentum is not None:
                set_momentum(group, momentum(step, self.steps, between=config.momentum, warmup=config.warmup))
        return rate

    def _thaw(self, step: int) -> None:
        """Let the stages learn that the epoch allows, and note when one begins to."""
        freeze, every = self.config.frozen_epochs, self.config.unfreeze_epochs
        epoch = step // self.per_epoch
        learning, before = (
            learning_stages(when, len(self.stages), frozen_epochs=freeze, unfreeze_epochs=every)
            for when in (epoch, epoch - 1)
        )
        thaw(self.network.encoder, self.stages, learning)
        if step and step % self.per_epoch == 0 and learning > before:
            part = "" if learning == len(self.stages) else f"last {learning} of {len(self.stages)} stages"
            told = f"The encoder's {part} learn" if part else "The encoder learns"
            self._event("encoder_unfrozen", f"{told} from here on.")

    @torch.no_grad()
    def _validate(self) -> None:
        progress = self.progress
        if len(self.val.targets) == 0:
            return
        logits, joined = judge_rows(self.judging_network(), self.pictures, self.val.rows)
        targets = torch.from_numpy(self.val.targets)
        log_loss = float(functional.cross_entropy(joined, targets))
        accuracy = float((joined.argmax(dim=1) == targets).float().mean())
        shares = functional.one_hot(targets, self.classes).to(joined.dtype)
        present = torch.from_numpy(self.val.rows >= 0)
        loss = float(pair_loss(logits, joined, present, shares, smoothing=self.config.label_smoothing))
        epoch = progress.step // self.per_epoch
        self.log.add(progress.step - 1, epoch, "val", loss=loss, log_loss=log_loss, accuracy=accuracy)
        if log_loss < progress.best_log_loss:
            progress.best_log_loss, progress.best_accuracy, progress.best_epoch = log_loss, accuracy, epoch
            state = self.judging_network().state_dict()
            self.best = {key: value.detach().cpu().clone() for key, value in state.items()}
        elif 0 < self.config.patience <= epoch - progress.best_epoch and progress.step < self.steps:
            progress.ended_early = True
            self._event("early_stop", f"No better validation log loss for {self.config.patience} epochs.")

    def _event(self, kind: str, detail: str) -> None:
        self.log.event(kind, self.progress.step, self.progress.step / self.per_epoch, detail)

    def _save(self) -> None:
        self.log.flush()
        content: dict[str, Any] = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "precision": self.precision.state_dict(),
            "best": self.best,
            "progress": asdict(self.progress),
            "settings": self._settings,
        }
        if self.average is not None:
            content["average"] = self.average.module.state_dict()
        save_checkpoint(self.folder, content)


def fine_tune(
    store: RunStore,
    task: Task,
    encoder: EncoderConfig,
    config: FinetuneConfig,
    *,
    seed: int,
    source: RunStore | None = None,
    show: bool = True,
    description: str = STAGE,
) -> FinetuneResult:
    """Train a classifier to the end, and its teacher before it where the recipe is one of self-distillation.

    The teacher learns from the same pairs, by the same recipe; it is kept beside the checkpoints.

    Returns:
        How the training ended that was at hand; not finished where the teacher's was stopped.

    Raises:
        As :class:`Finetuning` and its ``run``.
    """
    teacher = None
    if config.distill > 0:
        beside = RunStore(store.root / "checkpoints" / STAGE / "teacher")
        plain = replace(config, distill=0.0)
        first = Finetuning(beside, task, encoder, plain, seed=seed, source=source or store)
        done = first.run(show=show, description=f"{description}, teacher")
        if not done.finished:
            return done
        teacher = first.judging_network()
    training = Finetuning(store, task, encoder, config, seed=seed, source=source, teacher=teacher)
    return training.run(show=show, description=description)


def _of_slots(pairs: LabelledRows, slots: Sequence[int]) -> LabelledRows:
    """The pairs with a picture in one of some places, and those pictures alone."""
    rows = pairs.rows[:, list(slots)]
    kept = (rows >= 0).any(axis=1)
    return LabelledRows(rows[kept], pairs.targets[kept])


def _refuse_untrainable(train: LabelledRows, classes: Sequence[str], config: FinetuneConfig) -> None:
    count = len(train.targets)
    if count == 0:
        raise InputError(
            "No pair of the training split has a label, so there is nothing to fine-tune on: add labels."
            if config.sensors in {"shared", "fused"}
            else f"No labelled training pair has an image of {config.sensors}: take another of finetune.sensors."
        )
    if len(classes) < 2 or len(np.unique(train.targets)) < 2:
        raise InputError(f"The training pairs have one class only ({', '.join(classes)}): a classifier needs two.")
    if count < config.batch_size:
        raise InputError(
            f"finetune.batch_size is {config.batch_size}, but {count} labelled training pairs are there: "
            f"take at most {count}."
        )


def _begin(network: PairClassifier, encoder: EncoderConfig, config: FinetuneConfig, source: RunStore) -> str:
    """Give the encoder the weights that it starts from; what they are, as text."""
    if config.start == "encoder":
        if encoder.weights is None:
            raise InputError("finetune.start is 'encoder', but encoder.weights names no file: name one.")
        return str(begin_encoder(network.encoder, encoder))
    if config.start == "swav":
        made_by = f"rice-ssl pretrain {source.root}"
        path = source.checked_weights("swav", made_by)
        load_weights(network.encoder, path, made_by=made_by, prefix="encoder.")
        return sha256_file(path)
    return "random"


def _leave_out(present: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Leave one image out of some of the pairs that have several, shape (B, S)."""
    count, slots = present.shape
    left_out = torch.randint(slots, (count,), generator=generator)
    chosen = (torch.rand(count, generator=generator) < probability) & (present.sum(dim=1) == slots) & (slots > 1)
    mask = torch.nn.functional.one_hot(left_out, slots).bool() & chosen[:, None]
    return present & ~mask
