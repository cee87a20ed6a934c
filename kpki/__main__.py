"""`python -m kpki` is the command."""
from .cli.main import run

run()
