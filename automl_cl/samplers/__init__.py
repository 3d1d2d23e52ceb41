"""Samplers: what proposes the next point of an arm. One file each; the base is `_sampler.py`."""

from automl_cl.samplers._sampler import Sampler, Told

__all__ = ["Sampler", "Told"]
