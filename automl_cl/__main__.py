"""`python -m automl_cl`."""

from automl_cl.command.cli import main

main()
