"""The page in Chromium as a user handles it, and what came over the network meanwhile."""

import json
import threading
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

PATIENCE = 180_000
# A call of Comlink's protocol, which the page itself speaks to its worker; one worker for all calls.
CALL = """([path, values]) => new Promise((resolve, reject) => {
  const worker = (globalThis.workerOfTests ??= new Worker("worker.js", { type: "module" }));
  const revive = (value) => (Array.isArray(value) ? Float32Array.from(value) : value);
  worker.onerror = (event) => reject(event.message);
  worker.onmessage = ({ data }) => {
    if (data.type === "HANDLER") reject(new Error(JSON.stringify(data.value)));
    else resolve(Array.from(data.value));
  };
  const argumentList = values.map((value) => ({ type: "RAW", value: revive(value) }));
  worker.postMessage({ id: "1", type: "APPLY", path: [path], argumentList });
})"""


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


class SiteServer:
    """Serves a folder on this machine, as any static server does: without headers of its own."""

    def __init__(self, folder: Path) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self._server.server_port}/"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


@dataclass
class WebPage:
    """The page after its first visit."""

    context: Any
    page: Any
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @classmethod
    def visit(cls, browser: Any, address: str) -> "WebPage":
        """Visit the page for the first time, in a context of its own."""
        context = browser.new_context(accept_downloads=True)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        visited = cls(context, page)
        context.on("request", lambda request: visited.requests.append(request.url))
        page.on("console", lambda message: visited.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: visited.errors.append(str(error)))
        page.goto(address)
        visited.wait_until_ready()
        return visited

    def wait_until_ready(self) -> None:
        """Wait until the page has all that it needs without a network."""
        self.page.wait_for_selector("html[data-ready=yes]")

    def open(self, scan: Path) -> str:
        """Choose a file or a folder, and return what the page says of it, or of what is wrong with it."""
        self.page.evaluate("for (const id of ['plan', 'problem']) document.getElementById(id).textContent = ''")
        self.page.set_input_files("#folder" if scan.is_dir() else "#file", scan)
        return self._said("#plan", "#problem")

    def drop(self, *paths: Path) -> None:
        """Drop files or a folder onto the page, as the mouse does."""
        box = self.page.locator("#drop").bounding_box()
        data = {"items": [], "files": [str(path.resolve()) for path in paths], "dragOperationsMask": 1}
        place = {"x": box["x"] + 10, "y": box["y"] + 10}
        session = self.context.new_cdp_session(self.page)
        for kind in ("dragEnter", "dragOver", "drop"):
            session.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})

    def choose(self, scale: str, quality: str, kind: str = "wasm") -> None:
        """Choose the factors, the networks and what they run on."""
        for axis, factor in zip("ijk", scale.split("x"), strict=True):
            self.page.select_option(f"#factor-{axis}", factor)
        self.page.select_option("#family", quality)
        self.page.select_option("#kind", kind)

    def start(self) -> None:
        """Press the button once the job is planned."""
        self.page.wait_for_selector("#start:enabled")
        self.page.click("#start")

    def finish(self) -> str:
        """Wait for the end of a job, and return what the page says then."""
        return self._said("#status", "#problem")

    def save(self, folder: Path) -> Path:
        """Save the result."""
        with self.page.expect_download() as download:
            self.page.click("#save")
        path = folder / download.value.suggested_filename
        download.value.save_as(path)
        return path

    def warnings(self) -> list[str]:
        """Return what the page warns of."""
        return [str(each) for each in self.page.locator("#warnings li").all_text_contents()]

    def run_stage(self, name: str, kind: str, image: np.ndarray) -> np.ndarray:
        """Run a stage on an image in a worker of its own."""
        values = [name, kind, image.ravel().tolist(), *image.shape]
        return np.asarray(self.page.evaluate(CALL, ["runStage", values]), np.float32)

    def report(self, folder: Path) -> Any:
        """Save the report of a benchmark, and return it."""
        with self.page.expect_download() as download:
            self.page.click("#report")
        download.value.save_as(folder / "benchmark.json")
        return json.loads((folder / "benchmark.json").read_text())

    def _said(self, *names: str) -> str:
        found = self.page.wait_for_selector(", ".join(f"{name}:not(:empty)" for name in names))
        return str(found.text_content())
