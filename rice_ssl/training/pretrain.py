"""SwAV pretraining on pairs: the loop, its log, its checkpoints."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from timm.optim import create_optimizer_v2
from tqdm import tqdm

from rice_ssl.artifacts import RunStore
from rice_ssl.config import EncoderConfig, PretrainConfig
from rice_ssl.errors import InputError, TrainingError
from rice_ssl.models.encoder import Encoder
from rice_ssl.models.swav import SwAV
from rice_ssl.models.weights import save_weights
from rice_ssl.swav.queue import ProjectionQueue
from rice_ssl.training.batches import Pictures, Rows, epoch_order, step_generator
from rice_ssl.training.checkpoint import load_checkpoint, refuse_other_settings, save_checkpoint, settings_note
from rice_ssl.training.collapse import CollapseWatch
from rice_ssl.training.device import launch
from rice_ssl.training.gradients import checked_gradient_norm
from rice_ssl.training.interrupt import stop_on_signal
from rice_ssl.training.log import MetricLog
from rice_ssl.training.objective import Objective, sensor_agreement
from rice_ssl.training.schedules import learning_rate, warmup_end
from rice_ssl.training.view_plan import ViewPlan, plan_views

STAGE = "pretrain"
JUDGED_FROM = 0.4
"""Share of the steps after which a collapse ends the training; where the queue starts later, from then on."""


@dataclass(frozen=True)
class PretrainData:
    """What pretraining sees: pictures, and the manifest rows, shape (P, S), -1 for missing, of each split's pairs."""

    pictures: Pictures
    train: Rows
    val: Rows
    sensors: tuple[str, ...]
    image_size: tuple[int, int]


@dataclass
class Progress:
    """Where a training stands; part of its checkpoint. Losses are in nats, NaN before there is one."""

    step: int = 0
    first_loss: float = math.nan
    last_loss: float = math.nan
    val_loss: float = math.nan
    queue_on: bool = False


@dataclass(frozen=True)
class PretrainResult:
    """How pretraining ended.

    ``data_wait`` is the share of time spent on making crops; ``prototype_perplexity`` how many prototypes the last
    images were spread over, in [1, K].
    """

    progress: Progress
    steps: int
    seconds: float
    images_per_second: float
    data_wait: float
    prototype_perplexity: float
    effective_views: str
    finished: bool


def build_swav(encoder: EncoderConfig, config: PretrainConfig) -> SwAV:
    """SwAV's network with random weights."""
    return SwAV(Encoder(encoder), hidden=config.hidden, projection=config.projection, prototypes=config.prototypes)


