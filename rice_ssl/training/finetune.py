"""Fine-tuning of the classifier on the labelled training pairs."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from rice_ssl.artifacts import RunStore, sha256_file
from rice_ssl.config import EncoderConfig, FinetuneConfig
from rice_ssl.errors import InputError, TrainingError
from rice_ssl.models.classifier import Classifier
from rice_ssl.models.encoder import Encoder
from rice_ssl.models.weights import begin_encoder, load_weights, save_weights
from rice_ssl.training.batches import LabelledRows, Pictures, epoch_order, fill_missing, step_generator
from rice_ssl.training.checkpoint import load_checkpoint, refuse_other_settings, save_checkpoint, settings_note
from rice_ssl.training.device import launch
from rice_ssl.training.gradients import checked_gradient_norm
from rice_ssl.training.interrupt import stop_on_signal
from rice_ssl.training.log import MetricLog
from rice_ssl.training.schedules import learning_rate, warmup_end
from rice_ssl.transforms.photometric import PhotometricSettings
from rice_ssl.transforms.views import CropSettings, augmented_crops

STAGE = "finetune"
_EVALUATION_BATCH = 64


@dataclass
class FinetuneProgress:
    """Where fine-tuning stands; part of its checkpoint. Losses in nats."""

    step: int = 0
    last_loss: float = math.nan
    best_log_loss: float = math.inf
    best_accuracy: float = math.nan
    best_epoch: int = -1


@dataclass(frozen=True)
class FinetuneResult:
    """How fine-tuning ended."""

    progress: FinetuneProgress
    steps: int
    seconds: float
    finished: bool


class Finetuning:
    """One fine-tuning: begun, or taken up from its newest checkpoint.

    The epoch with the lowest validation log loss is kept. On CPU a resumed training gives the same numbers as one that
    was not stopped.

    Args:
        store: where checkpoints, log, events and weights go; its SwAV weights are the start where ``config`` says so.
        pictures: decoded pictures.
        train: labelled training pairs.
        val: labelled validation pairs; may be empty, then the last epoch is kept.
        classes: names of the classes.
        image_size: height and width of the pictures.
        encoder: the network.
        config: the recipe.
        seed: of the head's weights, order and crops.

    Raises:
        InputError: there is no labelled pair, one class only, or fewer pairs than a batch.
        ArtifactError: SwAV weights are asked for, but missing or of another network; or the newest checkpoint is of
            other settings, data or SwAV weights, or unreadable.
    """

    def __init__(
        self,
        store: RunStore,
        pictures: Pictures,
        train: LabelledRows,
        val: LabelledRows,
        classes: tuple[str, ...],
        image_size: tuple[int, int],
        encoder: EncoderConfig,
        config: FinetuneConfig,
        *,
        seed: int,
    ) -> None:
        """Check data, make the network from the weights asked for, and take up the newest checkpoint if any."""
        self.store, self.pictures, self.config, self.seed = store, pictures, config, seed
        self.train, self.val = train, val
        count = len(train.targets)
        if count == 0:
            raise InputError(
                "No pair of the training split has a label, so there is nothing to fine-tune on: add labels."
            )
        if len(classes) < 2 or len(set(train.targets.tolist())) < 2:
            raise InputError(f"The training pairs have one class only ({', '.join(classes)}): a classifier needs two.")
        if count < config.batch_size:
            raise InputError(
                f"finetune.batch_size is {config.batch_size}, but {count} labelled training pairs are there: "
                f"take at most {count}."
            )
        photometric = PhotometricSettings(jitter=config.jitter)
        self.crop = CropSettings(image_size, config.crop_scale, config.rotation, True, photometric)
        self.per_epoch = count // config.batch_size
        self.steps = self.per_epoch * config.epochs
        self.thaw = self.per_epoch * config.frozen_epochs
        self.folder = store.root / "checkpoints" / STAGE
        self.fabric = launch(config.accelerator, config.precision)
        torch.manual_seed(seed)
        network = Classifier(Encoder(encoder), len(classes), config.dropout).to(memory_format=torch.channels_last)
        network.encoder.refuse_unfit(image_size)
        start = "random"
        if config.start == "encoder":
            if encoder.weights is None:
                raise InputError("finetune.start is 'encoder', but encoder.weights names no file: name one.")
            start = str(begin_encoder(network.encoder, encoder))
        elif config.start == "swav":
            made_by = f"rice-ssl pretrain {store.root}"
            path = store.checked_weights("swav", made_by)
            load_weights(network.encoder, path, made_by=made_by, prefix="encoder.")
            start = sha256_file(path)
        parts = [part.tobytes() for side in (train, val) for part in (side.rows, side.targets)]
        self._settings = settings_note(
            config,
            encoder=asdict(encoder),
            seed=seed,
            classes=list(classes),
            image_size=list(image_size),
            samples=hashlib.sha256(b"".join(parts)).hexdigest(),
            start_weights=start,
        )
        head = [*network.head.parameters(), network.log_scale]
        groups: list[dict[str, Any]] = [
            {"params": list(network.encoder.parameters()), "factor": config.encoder_lr_factor},
            {"params": head, "factor": 1.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=config.lr, weight_decay=config.weight_decay)
        self.progress = FinetuneProgress()
        self.best: dict[str, Tensor] = {}
        state = load_checkpoint(self.folder)
        if state is not None:
            refuse_other_settings(state, self._settings, self.folder)
            network.load_state_dict(state["network"])
            optimizer.load_state_dict(state["optimizer"])
            self.fabric.strategy.precision.load_state_dict(state["precision"])
            self.best = state["best"]
            self.progress = FinetuneProgress(**state["progress"])
        self.network = network
        self.model, self.optimizer = self.fabric.setup(network, optimizer)
        self.precision = self.fabric.strategy.precision
        pictures.device = self.fabric.device
        self.log = MetricLog(store, STAGE, self.progress.step)
        if state is not None and self.progress.step < self.steps:
            self._event("resume", f"Taken up from the checkpoint of step {self.progress.step}.")

    def run(self, *, show: bool = True) -> FinetuneResult:
        """Train to the end, or until SIGINT or SIGTERM; write ``weights/classifier.safetensors`` at the end.

        Raises:
            TrainingError: the loss is not finite; the last good checkpoint is kept.
        """
        progress, started = self.progress, time.perf_counter()
        bar = tqdm(total=self.steps, initial=progress.step, unit="step", desc=STAGE, disable=not show)
        with stop_on_signal() as stop, bar:
            while progress.step < self.steps:
                self._step()
                bar.update()
                bar.set_postfix(loss=f"{progress.last_loss:.3f}", refresh=False)
                if progress.step % self.per_epoch == 0:
                    self._validate()
                if stop.asked or progress.step == self.steps or progress.step % self.config.checkpoint_every == 0:
                    self._save()
                if stop.asked:
                    break
        finished = progress.step >= self.steps
        if finished:
            if self.best:
                self.network.load_state_dict(self.best)
            save_weights(self.network, self.store.weights_path("classifier"))
            self.store.note_hash("weights/classifier.safetensors")
        return FinetuneResult(progress, self.steps, time.perf_counter() - started, finished)

    def _loss(self, logits: Tensor, joined: Tensor, present: Tensor, targets: Tensor) -> Tensor:
        """Mean over the pictures that are there, plus the pairs' (where a pair has two pictures or more)."""
        smoothing = self.config.label_smoothing
        each = functional.cross_entropy(
            logits.flatten(0, 1),
            targets.repeat_interleave(logits.shape[1]),
            label_smoothing=smoothing,
            reduction="none",
        )
        loss = each[present.flatten()].mean()
        if present.shape[1] > 1:
            loss = loss + functional.cross_entropy(joined, targets, label_smoothing=smoothing)
        return loss

    def _step(self) -> None:
        config, progress = self.config, self.progress
        step = progress.step
        epoch, at = divmod(step, self.per_epoch)
        order = epoch_order(len(self.train.targets), self.seed, epoch)
        chosen = order[at * config.batch_size : (at + 1) * config.batch_size]
        rows = self.train.rows[chosen]
        generator = step_generator(self.seed, step, self.fabric.device, purpose=2)
        torch.manual_seed(
            int(step_generator(self.seed, step, torch.device("cpu"), purpose=3).initial_seed())
        )  # dropout
        crops = [
            augmented_crops(self.pictures.batch(fill_missing(rows)[:, slot]), self.crop, generator)
            for slot in range(rows.shape[1])
        ]
        present = torch.from_numpy(rows >= 0).to(self.fabric.device)
        targets = torch.from_numpy(self.train.targets[chosen]).to(self.fabric.device)
        rate = learning_rate(step, self.steps, peak=config.lr, warmup=config.warmup, schedule=config.schedule)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        if step and step == warmup_end(self.steps, config.warmup):
            self._event("warmup_end", f"Learning rate at its peak of {config.lr:g}.")
        if step and step == self.thaw:
            self._event("encoder_unfrozen", "The encoder learns from here on.")
        self.model.train()
        frozen = step < self.thaw
        if frozen:
            self.network.encoder.eval()
        for parameter in self.network.encoder.parameters():
            parameter.requires_grad_(not frozen)
        logits = self.model(torch.cat(crops)).unflatten(0, (len(crops), -1)).transpose(0, 1)
        joined = self.network.join(logits, present)
        loss = self._loss(logits, joined, present, targets)
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
        progress.last_loss = value
        if step % config.log_every == 0 or step == self.steps - 1:
            accuracy = float((joined.argmax(dim=1) == targets).float().mean())
            self.log.add(step, step / self.per_epoch, "train", loss=value, lr=rate, grad_norm=norm, accuracy=accuracy)
        progress.step += 1

    @torch.no_grad()
    def _validate(self) -> None:
        progress, count = self.progress, len(self.val.targets)
        if count == 0:
            return
        self.model.eval()
        found = []
        for at in range(0, count, _EVALUATION_BATCH):
            rows = self.val.rows[at : at + _EVALUATION_BATCH]
            parts = [self.model(self.pictures.whole(fill_missing(rows)[:, slot])) for slot in range(rows.shape[1])]
            there = torch.from_numpy(rows >= 0).to(self.fabric.device)
            found.append((torch.stack(parts, dim=1), there))
        logits = torch.cat([part for part, _ in found])
        present = torch.cat([there for _, there in found])
        targets = torch.from_numpy(self.val.targets).to(self.fabric.device)
        joined = self.network.join(logits, present)
        log_loss = float(functional.cross_entropy(joined, targets))
        accuracy = float((joined.argmax(dim=1) == targets).float().mean())
        loss = float(self._loss(logits, joined, present, targets))
        epoch = progress.step // self.per_epoch
        self.log.add(progress.step - 1, epoch, "val", loss=loss, log_loss=log_loss, accuracy=accuracy)
        if log_loss < progress.best_log_loss:
            progress.best_log_loss, progress.best_accuracy, progress.best_epoch = log_loss, accuracy, epoch
            self.best = {key: value.detach().cpu().clone() for key, value in self.network.state_dict().items()}

    def _event(self, kind: str, detail: str) -> None:
        self.log.event(kind, self.progress.step, self.progress.step / self.per_epoch, detail)

    def _save(self) -> None:
        self.log.flush()
        state: dict[str, Any] = {
            "network": self.network,
            "optimizer": self.optimizer,
            "precision": self.precision,
        }
        content = {name: part.state_dict() for name, part in state.items()}
        progress = asdict(self.progress)
        save_checkpoint(self.folder, {**content, "best": self.best, "progress": progress, "settings": self._settings})
