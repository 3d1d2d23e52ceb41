"""The next decision of a search: arms, proposals, rungs, stages, samplers and schedulers."""
