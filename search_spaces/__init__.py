"""The language of hyperparameters: ranges, parts, conditional spaces and how files narrow them."""

from search_spaces.coordinates import coordinates, decode, encode
from search_spaces.errors import InputError, unknown_name
from search_spaces.fitting import fitted
from search_spaces.flat_space import FlatSpace, Point
from search_spaces.narrowing import Narrowing, narrowed, read_narrowing
from search_spaces.parts import Config, Part, from_config, option, option_names, options, to_config
from search_spaces.ranges import Categorical, Float, Int, Range, Within
from search_spaces.space import Space
from search_spaces.yaml_text import parse_yaml, read_yaml, to_yaml

__all__ = [
    "Categorical",
    "Config",
    "FlatSpace",
    "Float",
    "InputError",
    "Int",
    "Narrowing",
    "Part",
    "Point",
    "Range",
    "Space",
    "Within",
    "coordinates",
    "decode",
    "encode",
    "fitted",
    "from_config",
    "narrowed",
    "option",
    "option_names",
    "options",
    "parse_yaml",
    "read_narrowing",
    "read_yaml",
    "to_config",
    "to_yaml",
    "unknown_name",
]
