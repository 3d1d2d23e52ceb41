"""One run on disk: its folder, its journal, the events in it, and the table they make."""
