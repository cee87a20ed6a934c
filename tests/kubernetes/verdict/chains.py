"""Every chain that Go and kpki are both asked about, by its rule and its variant."""
from __future__ import annotations

from tests.kubernetes.verdict import names, order, parsing, rules
from tests.kubernetes.verdict.writer import Facts

TOPICS: tuple[Facts, ...] = (parsing.FACTS, names.FACTS, order.FACTS, rules.FACTS)
CHAINS = {f"{rule}: {variant}": chain
          for facts in TOPICS for rule, variants in facts.items()
          for variant, chain in variants.items()}


def rule_of(name: str) -> str:
    """The rule that a chain of CHAINS belongs to: one of the names' beginnings."""
    return name.partition(": ")[0]
