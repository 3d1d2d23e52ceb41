"""The language of hyperparameters: ranges, parts, conditional spaces and how files narrow them."""

from search_spaces.configs import as_today, from_config, to_config
from search_spaces.coordinates import coordinates, decode, encode
from search_spaces.errors import InputError, unknown_name
from search_spaces.feasible import feasible
from search_spaces.fitting import fitted
from search_spaces.flat_space import FlatSpace, Point
from search_spaces.narrowing import Narrowing, narrowed, read_narrowing, refuse_unused
from search_spaces.overrides import Only, Override
from search_spaces.parts import Config, Formerly, Part, option, option_names, options
from search_spaces.published import published_defaults, with_published
from search_spaces.ranges import (
    BELOW_ONE,
    COUNT,
    NOT_NEGATIVE,
    POSITIVE,
    POSITIVE_SHARE,
    SHARE,
    Bounds,
    Categorical,
    Float,
    Int,
    LogOrZero,
    Range,
    Within,
)
from search_spaces.space import Space
from search_spaces.yaml_text import parse_yaml, read_yaml, to_yaml

__all__ = [
    "BELOW_ONE",
    "COUNT",
    "NOT_NEGATIVE",
    "POSITIVE",
    "POSITIVE_SHARE",
    "SHARE",
    "Bounds",
    "Categorical",
    "Config",
    "FlatSpace",
    "Float",
    "Formerly",
    "InputError",
    "Int",
    "LogOrZero",
    "Narrowing",
    "Only",
    "Override",
    "Part",
    "Point",
    "Range",
    "Space",
    "Within",
    "as_today",
    "coordinates",
    "decode",
    "encode",
    "feasible",
    "fitted",
    "from_config",
    "narrowed",
    "option",
    "option_names",
    "options",
    "parse_yaml",
    "published_defaults",
    "read_narrowing",
    "read_yaml",
    "refuse_unused",
    "to_config",
    "to_yaml",
    "unknown_name",
    "with_published",
]
