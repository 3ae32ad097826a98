"""`python -m loadtest.bench`."""

from loadtest.bench import command

command()
