"""The command line: commands, options, progress view and messages."""
