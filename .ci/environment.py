"""Makes the `.venv` of this clone; run by make with whatever `python3` is, so this file avoids new syntax."""

import os
import shutil
import subprocess
import sys

OLDEST = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
VENV_PYTHON = os.path.join(VENV, "bin", "python")


def use_new_python():
    """Go on with the newest Python on this machine if this one is too old."""
    if sys.version_info >= OLDEST:
        return
    for minor in range(14, OLDEST[1] - 1, -1):
        found = shutil.which("python3.%d" % minor)  # noqa: UP031 - an old Python has to read this
        if found:
            os.execv(found, [found, *sys.argv])
    sys.exit(
        "Orlop needs Python 3.11 or newer; 'python3' here is %d.%d and there is no python3.11 to python3.14.\n"  # noqa: UP031
        "Debian 12, Ubuntu 24.04 and newer bring it; on Ubuntu 22.04: apt-get install python3.11-venv"
        % sys.version_info[:2]
    )


def usable():
    """Whether the environment is there and was made at this place: its programs bear its path."""
    try:
        with open(os.path.join(VENV, "bin", "pip")) as program:
            return program.readline().startswith("#!" + VENV_PYTHON)
    except (OSError, UnicodeDecodeError):
        return False


def make_environment():
    command = [sys.executable, "-m", "venv", "--clear", VENV]
    if subprocess.call(command, stdout=subprocess.DEVNULL) == 0:
        return
    package = "python%d.%d-venv" % sys.version_info[:2]  # noqa: UP031
    install = ["apt-get", "install", "-y", "--no-install-recommends", package]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit("Python's venv module is missing here. As root: " + " ".join(install[:3] + [package]))
    print("Installing", package, "for Python's venv module", flush=True)
    quiet = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    subprocess.call(["apt-get", "update", "-q"], env=quiet, stdout=subprocess.DEVNULL)
    if subprocess.call(install, env=quiet, stdout=subprocess.DEVNULL) != 0:
        sys.exit("Could not install " + package + ".")
    subprocess.check_call(command)


def packages(dev):
    wanted = ["--editable", ROOT + "[all]"]
    if dev:
        import tomllib  # from 3.11 on; pip itself knows groups from 25.1 on only

        with open(os.path.join(ROOT, "pyproject.toml"), "rb") as file:
            wanted += tomllib.load(file)["dependency-groups"]["dev"]
    return wanted


def main():
    use_new_python()
    dev, stamp = "--dev" in sys.argv, os.path.join(ROOT, sys.argv[-1])
    if not usable():
        make_environment()
    print("Setting up .venv" + (" with the tools for tests" if dev else ""), flush=True)
    quiet = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_ROOT_USER_ACTION="ignore")
    if subprocess.call([VENV_PYTHON, "-m", "pip", "install", "--quiet", *packages(dev)], env=quiet) != 0:
        sys.exit("pip could not install what Orlop needs; the lines above say why.")
    with open(stamp, "w"):
        pass


if __name__ == "__main__":
    main()
