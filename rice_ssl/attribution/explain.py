"""What a run's networks say of pictures that are not in the run: one pair, or one image of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import softmax
from torch import Tensor

from rice_ssl.artifacts import RunStore
from rice_ssl.attribution.baseline_maps import centred_gaussian, random_maps
from rice_ssl.attribution.explained import Explained, ExplainedImage, MapTrust, Values
from rice_ssl.attribution.faithfulness import deletion_insertion
from rice_ssl.attribution.removal import blurred
from rice_ssl.embeddings.extract import Networks, embed_batch
from rice_ssl.embeddings.run_networks import RunNetworks, load_run_networks
from rice_ssl.errors import InputError
from rice_ssl.models.classifier import FusedClassifier, used_slots
from rice_ssl.run_config import config_of_run
from rice_ssl.transforms.views import normalise, to_unit


class RunExplainer:
    """A run's networks, ready to be asked.

    Args:
        folder: of the run.
        device: where they shall work.

    Attributes:
        size: height and width of the pictures that the run's networks see, in pixels.
        sensors: names of the run's sensors, in order.
        judges: whether there is a classifier.

    Raises:
        ArtifactError: see :func:`rice_ssl.embeddings.run_networks.load_run_networks`.
        InputError: the run's configuration does not validate.
    """

    def __init__(self, folder: Path, device: torch.device | None = None) -> None:
        """Load them."""
        store = RunStore(folder)
        self.device = torch.device("cpu") if device is None else device
        self.own: RunNetworks = load_run_networks(store, self.device)
        self.size = config_of_run(store).data.image_size
        self.sensors = [sensor.name for sensor in self.own.sensors]
        self.judges = self.own.networks.classifier is not None

    def explain(self, pictures: Mapping[str, npt.NDArray[np.uint8]]) -> Explained:
        """Predict, explain and embed, in one pass of each encoder.

        Args:
            pictures: of a pair, by the name of the sensor, at least one; each of shape (H, W, 3) with H and W as
                ``size`` says, bands in the sensor's order, as :func:`rice_ssl.data.image_file.decode_image` gives them.

        Raises:
            InputError: no picture, one of a sensor that the run does not have, or of another shape.
        """
        order = [name for name in self.sensors if name in pictures]
        found = embed_batch(self._normalised(pictures, order), self.own.networks, self._slots(order))
        arrays = {name: values.float().cpu().numpy() for name, values in found.items()}
        temperature = self.own.config.pretrain.temperature
        images = {}
        for row, name in enumerate(order):
            of = {key: values[row] for key, values in arrays.items()}
            logits, prototypes = of.get("logits"), of.get("prototype_logits")
            images[name] = ExplainedImage(
                embedding=of["embedding"],
                logits=logits,
                probabilities=None if logits is None else softmax(logits),
                cam=of.get("cam"),
                prototype_logits=prototypes,
                prototype_probabilities=None if prototypes is None else softmax(prototypes / temperature),
            )
        return Explained(images, self._joint(found, order))

    def embed(self, name: str, picture: npt.NDArray[np.uint8]) -> dict[str, Values]:
        """Embed one picture, as ``rice-ssl embed`` embeds those of the run, and nothing more.

        Args:
            name: of the sensor.
            picture: as :meth:`explain` takes it.

        Returns:
            ``embedding``, shape (E,), and ``projection``, shape (P,), of length 1, where there is a SwAV head.

        Raises:
            InputError: as :meth:`explain`.
        """
        own = self.own.networks
        asked = own if own.swav is None else Networks(swav=own.swav)  # a classifier would be asked for maps, too
        found = embed_batch(self._normalised({name: picture}, [name]), asked, self._slots([name]))
        return {
            space: np.asarray(found[space][0].float().cpu().numpy())
            for space in ("embedding", "projection")
            if space in found
        }

    def measure(
        self,
        name: str,
        picture: npt.NDArray[np.uint8],
        *,
        sigma: float,
        random: int = 19,
        steps: int = 10,
        seed: int = 0,
    ) -> MapTrust:
        """Measure the Grad-CAM of the class predicted from an image, as ``rice-ssl attribution`` measures a run's.

        Args:
            name: of the sensor.
            picture: as :meth:`explain` takes it.
            sigma: of the blur that takes the place of what is removed, pixels of the picture.
            random: how many random maps it is compared with.
            steps: in which pixels are removed.
            seed: of the random maps.

        Raises:
            InputError: as :meth:`explain`, or there is no classifier.
        """
        classifier = self.own.networks.classifier
        if classifier is None:
            raise InputError("There is no classifier whose maps could be measured: give a run with one.")
        image = self._normalised({name: picture}, [name])
        slots = self._slots([name])
        found = embed_batch(image, self.own.networks, slots)
        predicted = found["logits"].argmax(dim=1)
        own = found["cam"][0, predicted]
        size = (own.shape[-2], own.shape[-1])
        others = random_maps(random, size, torch.Generator().manual_seed(seed))
        maps = torch.cat([own, others.to(own), centred_gaussian(*size)[None].to(own)])[None]

        def judged(images: Tensor) -> Tensor:
            return classifier.classify(classifier.encoder(images), slots.to(images.device).expand(len(images)))

        areas = deletion_insertion(judged, image, blurred(image, sigma), maps, predicted, steps=steps, seed=seed)
        down, up = (values[0].cpu().numpy() for values in areas)
        score = up - down
        return MapTrust(
            predicted=int(predicted),
            deletion=float(down[0]),
            insertion=float(up[0]),
            score=float(score[0]),
            random_score=float(score[1:-1].mean()),
            gaussian_score=float(score[-1]),
            p_random=float((1 + (score[1:-1] >= score[0]).sum()) / (1 + random)),
        )

    def _normalised(self, pictures: Mapping[str, npt.NDArray[np.uint8]], order: list[str]) -> Tensor:
        """Pictures as the encoder takes them, shape (B, 3, H, W)."""
        unknown = sorted(set(pictures) - set(self.sensors))
        if unknown or not order:
            given = f"{unknown[0]!r}, which is no sensor of the run" if unknown else "no picture"
            raise InputError(f"There is {given}: give pictures of {' or '.join(self.sensors)}.")
        for name in order:
            if pictures[name].shape != (*self.size, 3) or pictures[name].dtype != np.uint8:
                raise InputError(
                    f"The {name} picture is {pictures[name].dtype} of shape {pictures[name].shape}: give uint8 of "
                    f"shape {(*self.size, 3)}."
                )
        images = to_unit(torch.from_numpy(np.stack([pictures[name] for name in order])))
        by_name = {sensor.name: sensor for sensor in self.own.sensors}
        mean, std = (torch.tensor([getattr(by_name[name], kind) for name in order]) for kind in ("mean", "std"))
        return normalise(images, mean, std).to(self.device)

    def _slots(self, order: list[str]) -> Tensor:
        return torch.tensor([self.sensors.index(name) for name in order])

    @torch.no_grad()
    def _joint(self, found: dict[str, Tensor], order: list[str]) -> Values | None:
        """The pair judged from its images, as ``rice-ssl embed`` judges those of a run."""
        classifier = self.own.networks.classifier
        if classifier is None or len(order) < 2 or len(used_slots(self.own.config.finetune, self.sensors)) == 1:
            return None
        places = self._slots(order)
        present = torch.zeros(1, len(self.sensors), dtype=torch.bool, device=self.device)
        present[0, places] = True
        if isinstance(classifier, FusedClassifier):
            joined = classifier.judge(self._placed(found["features"], places), present)[1]
        else:
            joined = classifier.join(self._placed(found["logits"], places), present)
        return np.asarray(softmax(joined[0].cpu().numpy()), dtype=np.float32)

    def _placed(self, values: Tensor, places: Tensor) -> Tensor:
        """Values of images in the places of their sensors, shape (1, S, ...); 0 where there is no image."""
        found = values.new_zeros(1, len(self.sensors), values.shape[1])
        found[0, places] = values
        return found
