"""A Slurm with accounting, as computing centres have it: GPUs a person by a QOS of the partition, and what a page says.

The embedded Slurm with slurmdbd and MariaDB beside it and without its own rules. Needs Debian's slurmdbd and
mariadb-server; their own services are not used.
"""

import asyncio
import shutil
import subprocess

import pytest

from hub.daemons import ENVIRONMENT
from hub.embedded.slurm import EmbeddedSlurm
from hub.supervisor_config import Daemon
from spawner_profiles.slurm import Slurm
from tests.integration import embedded
from tests.integration.embedded import Instance, accounts, until

CONF = """
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={port}
AccountingStoragePass={munge}
AccountingStorageTRES=gres/gpu
AccountingStorageEnforce=associations,limits,qos
"""
DBD = """AuthType=auth/munge
AuthInfo=socket={munge}
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={port}
CommunicationParameters=NoInAddrAny
SlurmUser=slurm
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StorageLoc=slurm_acct
LogFile={state}/run/slurmdbd.log
PidFile={state}/run/slurmdbd.pid
"""
SQL = """CREATE DATABASE slurm_acct; CREATE USER slurm@localhost IDENTIFIED VIA unix_socket;
GRANT ALL ON slurm_acct.* TO slurm@localhost;"""


class AccountingSlurm(EmbeddedSlurm):
    """With slurmdbd in the place of job_submit.lua."""

    @property
    def socket(self):
        return self.state / "db/mysql.sock"

    def render(self):
        texts = super().render()
        port = self.ports.slurmctld + 9
        lines = [line for line in texts["slurm.conf"].splitlines()
                 if not line.startswith(("JobSubmitPlugins", "Licenses"))]
        lines = [f"{line} QOS=class" if line.startswith("PartitionName=gpu") else line for line in lines]
        texts["slurm.conf"] = "\n".join(lines) + CONF.format(port=port, munge=self.munge_socket)
        self.dbd = DBD.format(munge=self.munge_socket, port=port, state=self.state)
        return texts

    def daemons(self):
        munged, *rest = super().daemons()
        database = [shutil.which("mariadbd"), "--no-defaults", "--user=mysql", f"--datadir={self.state}/db",
                    f"--socket={self.socket}", "--skip-networking", "--innodb-buffer-pool-size=64M"]
        environment = self.environment() | {"MYSQL_UNIX_PORT": str(self.socket)}
        return [munged,
                Daemon("mariadbd", database, ready=self.socket.exists, ready_text="a socket", restart_key="1"),
                Daemon("slurmdbd", [shutil.which("slurmdbd"), "-D"], user="slurm", environment=environment,
                       restart_key="1", ready=self.manager_up, ready_text="an answer to sacctmgr"), *rest]

    def manager_up(self):
        return self.command("sacctmgr", "-n", "show", "cluster").returncode == 0

    def manage(self, *words):
        done = self.command("sacctmgr", "-i", *words)
        assert done.returncode == 0, done.stdout + done.stderr


class AccountingInstance(Instance):
    def up(self):
        slurm = self.slurm
        slurm.write()
        subprocess.run(["mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={slurm.state}/db",
                        "--skip-test-db", "--auth-root-authentication-method=socket"], check=True, capture_output=True)
        (slurm.state / "db").chmod(0o711)
        conf = slurm.state / "etc/slurmdbd.conf"
        conf.write_text(slurm.dbd)
        conf.chmod(0o600)
        shutil.chown(conf, "slurm", "slurm")
        daemons = slurm.daemons()
        self.daemons.apply(daemons[:2], embedded.quiet)
        subprocess.run(["mariadb", "--no-defaults", f"--socket={slurm.socket}"], input=SQL, text=True, check=True)
        self.daemons.apply(daemons[:3], embedded.quiet)
        # The partition's QOS must exist before slurmctld starts; what it limits, after.
        slurm.manage("add", "cluster", self.layout.instance)
        slurm.manage("add", "qos", "class")
        slurm.manage("add", "account", "workshop")
        slurm.manage("add", "user", ",".join(slurm.people), "account=workshop")
        self.daemons.apply(daemons, embedded.quiet)
        slurm.manage("modify", "qos", "class", "set", "MaxTRESPerUser=gres/gpu=1", "Flags=DenyOnLimit")


@pytest.fixture(scope="module")
def one():
    with accounts() as people, pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "EmbeddedSlurm", AccountingSlurm)
        each = AccountingInstance(26000, people)
        patch.setenv("SLURM_CONF", str(each.layout.slurm_conf))
        try:
            each.up()
            yield each
        finally:
            each.down()
            shutil.rmtree(each.root)


def waiting(job):
    return asyncio.run(Slurm().list_jobs())[job].reason


def test_the_qos_of_the_partition_caps_gpus(one):
    ada, bela = one.slurm.people
    first, second = (one.sbatch(ada, "sleep 600", "-p", "gpu", "--gres=gpu:1") for _ in range(2))
    until(lambda: one.state(first) == "RUNNING")
    until(lambda: waiting(second) == "you already hold as many GPUs as one person may", what=lambda: waiting(second))
    assert one.run(None, "squeue", "-h", "-j", second, "-o", "%r").stdout.strip() == "QOSMaxGRESPerUser"
    other = one.sbatch(bela, "true", "-p", "gpu", "--gres=gpu:1")
    assert one.ended(other) == "COMPLETED"
    done = one.run(ada, "sbatch", "-p", "gpu", "--mem=100", "--gres=gpu:2", "--wrap=true", check=False)
    assert done.returncode and "QOSMaxGRESPerUser" in done.stderr
    one.run(ada, "scancel", first)
    until(lambda: one.state(second) == "RUNNING")
    one.run(ada, "scancel", second)


def test_who_is_in_no_account_is_refused_in_slurms_words(one):
    done = subprocess.run(["sbatch", "--wrap=true"], cwd="/tmp", user="nobody", extra_groups=[], text=True,
                          env={**ENVIRONMENT, **one.slurm.environment()}, capture_output=True)
    assert done.returncode and "Invalid account" in done.stderr
