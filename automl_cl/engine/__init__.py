"""One life of a search: session, driver, and the adapters to Ray Tune."""
