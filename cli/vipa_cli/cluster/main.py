"""``kubectl-vipa`` in one file (``make zipapp``): the commands that talk to a cluster, and nothing else."""

from vipa_cli.cluster.arguments import add_check, add_others, add_status, adder, cluster_check, cluster_status, said
from vipa_cli.program import new_parser, run


def main() -> None:
    """Entry point of the zipapp."""
    parser, commands = new_parser("kubectl vipa")
    add = adder(commands)
    add_status(add, said(cluster_status))
    add_check(add, said(cluster_check))
    add_others(add)
    run(parser)
