"""Storage modes: how a value becomes bytes and a value again. One file per mode."""

from __future__ import annotations

from .modes import Codec, keeps, make_codec
from .pickle_globals import pickle_allow_list

__all__ = ["Codec", "keeps", "make_codec", "pickle_allow_list"]
