"""What a search does next: arms, proposals, rungs, stages, samplers and schedulers."""