class Pretraining:
    """One pretraining: begun, or taken up from its newest checkpoint.

    On CPU a resumed training gives the same numbers as one that was not stopped.

    Args:
        store: where checkpoints, log, events and weights go.
        data: pictures and pairs.
        encoder: the network.
        config: the method.
        seed: of weights, order and crops.
        classes: classes of the data, for a check of the number of prototypes; 0 when unknown.

    Raises:
        InputError: settings and data do not fit each other.
        ArtifactError: the newest checkpoint is of other settings, or unreadable.

    Source:
        Caron et al. 2020 (arXiv 2006.09882). Differs: the assigned views of a sample may come from two sensors, the
        queue gives projections only when full, and a step's crops are derived from the seed and the step's number.
    """

    def __init__(
        self,
        store: RunStore,
        data: PretrainData,
        encoder: EncoderConfig,
        config: PretrainConfig,
        *,
        seed: int,
        classes: int = 0,
    ) -> None:
        """Check settings and data, make the network, and take up the newest checkpoint if there is one."""
        self.store, self.data, self.config, self.seed = store, data, config, seed
        self.plan = plan_views(config, data.train, data.sensors, data.image_size)
        count = len(self.plan.rows)
        if count < config.batch_size:
            raise InputError(
                f"pretrain.batch_size is {config.batch_size}, but the training split has {count} samples: "
                f"take at most {count}."
            )
        if config.prototypes < classes:
            raise InputError(
                f"pretrain.prototypes is {config.prototypes}, but there are {classes} classes: take at least {classes}."
            )
        if config.devices > 1:
            raise InputError(f"pretrain.devices is {config.devices}, but pretraining runs on one device yet: take 1.")
        self.per_epoch = count // config.batch_size
        self.steps = self.per_epoch * config.epochs
        self.queue_from = math.ceil(config.queue_start * self.steps)
        self.folder = store.root / "checkpoints" / STAGE

        self.fabric = launch(config.accelerator, config.precision, config.devices)
        torch.manual_seed(seed)
        self.network = build_swav(encoder, config).to(memory_format=torch.channels_last)  # twice as fast on CPU
        for side in {config.global_size, config.local_size} if self.plan.local else {config.global_size}:
            self.network.encoder.refuse_unfit((side, side))
        optimizer = create_optimizer_v2(
            self.network, opt=config.optimizer, lr=config.lr, weight_decay=config.weight_decay
        )
        self.model, self.optimizer = self.fabric.setup(self.network, optimizer)
        self.precision = self.fabric.strategy.precision
        views = len(self.plan.assigned)
        queue = ProjectionQueue(views, config.queue_batches * config.batch_size, config.projection, config.batch_size)
        self.queue = queue.to(self.fabric.device)
        self.watch = CollapseWatch(config.prototypes, views * config.batch_size, self.steps)
        self.progress = Progress()
        rows = hashlib.sha256(self.plan.rows.tobytes()).hexdigest()
        self._settings = settings_note(config, encoder=asdict(encoder), seed=seed, samples=rows)
        resumed = self._load()
        data.pictures.device = self.fabric.device
        self.objective = Objective(config, views, len(self.plan.local))
        self.log = MetricLog(store, STAGE, self.progress.step)
        if resumed and self.progress.step < self.steps:
            self._event("resume", f"Taken up from the checkpoint of step {self.progress.step}.")
        if store.exists:
            store.update_info(effective_views=self.plan.effective)
        self._waited = self._spent = 0.0

    def run(self, *, show: bool = True, max_minutes: float | None = None) -> PretrainResult:
        """Train to the end, or until SIGINT, SIGTERM or the time limit; write ``weights/swav.safetensors`` at the end.

        Args:
            show: whether to show a progress bar.
            max_minutes: stop after that long, with a checkpoint; None for no limit.

        Raises:
            TrainingError: the loss is not finite, or training collapsed; the last good checkpoint is kept.
        """
        progress, started = self.progress, time.perf_counter()
        first, images_per_step = progress.step, self.config.batch_size * len(set(self.plan.assigned))
        bar = tqdm(total=self.steps, initial=progress.step, unit="step", desc=STAGE, disable=not show)
        with stop_on_signal() as stop, bar:
            while progress.step < self.steps:
                self._step()
                bar.update()
                speed = (progress.step - first) * images_per_step / self._spent
                bar.set_postfix(loss=f"{progress.last_loss:.3f}", images_per_s=f"{speed:.0f}", refresh=False)
                if progress.step % self.per_epoch == 0:
                    self._end_epoch()
                over = max_minutes is not None and time.perf_counter() - started > 60 * max_minutes
                due = progress.step == self.steps or progress.step % self.config.checkpoint_every == 0
                if stop.asked or over or due:
                    self._save()
                if stop.asked or over:
                    break
        finished = progress.step >= self.steps
        if finished:
            save_weights(self.network, self.store.weights_path("swav"))
            self.store.note_hash("weights/swav.safetensors")
        images = (progress.step - first) * images_per_step
        return PretrainResult(
            progress=progress,
            steps=self.steps,
            seconds=time.perf_counter() - started,
            images_per_second=images / self._spent if self._spent else 0.0,
            data_wait=self._waited / self._spent if self._spent else 0.0,
            prototype_perplexity=self.watch.use()["prototype_perplexity"],
            effective_views=self.plan.effective,
            finished=finished,
        )

    def _step(self) -> None:
        """One step of training."""
        config, progress = self.config, self.progress
        step, batch_size = progress.step, config.batch_size
        begun = time.perf_counter()
        epoch, at = divmod(step, self.per_epoch)
        samples = epoch_order(len(self.plan.rows), self.seed, epoch)[at * batch_size : (at + 1) * batch_size]
        crops = self.plan.crops(self.data.pictures, samples, step_generator(self.seed, step, self.fabric.device))
        torch.manual_seed(step_generator(self.seed, step, torch.device("cpu"), purpose=4).initial_seed())  # drop path
        self._waited += time.perf_counter() - begun

        rate = learning_rate(step, self.steps, peak=config.lr, warmup=config.warmup, schedule=config.schedule)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if step and step == warmup_end(self.steps, config.warmup):
            self._event("warmup_end", f"Learning rate at its peak of {config.lr:g}.")
        if step and step == config.freeze_prototypes_steps:
            self._event("prototypes_unfrozen", "The prototypes learn from here on.")
        use_queue = step >= self.queue_from and self.queue.is_full
        if use_queue and not progress.queue_on:
            detail = f"Codes from {batch_size} + {self.queue.length} projections, before from {batch_size}."
            self._event("queue_start", detail)
            progress.queue_on = True

        self.model.train()
        prototypes = self.network.prototypes.weight
        try:
            output = self.objective(self.model, prototypes, crops, self.queue if use_queue else None)
            loss = float(output.result.loss.detach())
        except ValueError:  # the codes of projections that are not finite
            loss = math.nan
        if not math.isfinite(loss):
            self.log.flush()
            raise TrainingError(
                f"The pretraining loss became {loss} at step {step}: lower pretrain.lr ({config.lr:g}), or train with "
                f"precision 32-true. The last checkpoint is kept in {self.folder}."
            )
        self.optimizer.zero_grad()
        self.fabric.backward(output.result.loss)
        norm = checked_gradient_norm(self.network, self.optimizer.optimizer, self.precision, step)
        if step < config.freeze_prototypes_steps:
            prototypes.grad = None
        reference = self.objective.reference(output, prototypes) if use_queue else math.nan
        self.optimizer.step()
        self.network.normalise_prototypes()
        self.queue.push([projection.detach().float() for projection in output.projections])

        seconds = time.perf_counter() - begun
        self._spent += seconds
        progress.first_loss = loss if step == 0 else progress.first_loss
        progress.last_loss = loss
        self.watch.note(loss, torch.cat(output.logits[: len(self.plan.assigned)]))
        if step % config.log_every == 0 or step == self.steps - 1:
            self.log.add(
                step,
                step / self.per_epoch,
                "train",
                loss=loss,
                code_entropy=output.result.code_entropy,
                kl=output.result.kl,
                reference_loss=reference,
                grad_norm=norm,
                lr=rate,
                images_per_second=batch_size * len(set(self.plan.assigned)) / seconds,
                data_wait=self._waited / self._spent,
                sensor_agreement=sensor_agreement(output.codes, self.plan.assigned, self.plan.complete(samples)),
                **self.watch.use(),
            )
        progress.step += 1

    def _end_epoch(self) -> None:
        """Validate, and look for a collapse."""
        self._validate()
        queue_used = self.config.queue_start < 1 and self.queue.length > 0
        judged = max(JUDGED_FROM * self.steps, self.queue_from + self.watch.steps if queue_used else 0)
        fault = self.watch.fault() if self.progress.step >= judged else None
        if fault is not None:
            self.log.flush()
            raise TrainingError(
                f"Pretraining collapsed at step {self.progress.step}: {fault}. Lower pretrain.epsilon "
                f"({self.config.epsilon:g}; 0.03 is a good try) or change pretrain.lr ({self.config.lr:g}). "
                f"The last checkpoint before is kept in {self.folder}."
            )

    @torch.no_grad()
    def _validate(self) -> None:
        """Log the validation pairs' loss on crops that never change, as this step has it and without the queue."""
        plan: ViewPlan = plan_views(self.config, self.data.val, self.data.sensors, self.data.image_size)
        count, batch_size = len(plan.rows), self.config.batch_size
        if count < 2:
            return
        self.model.eval()
        prototypes = self.network.prototypes.weight
        losses, references = [], []
        for number, at in enumerate(range(0, count - count % batch_size or 1, batch_size)):
            samples = np.arange(at, min(at + batch_size, count))
            generator = step_generator(self.seed, number, self.fabric.device, purpose=1)
            crops = plan.crops(self.data.pictures, samples, generator)
            output = self.objective(self.model, prototypes, crops, self.queue if self.progress.queue_on else None)
            losses.append(float(output.result.loss))
            references.append(self.objective.reference(output, prototypes))
        self.progress.val_loss = float(np.mean(losses))
        values = {"loss": self.progress.val_loss, "reference_loss": float(np.mean(references))}
        step = self.progress.step - 1
        self.log.add(step, self.progress.step / self.per_epoch, "val", **values)

    def _event(self, kind: str, detail: str) -> None:
        self.log.event(kind, self.progress.step, self.progress.step / self.per_epoch, detail)

    def _parts(self) -> dict[str, Any]:
        """What a checkpoint holds besides progress and settings."""
        return {
            "network": self.network,
            "optimizer": self.optimizer,
            "queue": self.queue,
            "watch": self.watch,
            "precision": self.precision,
        }

    def _save(self) -> None:
        self.log.flush()
        content = {name: part.state_dict() for name, part in self._parts().items()}
        save_checkpoint(self.folder, {**content, "progress": asdict(self.progress), "settings": self._settings})

    def _load(self) -> bool:
        """Take up the newest checkpoint; False when there is none."""
        state = load_checkpoint(self.folder)
        if state is None:
            return False
        refuse_other_settings(state, self._settings, self.folder)
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.progress = Progress(**state["progress"])
        return True
