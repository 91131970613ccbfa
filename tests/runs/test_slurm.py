"""A real Slurm cluster of one node, from Debian's packages: the same sweep leaves the same records."""

import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures_batch import Folders, plan, undisturbed, wait_for

from gift_lib.runs import repository

#: The plugin drops SLURM_CONF, so the configuration must lie here.
CONFIG = Path("/etc/slurm/slurm.conf")
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch")
MARK = "# Written by the tests of GIFT's book; they remove it.\n"

pytestmark = pytest.mark.slow


def _absent() -> str:
    """Why no cluster can be started here, or ''."""
    lacking = [p for p in PROGRAMS if not _find(p)]
    if lacking:
        return f"{', '.join(lacking)} not found: apt-get install slurm-wlm munge"
    if importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
        return "pip install snakemake-executor-plugin-slurm"
    if os.getuid() != 0:
        return "only root may start the daemons of a cluster"
    if CONFIG.exists() and not CONFIG.read_text().startswith(MARK):
        return f"{CONFIG} belongs to another cluster"
    return ""


def _find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _configuration(folder: Path) -> str:
    host, memory = socket.gethostname().split(".")[0], os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"""{MARK}ClusterName=book
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=6917
SlurmdPort=6918
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=1000
MinJobAge=3600
ReturnToService=2
SchedulerParameters=batch_sched_delay=1
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory={int(memory / 2**20 * 0.8)}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def _daemons(folder: Path) -> list[list[str]]:
    socket_file, key = folder / "munge.socket", folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    files = {"socket": socket_file, "key-file": key, "pid-file": folder / "munge.pid",
             "log-file": folder / "munge.log", "seed-file": folder / "munge.seed"}  # fmt: skip
    munge = ["munged", "--foreground", "--force", *(f"--{k}={v}" for k, v in files.items())]
    return [munge, ["slurmctld", "-D"], ["slurmd", "-D"]]


@pytest.fixture
def cluster() -> Iterator[Path]:
    """A running cluster; its folder. It is gone afterwards, with its jobs and its configuration."""
    if reason := _absent():
        pytest.skip(reason)
    folder = Path("/tmp") / f"slurm-{os.getpid()}"  # the path of a socket must be short
    for part in ("state", "spool"):
        (folder / part).mkdir(parents=True)
    CONFIG.parent.mkdir(exist_ok=True)
    CONFIG.write_text(_configuration(folder))
    started = []
    try:
        for command in _daemons(folder):
            with open(folder / f"{command[0]}.out", "w") as log:
                program = [_find(command[0]), *command[1:]]
                started.append(subprocess.Popen(program, stdout=log, stderr=log))
            wait_for(lambda: (folder / "munge.socket").exists(), 60)
        wait_for(lambda: "idle" in _output("sinfo", "-h", "-o", "%T"), 120)
        yield folder
    finally:
        _output("scancel", "--user=root", "--full")
        wait_for(lambda: not _output("squeue", "-h", "-t", "running,completing").strip(), 60)
        for daemon in reversed(started):
            daemon.terminate()
            daemon.wait(30)
        CONFIG.unlink()
        shutil.rmtree(folder)


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


#: The documented profile, for a cluster without accounting and without another's load.
SLURM = ("--profile", str(repository.ROOT / "env" / "slurm"), "--jobs", "2", "--slurm-no-account",
         "--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "5")  # fmt: skip


def test_the_same_sweep_through_slurm_gives_the_same_records(cluster, tmp_path):
    folders = Folders(tmp_path)
    folders.write({"GIFT": {"synthetic_seed": 0}, "fine": {"method": "finetune"}, "l2": {"method": "l2"}})
    ran = folders.snakemake(*SLURM)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert folders.records() == undisturbed(plan(folders), tmp_path / "other-cache")
    finished = _output("scontrol", "show", "jobs")
    assert finished.count("JobState=COMPLETED") == 4, "three runs and one job that draws their pictures"
    assert not list(folders.runs.rglob("*.lock")) and not list((folders.cache / "runs").iterdir())


def test_a_cancelled_job_is_run_again_by_the_same_command(cluster, tmp_path):
    folders = Folders(tmp_path)
    folders.write({"fine": {"method": "finetune"}})
    engine = folders.start(*SLURM)
    job = wait_for(lambda: _output("squeue", "-h", "-t", "running", "-o", "%i").strip(), 600)
    wait_for(lambda: list((folders.runs / "mini").glob("*.lock")), 600)
    subprocess.run(["scancel", job], check=True)
    engine.wait(600)
    assert engine.returncode == 1 and not folders.records()
    time.sleep(2)
    assert folders.snakemake("--cores", "1").returncode == 0, "any engine goes on where another stopped"
    assert len(folders.records()) == 1
