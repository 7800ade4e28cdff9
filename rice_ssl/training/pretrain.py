"""SwAV pretraining on pairs: the loop, its log, its checkpoints."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
from timm.layers import convert_sync_batchnorm
from timm.optim import create_optimizer_v2
from torch import Tensor, nn
from tqdm import tqdm

from rice_ssl.artifacts import RunStore
from rice_ssl.config import EncoderConfig, PretrainConfig
from rice_ssl.errors import TrainingError
from rice_ssl.models.encoder import Encoder
from rice_ssl.models.swav import SwAV
from rice_ssl.models.weights import begin_encoder, save_weights
from rice_ssl.swav.queue import ProjectionQueue
from rice_ssl.training.ahead import OneAhead
from rice_ssl.training.batches import LabelledRows, Pictures, epoch_order, step_generator
from rice_ssl.training.checkpoint import (
    keep_checkpoint,
    load_checkpoint,
    refuse_other_settings,
    save_checkpoint,
    settings_note,
)
from rice_ssl.training.collapse import CollapseWatch
from rice_ssl.training.device import launch, ranks_of_environment
from rice_ssl.training.gradients import checked_gradient_norm
from rice_ssl.training.interrupt import stop_on_signal
from rice_ssl.training.log import MetricLog
from rice_ssl.training.loggers import open_loggers
from rice_ssl.training.objective import Objective, Outputs, sensor_agreement
from rice_ssl.training.online import OnlineKnn, effective_rank, is_better
from rice_ssl.training.timetable import plan_steps
from rice_ssl.training.validation import Validation
from rice_ssl.training.view_plan import Crops, plan_views

STAGE = "pretrain"
JUDGED_FROM = 0.4
"""Share of the steps after which a collapse ends the training; where the queue starts later, from then on."""


@dataclass(frozen=True)
class PretrainData:
    """What pretraining sees: pictures, and the pairs of each split; their classes are for the online kNN alone."""

    pictures: Pictures
    train: LabelledRows
    val: LabelledRows
    sensors: tuple[str, ...]
    image_size: tuple[int, int]


@dataclass
class Progress:
    """Where a training stands; part of its checkpoint. Losses are in nats, NaN before there is one.

    ``best_loss`` is the lowest reference loss of the validation pairs, found at the end of epoch ``best_epoch`` (0 for
    none yet). ``stopped_early`` says that patience ran out.
    """

    step: int = 0
    first_loss: float = math.nan
    last_loss: float = math.nan
    val_loss: float = math.nan
    queue_on: bool = False
    best_loss: float = math.nan
    best_epoch: int = 0
    stopped_early: bool = False


@dataclass(frozen=True)
class PretrainResult:
    """How pretraining ended.

    ``data_wait`` is the share of time that the loop waited for crops; ``prototype_perplexity`` how many prototypes the
    last images were spread over, in [1, K].
    """

    progress: Progress
    steps: int
    seconds: float
    images_per_second: float
    data_wait: float
    prototype_perplexity: float
    effective_views: str
    finished: bool


@dataclass(frozen=True)
class _BatchFigures:
    """What one batch gave: loss and its floor in nats, outputs, codes, and which of its pairs are complete."""

    loss: float
    code_entropy: float
    outputs: Outputs
    codes: list[Tensor]
    complete: Tensor


def build_swav(encoder: EncoderConfig, config: PretrainConfig) -> SwAV:
    """SwAV's network with random weights."""
    return SwAV(
        Encoder(encoder),
        hidden=config.hidden,
        projection=config.projection,
        prototypes=config.prototypes,
        head_norm=config.head_norm,
    )


