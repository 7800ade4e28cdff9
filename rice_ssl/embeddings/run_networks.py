"""The trained networks of a run, ready for use."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from rice_ssl.artifacts import RunStore
from rice_ssl.config import RunConfig
from rice_ssl.data.manifest import sensor_from_dict
from rice_ssl.embeddings.extract import Networks
from rice_ssl.errors import ArtifactError
from rice_ssl.models.classifier import build_classifier
from rice_ssl.models.encoder import Encoder
from rice_ssl.models.weights import begin_encoder, load_ready
from rice_ssl.run_config import config_of_run
from rice_ssl.sensors import Sensor
from rice_ssl.training.pretrain import build_swav


@dataclass(frozen=True)
class RunNetworks:
    """A run's networks, and what they were trained as.

    Attributes:
        networks: in evaluation mode, on the device asked for.
        source: the run whose weights they have.
        config: of that run.
        classes: names, in the order of the logits.
        sensors: of the run itself, in order.
    """

    networks: Networks
    source: RunStore
    config: RunConfig
    classes: list[str]
    sensors: list[Sensor]


def load_run_networks(
    store: RunStore, device: torch.device, *, weights: RunStore | None = None, config: RunConfig | None = None
) -> RunNetworks:
    """Load SwAV's network, the classifier's or both; those of an encoder alone where there is neither.

    Args:
        store: the run.
        device: where they shall work.
        weights: another run whose weights are used; where None, the one that the run notes, or itself.
        config: of the run; the one that it notes where None.

    Raises:
        ArtifactError: that run is not there; it has neither SwAV nor classifier weights, nor those of an encoder
            alone; or a file is damaged or of another network.
    """
    source = store.source_of_weights() if weights is None else weights
    if weights is None and not source.exists:
        raise ArtifactError(
            f"{store.root} was made with the weights of the run {source.root}, which is not there. "
            f"Name it where it is now with `rice-ssl embed {store.root} --weights RUN`."
        )
    trained = config if config is not None and source is store else config_of_run(source)
    classes = list(source.info()["classes"])
    sensors = [sensor_from_dict(entry) for entry in store.info()["sensors"]]
    names = [sensor.name for sensor in sensors]
    swav = classifier = None
    if source.weights_path("swav").is_file():
        swav = build_swav(trained.encoder, trained.pretrain)
        _make_ready(swav, source, "swav", "pretrain", device)
    if source.weights_path("classifier").is_file():
        classifier = build_classifier(trained.encoder, trained.finetune, len(classes), names)
        _make_ready(classifier, source, "classifier", "finetune", device)
    encoder = None
    if swav is None and classifier is None:
        if trained.encoder.weights is None:
            raise ArtifactError(f"{source.root} has no weights. Make them with `rice-ssl pretrain {source.root}`.")
        encoder = Encoder(trained.encoder)
        begin_encoder(encoder, trained.encoder)
        encoder.to(device).eval()
    return RunNetworks(Networks(swav, classifier, encoder), source, trained, classes, sensors)


def _make_ready(network: nn.Module, source: RunStore, name: str, stage: str, device: torch.device) -> None:
    """Load the weights called ``name``, which ``stage`` makes, and put the network where it works."""
    made_by = f"rice-ssl {stage} {source.root}"
    load_ready(network, source.checked_weights(name, made_by), device, made_by=made_by)
