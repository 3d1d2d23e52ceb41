"""Models, one a file; the file's name is the model's name."""

from trainables.models._model import Model

__all__ = ["Model"]
