"""Image classifiers of the library transformers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from torch import Tensor, nn

from search_spaces import InputError
from trainables.foundation import hub
from trainables.parts.model import Model


@dataclass(frozen=True)
class Transformers(Model):
    """An image classifier of the library transformers: --model hf:NAME or hf:FOLDER.

    Needs the extra transformers. NAME is of the Hugging Face hub, FOLDER what `save_pretrained`
    wrote. Training starts from the weights that are there (safetensors only) with a new
    classifier; with `pretrained: false` from new weights for the images' own size and channels.
    Code that comes with a model is never run.
    """

    address: str = ""
    pretrained: bool = True

    @classmethod
    def names(cls) -> str:
        return "hf:NAME"

    @classmethod
    def suits(cls, input_shape: Sequence[int]) -> bool:
        return len(input_shape) == 3

    @classmethod
    def named(cls, name: str) -> Self | None:
        return cls(hub.located(name)) if name.startswith(hub.PREFIX) else None

    @property
    def full_name(self) -> str:
        return self.address

    @property
    def starts_from(self) -> str:
        return f"the pre-trained weights of {self.address}" if self.pretrained else ""

    def build(self, input_shape: Sequence[int], num_classes: int) -> nn.Module:
        place = self.address.removeprefix(hub.PREFIX)
        if not place:
            raise InputError("--model: name the model itself, as hf:NAME or hf:FOLDER.")
        library = _library(self.address)
        hub.use_what_is_here_if_offline(place)
        config = _loaded(self.address, library.AutoConfig.from_pretrained, place)
        kind = library.AutoModelForImageClassification
        if type(config) not in kind._model_mapping:
            raise InputError(
                f"--model {self.address}: '{config.model_type}' is no image classifier of "
                "transformers; inputs here are images."
            )
        config.num_labels = num_classes
        if not self.pretrained:
            _fit(config, input_shape)
            return Logits(_loaded(self.address, kind.from_config, config))
        _require_fit(self.address, config, input_shape)
        model = _loaded(
            self.address,
            kind.from_pretrained,
            place,
            config=config,
            ignore_mismatched_sizes=True,  # the classifier is for other classes
            use_safetensors=True,
        )
        return Logits(model)


class Logits(nn.Module):
    """A classifier of transformers as a network from images to logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits [batch, classes] of images [batch, channels, height, width]."""
        logits: Tensor = self.model(pixel_values=inputs, return_dict=True).logits
        return logits


def _library(address: str) -> Any:
    try:
        import transformers
    except ImportError as error:
        raise InputError(
            f"--model {address}: needs the extra transformers: "
            "pip install -e '.[transformers]' in the checkout."
        ) from error
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers


def _loaded(address: str, load: Any, *arguments: Any, **options: Any) -> Any:
    try:
        # Left out, it would ask on a terminal whether code that comes with the model may run.
        return load(*arguments, trust_remote_code=False, **options)
    # What the library, its readers and the network may raise has no common base.
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(
            f"--model {address}: cannot be loaded ({type(error).__name__}: {reason}); expected a "
            "model of the hub, or a folder that save_pretrained wrote (safetensors); the space "
            "file's model.pretrained: false needs its configuration only."
        ) from error


def _image_size(config: Any) -> tuple[int, int] | None:
    size = getattr(config, "image_size", None)
    if isinstance(size, int):
        return size, size
    return tuple(size) if isinstance(size, list | tuple) and len(size) == 2 else None


def _fit(config: Any, input_shape: Sequence[int]) -> None:
    channels, height, width = input_shape
    if hasattr(config, "num_channels"):
        config.num_channels = channels
    if _image_size(config) is not None:
        config.image_size = height if height == width else (height, width)


def _require_fit(address: str, config: Any, input_shape: Sequence[int]) -> None:
    channels, *size = input_shape
    wanted, needed = getattr(config, "num_channels", channels), _image_size(config)
    if wanted == channels and needed in (None, tuple(size)):
        return
    height, width = needed or tuple(size)
    color = ", --data-option color=rgb" if wanted == 3 and channels == 1 else ""
    raise InputError(
        f"--model {address}: its weights are for images of shape {[wanted, height, width]}, the "
        f"data's are {list(input_shape)}; for image folders: --image-size {height}x{width}{color};"
        " or new weights by the space file's model.pretrained: false."
    )