class Pretraining:
    """One pretraining: begun, or taken up from its newest checkpoint.

    On CPU a resumed training gives the same numbers as one that was not stopped. Under torchrun, the processes share
    every batch: codes, loss, queue and gradients are those of the whole batch. Statistics of batch normalisation are
    shared on GPUs (SyncBatchNorm), and of each process' own part on CPUs, where PyTorch cannot share them.

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
        self.ranks = ranks_of_environment()
        self.plan = plan_views(config, data.train.rows, data.sensors, data.image_size)
        val_plan = plan_views(config, data.val.rows, data.sensors, data.image_size)
        self.time = plan_steps(
            config,
            samples=len(self.plan.rows),
            val_samples=len(val_plan.rows),
            classes=classes,
            ranks=self.ranks,
        )
        self.folder = store.root / "checkpoints" / STAGE
        self._kept_steps = self.time.kept_steps()
        views = len(self.plan.assigned)

        self.fabric = launch(config.accelerator, config.precision, self.ranks)
        torch.manual_seed(seed)
        network = build_swav(encoder, config)
        start = begin_encoder(network.encoder, encoder)
        network.to(memory_format=torch.channels_last)  # twice as fast on CPU
        for side in {config.global_size, config.local_size} if self.plan.local else {config.global_size}:
            network.encoder.refuse_unfit((side, side))
        if self.ranks.world > 1 and self.fabric.device.type == "cuda":
            network = convert_sync_batchnorm(network)
        queue = ProjectionQueue(views, config.queue_length, config.projection, config.batch_size, config.queue)
        optimizer = create_optimizer_v2(network, opt=config.optimizer, lr=config.lr, weight_decay=config.weight_decay)
        self.network: SwAV = network
        module = cast(nn.Module, torch.compile(network)) if config.compile else network
        self.model, self.optimizer = self.fabric.setup(module, optimizer)
        self.precision = self.fabric.strategy.precision
        self.queue = queue.to(self.fabric.device)
        self.watch = CollapseWatch(config.prototypes, views * config.batch_size, self.time.steps)
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}
        rows = hashlib.sha256(self.plan.rows.tobytes()).hexdigest()
        self.settings = settings_note(config, encoder=asdict(encoder), seed=seed, samples=rows, start_weights=start)
        resumed = self._load()

        data.pictures.device = self.fabric.device
        self.objective = Objective(config, views, len(self.plan.local), self.ranks)
        self.validation = Validation(self.objective, val_plan, data.pictures, config.batch_size, seed)
        self.knn = OnlineKnn(data.pictures, data.train, data.val, data.sensors)
        loggers = open_loggers(config.loggers, store, asdict(config), self.progress.step) if self.ranks.leads else []
        self.log = MetricLog(store, STAGE, self.progress.step, writes=self.ranks.leads, loggers=loggers)
        if resumed and not self._ended:
            self._event("resume", f"Taken up from the checkpoint of step {self.progress.step}.")
        if store.exists and self.ranks.leads:
            store.update_info(effective_views=self.plan.effective)
        self._waited = self._spent = 0.0
        self._images_per_step = config.batch_size * config.accumulate * len(set(self.plan.assigned))

    @property
    def _ended(self) -> bool:
        return self.progress.step >= self.time.steps or self.progress.stopped_early

    def run(self, *, show: bool = True, max_minutes: float | None = None, until: int | None = None) -> PretrainResult:
        """Train to the end, or until SIGINT, SIGTERM or the time limit; write ``weights/swav.safetensors`` at the end.

        Args:
            show: whether to show a progress bar.
            max_minutes: stop after that long, with a checkpoint; None for no limit.
            until: stop before that step, without a checkpoint; None for the end.

        Raises:
            TrainingError: the loss is not finite, or training collapsed; the last good checkpoint is kept.
        """
        progress, config, started = self.progress, self.config, time.perf_counter()
        first = progress.step
        bar = tqdm(
            total=self.time.steps, initial=first, unit="step", desc=STAGE, disable=not (show and self.ranks.leads)
        )
        ahead = self._ahead()
        try:
            with stop_on_signal() as stop, bar:
                while not self._ended and (until is None or progress.step < until):
                    self._keep()
                    self._step(ahead)
                    bar.update()
                    speed = (progress.step - first) * self._images_per_step / self._spent
                    bar.set_postfix(loss=f"{progress.last_loss:.3f}", images_per_s=f"{speed:.0f}", refresh=False)
                    if progress.step % self.time.per_epoch == 0:
                        self._end_epoch()
                    over = max_minutes is not None and time.perf_counter() - started > 60 * max_minutes
                    halt = self.ranks.any(stop.asked or over)
                    if halt or self._ended or progress.step % config.checkpoint_every == 0:
                        self._save()
                    if halt:
                        break
            if self._ended:
                self._keep()
        finally:
            ahead.close()
            self.log.close()
        if self._ended and self.ranks.leads:
            if self.best:
                self.network.load_state_dict(self.best)
            save_weights(self.network, self.store.weights_path("swav"))
            self.store.note_hash("weights/swav.safetensors")
        images = (progress.step - first) * self._images_per_step
        return PretrainResult(
            progress=progress,
            steps=self.time.steps,
            seconds=time.perf_counter() - started,
            images_per_second=images / self._spent if self._spent else 0.0,
            data_wait=self._waited / self._spent if self._spent else 0.0,
            prototype_perplexity=self.watch.use()["prototype_perplexity"],
            effective_views=self.plan.effective,
            finished=self._ended,
        )

    def _ahead(self) -> OneAhead[Crops]:
        """Crops of all batches, those of the next one ahead of time where a GPU computes."""
        batches = self.time.steps * self.config.accumulate
        return OneAhead(self.cut, batches, threaded=self.fabric.device.type == "cuda")

    def cut(self, number: int) -> Crops:
        """Crops of a batch, counted from 0 over the whole training: this process' part of them."""
        size, each = self.config.batch_size, self.time.per_epoch * self.config.accumulate
        epoch, at = divmod(number, each)
        samples = epoch_order(len(self.plan.rows), self.seed, epoch)[at * size : (at + 1) * size]
        generator = step_generator(self.seed, number, self.fabric.device)
        return self.plan.crops(self.data.pictures, samples, generator, self.ranks.part(size))

    def _step(self, ahead: OneAhead[Crops]) -> None:
        """One step of training."""
        config, progress, step = self.config, self.progress, self.progress.step
        begun, waited = time.perf_counter(), self._waited
        rate = self.time.set_rates(self.optimizer, step)
        use_queue = step >= self.time.queue_from and self.queue.is_full
        self._announce(step, use_queue)
        self.model.train()
        torch.manual_seed(step_generator(self.seed, step, torch.device("cpu"), purpose=4).initial_seed())  # drop path
        self.optimizer.zero_grad()
        batches = []
        for number in range(config.accumulate):
            waiting = time.perf_counter()
            crops = ahead.take(step * config.accumulate + number)
            self._waited += time.perf_counter() - waiting
            with self.fabric.no_backward_sync(self.model, enabled=number < config.accumulate - 1):
                batches.append(self._backward(crops, self.queue if use_queue else None))
        norm = checked_gradient_norm(self.network, self.optimizer.optimizer, self.precision, step)
        prototypes = self.network.prototypes.weight
        if step < config.freeze_prototypes_steps:
            prototypes.grad = None
        last = batches[-1]
        logged = step % config.log_every == 0 or step == self.time.steps - 1
        reference = self.objective.reference(last.outputs, prototypes) if use_queue and logged else math.nan
        self.optimizer.step()
        self.network.normalise_prototypes()

        loss = sum(batch.loss for batch in batches) / len(batches)
        picks = torch.cat([logits.detach().argmax(dim=1) for logits in last.outputs.logits[: len(self.plan.assigned)]])
        self.watch.note(loss, self.ranks.gather(picks))
        seconds = time.perf_counter() - begun
        self._spent += seconds
        progress.first_loss = loss if step == 0 else progress.first_loss
        progress.last_loss = loss
        if logged:
            floor = self.ranks.mean(sum(batch.code_entropy for batch in batches) / len(batches))[0]
            values = {
                "loss": loss,
                "code_entropy": floor,
                "kl": loss - floor,
                "reference_loss": self.ranks.mean(reference)[0],
                "grad_norm": norm,
                "lr": rate,
                "images_per_second": self._images_per_step / seconds,
                "data_wait": (self._waited - waited) / seconds,
                "sensor_agreement": self._agreement(last),
                "effective_rank": effective_rank(self.ranks.gather(last.outputs.embeddings.float())),
                **self.watch.use(),
            }
            self.log.add(step, step / self.time.per_epoch, "train", **values)
        progress.step += 1

    def _backward(self, crops: Crops, queue: ProjectionQueue | None) -> _BatchFigures:
        """Loss and gradient of one batch."""
        outputs = self.objective.outputs(self.model, (crops.assigned, crops.local))
        fresh = [self.ranks.gather(projection.detach().float()) for projection in outputs.projections]
        if self.queue.before_codes:
            self.queue.push(fresh)
        if not all(bool(torch.isfinite(view).all()) for view in fresh):
            raise self._not_finite(math.nan)
        result, codes = self.objective.loss(outputs, self.network.prototypes.weight, queue)
        loss = self.ranks.mean(float(result.loss.detach()))[0]
        if not math.isfinite(loss):
            raise self._not_finite(loss)
        self.fabric.backward(result.loss / self.config.accumulate)
        if not self.queue.before_codes:
            self.queue.push(fresh)
        return _BatchFigures(loss, result.code_entropy, outputs, codes, crops.complete)

    def _not_finite(self, loss: float) -> TrainingError:
        """What to raise, in every process at the same step, when a loss is no number."""
        self.log.flush()
        return TrainingError(
            f"The pretraining loss became {loss} at step {self.progress.step}: lower pretrain.lr ({self.config.lr:g}), "
            f"or train with precision 32-true. The last checkpoint is kept in {self.folder}."
        )

    def _agreement(self, batch: _BatchFigures) -> float:
        picks = [self.ranks.gather(code.argmax(dim=1)) for code in batch.codes]
        complete = self.ranks.gather(batch.complete.to(self.fabric.device))
        return sensor_agreement(picks, self.plan.assigned, complete)

    def _announce(self, step: int, use_queue: bool) -> None:
        """Note what the recipe switches at this step."""
        for kind, detail in self.time.switches(step):
            self._event(kind, detail)
        if use_queue and not self.progress.queue_on:
            before = self.config.batch_size
            self._event("queue_start", f"Codes from {before} + {self.queue.length} projections, before from {before}.")
            self.progress.queue_on = True

    def _end_epoch(self) -> None:
        """Validate, keep the best, and look for a collapse and the end of patience."""
        config, progress = self.config, self.progress
        epoch, step = progress.step // self.time.per_epoch, progress.step
        self.model.eval()
        queue = self.queue if progress.queue_on else None
        loss, reference = self.ranks.mean(*self.validation.losses(self.model, self.network.prototypes.weight, queue))
        progress.val_loss = loss
        values = {"loss": loss, "reference_loss": reference}
        if config.knn_every and (epoch % config.knn_every == 0 or step == self.time.steps):
            values |= self.knn.accuracy(self.network.encoder)
        self.log.add(step - 1, epoch, "val", **values)
        if (config.patience or config.keep == "best") and is_better(reference, progress.best_loss):
            progress.best_loss, progress.best_epoch = reference, epoch
            if config.keep == "best":
                state = self.network.state_dict()
                self.best = {key: value.detach().cpu().clone() for key, value in state.items()}
        over = bool(config.patience) and epoch - progress.best_epoch >= config.patience and step < self.time.steps
        self._refuse_collapse(at_end=over)
        if over:
            progress.stopped_early = True
            detail = (
                f"No better reference loss for {config.patience} epochs; the best was {progress.best_loss:.3f} nats."
            )
            self._event("early_stop", detail)

    def _refuse_collapse(self, *, at_end: bool) -> None:
        """Raise where the last steps look collapsed; early in training, only where that would be its end."""
        used = self.time.queue_from < self.time.steps
        judged = max(JUDGED_FROM * self.time.steps, self.time.queue_from + self.watch.steps if used else 0)
        fault = self.watch.fault() if at_end or self.progress.step >= judged else None
        if fault is not None:
            self.log.flush()
            raise TrainingError(
                f"Pretraining collapsed at step {self.progress.step}: {fault}. Lower pretrain.epsilon "
                f"({self.config.epsilon:g}; 0.03 is a good try) or change pretrain.lr ({self.config.lr:g}). "
                f"The last checkpoint before is kept in {self.folder}."
            )

    def _event(self, kind: str, detail: str) -> None:
        self.log.event(kind, self.progress.step, self.progress.step / self.time.per_epoch, detail)

    def _parts(self) -> dict[str, Any]:
        """What a checkpoint holds besides progress, the best weights and settings."""
        return {
            "network": self.network,
            "optimizer": self.optimizer,
            "queue": self.queue,
            "watch": self.watch,
            "precision": self.precision,
        }

    def _state(self) -> dict[str, Any]:
        """A checkpoint's content, but for the best weights."""
        content = {name: part.state_dict() for name, part in self._parts().items()}
        return {**content, "best": {}, "progress": asdict(self.progress), "settings": self.settings}

    def _save(self) -> None:
        self.log.flush()
        if self.ranks.leads:
            save_checkpoint(self.folder, {**self._state(), "best": self.best})

    def _keep(self) -> None:
        """Keep a checkpoint for good where the plan says so."""
        if self.ranks.leads and self.progress.step in self._kept_steps:
            keep_checkpoint(self.folder, self._state(), self.progress.step)

    def _load(self) -> bool:
        """Take up the newest checkpoint; False when there is none."""
        state = load_checkpoint(self.folder)
        if state is None:
            return False
        refuse_other_settings(state, self.settings, self.folder)
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.best = state["best"]
        self.progress = Progress(**state["progress"])
        return True
