"""DDAS, the distribution-discriminative auto-selector: which task's pictures does a picture resemble?"""

from collections.abc import Callable, Mapping
from functools import partial

import torch
import torchvision
from jaxtyping import Float, Int64
from torch import Tensor, nn

from gift_lib.clip import Clip, patch_tokens
from gift_lib.data.cache import train_view
from gift_lib.data.transforms import Preprocess
from gift_lib.errors import ConfigError, DataError, nearest
from gift_lib.methods.adapters import Routing
from gift_lib.methods.base import Resources, Shuffle
from gift_lib.tasks import Images, all_indices

Features = Callable[[Float[Tensor, "b 3 s s"]], Float[Tensor, "b f"]]


class Autoencoder(nn.Module):
    """One hidden layer with ReLU, and a sigmoid; it reconstructs features that lie in (0, 1)."""

    def __init__(self, features: int, hidden: int, generator: torch.Generator):
        super().__init__()
        self.encode, self.decode = nn.Linear(features, hidden), nn.Linear(hidden, features)
        with torch.no_grad():
            for p, inputs in zip(self.parameters(), (features, features, hidden, hidden), strict=True):
                p.copy_((2 * torch.rand(p.shape, generator=generator) - 1) / inputs**0.5)

    def forward(self, x: Float[Tensor, "b f"]) -> Float[Tensor, "b f"]:
        return self.decode(self.encode(x).relu()).sigmoid()

    def error(self, x: Float[Tensor, "b f"]) -> Float[Tensor, " b"]:
        """Mean squared error of each row's reconstruction."""
        return (self(x) - x).square().mean(dim=1)


def train(
    images: Images, preprocess: Preprocess, features: Features, hidden: int, steps: int, batch_size: int,
    seeds: Callable[..., torch.Generator], resources: Resources,
) -> Autoencoder:  # fmt: skip
    """An autoencoder of the pictures' features, as published: training crops, Adam, weight decay 1e-4.

    The learning rate is 0.01, a tenth of it after each ten epochs. `seeds(stream, step=k)` gives the
    generators of weights, order and crops.
    """
    draw = Shuffle(len(images), batch_size, partial(seeds, "autoencoder order"))
    model, optimizer = None, None
    for step in range(steps):
        crop = seeds("autoencoder crop", step=step)
        with torch.no_grad():
            x = features(train_view(images, draw(step), preprocess, crop, resources.device))
        if model is None:
            model = Autoencoder(x.shape[1], hidden, seeds("autoencoder")).to(resources.device)
            optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-4, fused=True)
        optimizer.param_groups[0]["lr"] = 0.01 * 0.1 ** (step // draw.per_epoch // 10)
        optimizer.zero_grad()
        model.error(x).mean().backward()
        optimizer.step()
    return model.requires_grad_(False)


class Selector:
    """Autoencoders in the order of training: number 0 stands for everything else, number t + 1 for task t."""

    def __init__(self, features: Features, preprocess: Preprocess, hidden: int, threshold: float):
        self.features, self.preprocess, self.hidden, self.threshold = features, preprocess, hidden, threshold
        self.autoencoders: list[Autoencoder] = []

    @torch.no_grad()
    def errors(self, pixels: Tensor) -> Float[Tensor, "a b"]:
        """Reconstruction error of each autoencoder on each picture (evaluation transform)."""
        x = self.features(self.preprocess.eval(pixels))
        return torch.stack([a.error(x) for a in self.autoencoders])

    def route(self, pixels: Tensor, vote: bool = False) -> Int64[Tensor, " b"]:
        """The task of each picture, -1 for the frozen CLIP.

        It is the task of the autoencoder with the smallest error; frozen CLIP where that is number 0 or
        where the error is above the threshold. `vote`: the whole batch goes where its mean error says.
        """
        if not self.autoencoders:
            return torch.full((len(pixels),), -1, dtype=torch.int64)
        errors = self.errors(pixels)
        if vote:
            errors = errors.mean(dim=1, keepdim=True).expand_as(errors)
        least, best = errors.min(dim=0)
        return torch.where(least > self.threshold, -1, best - 1).cpu()

    def calibrate(self, images: Images, quantile: float, resources: Resources) -> None:
        """Set the threshold to a quantile of the newest autoencoder's errors on its own training pictures."""
        chunks = all_indices(len(images)).split(resources.chunk)
        errors = torch.cat([self.errors(images.batch(i).to(resources.device))[-1] for i in chunks])
        self.threshold = float(errors.quantile(quantile))

    def state(self) -> dict[str, Tensor]:
        """The threshold and all weights."""
        weights = {f"ddas/{k}/{n}": p for k, a in enumerate(self.autoencoders) for n, p in a.state_dict().items()}
        return weights | {"threshold": torch.tensor(self.threshold, dtype=torch.float64)}

    def load_state(self, state: Mapping[str, Tensor], device: torch.device) -> None:
        """The reverse of `state`."""
        self.threshold, self.autoencoders = float(state["threshold"]), []
        while f"ddas/{len(self.autoencoders)}/encode.bias" in state:
            prefix = f"ddas/{len(self.autoencoders)}/"
            weights = {n.removeprefix(prefix): p for n, p in state.items() if n.startswith(prefix)}
            model = Autoencoder(weights["decode.bias"].numel(), self.hidden, torch.Generator())
            model.load_state_dict(weights)
            self.autoencoders.append(model.to(device).requires_grad_(False))


def features_of(kind: str, clip: Clip, routing: Routing) -> Features:
    """Frozen features in (0, 1): AlexNet's last convolution, or patch tokens from the middle of the frozen CLIP.

    "alexnet" is the published one, pre-trained on ImageNet; "alexnet-random" has its shape and random
    weights; "tower" is the frozen image tower up to half its blocks, for a world in which no other
    pre-trained network exists.
    """
    if kind == "tower":
        return partial(_half_tower, clip.model, routing)
    if kind not in ("alexnet", "alexnet-random"):
        raise ConfigError(f"there are no features {kind!r}; {nearest(kind, ('alexnet', 'alexnet-random', 'tower'))}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = torchvision.models.alexnet(weights=None)
    if kind == "alexnet":
        net.load_state_dict(_alexnet_weights())
    convolutions = net.features[:-2].eval().requires_grad_(False).to(clip.device)
    return partial(_squashed, convolutions)


def _squashed(convolutions: nn.Module, x: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b f"]:
    return convolutions(x).flatten(1).sigmoid()


@torch.no_grad()
def _half_tower(model: nn.Module, routing: Routing, x: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b f"]:
    with routing.through(-1):
        return patch_tokens(model, x, len(model.visual.transformer.resblocks) // 2).flatten(1).sigmoid()


def _alexnet_weights() -> Mapping[str, Tensor]:
    weights = torchvision.models.AlexNet_Weights.DEFAULT
    try:
        return torch.hub.load_state_dict_from_url(weights.url, check_hash=True, weights_only=True, progress=False)
    except Exception as error:  # whatever urllib and torch.hub raise
        raise DataError(
            f"AlexNet's weights could not be fetched from {weights.url} ({type(error).__name__}). Put that file into "
            f"{torch.hub.get_dir()}/checkpoints, or set method_options features to 'tower'."
        ) from error
