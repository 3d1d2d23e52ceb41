"""The kinds of problem, one a folder, and the parts that only some of them use."""
