"""Command lines as a shell reads them, and the Makefile's recipes."""

import subprocess


def as_a_shell_reads(lines: list[str]) -> list[list[str]]:
    """The words of each command line, by a real shell."""
    script = "\n".join(["said() { printf '%s\\0' \"$@\"; printf '\\1\\0'; }", *(f"said {line}" for line in lines)])
    said = subprocess.run(["bash"], input=script.encode(), capture_output=True, check=True).stdout.decode()
    return [part.rstrip("\0").split("\0") for part in said.split("\1\0")[:-1]]
