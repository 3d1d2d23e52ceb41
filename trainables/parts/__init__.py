"""The parts of a config that all scenarios share: a base a module, its options a folder."""
