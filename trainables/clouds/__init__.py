"""Clouds that announce when they take a machine away. One file each; the base is `_cloud.py`."""

from trainables.clouds._cloud import Cloud, cloud_here

__all__ = ["Cloud", "cloud_here"]
