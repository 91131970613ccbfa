"""papermill with a private channel to its kernel: `python -m gift_lib.runs.execute` takes what `papermill` takes.

By itself papermill lets the kernel talk over an open port, of which every kernel warns, and interrupts it at the end,
which the kernel logs as an error of a run that went well.
"""

from typing import Any

from papermill.__main__ import papermill
from papermill.engines import NBClientEngine, papermill_engines
from traitlets.config import Config

#: Keys for the channel, where the kernel can use them. What fails in a cell is told by the page, not by this log.
ENCRYPTED = Config({"KernelManager": {"transport_encryption": "auto"}})
LOG_ONLY_WHAT_ENDS_THE_KERNEL = ["--IPKernelApp.log_level=50"]


class QuietEngine(NBClientEngine):
    """papermill's own engine with these settings."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
        options |= {"config": ENCRYPTED, "extra_arguments": LOG_ONLY_WHAT_ENDS_THE_KERNEL}
        return super().execute_managed_notebook(nb_man, kernel_name, **options)


papermill_engines.register(None, QuietEngine)

if __name__ == "__main__":
    papermill()
