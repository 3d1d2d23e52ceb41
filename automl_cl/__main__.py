"""`python -m automl_cl`."""

from automl_cl.cli import main

main()
