"""Models, one a file; the file's name is the model's name."""

from trainables.models._check import check_model, ends_in_linear
from trainables.models._find import find_model
from trainables.models._model import Model

__all__ = ["Model", "check_model", "ends_in_linear", "find_model"]
