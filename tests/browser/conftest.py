"""A headless Chromium that draws in software: no page of a test may log an error or fail to run a script."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from web_page import SiteServer

from sr_keras.web import write_site

# WebGL2 and WebGPU by SwiftShader, which needs no GPU; root may only run Chromium without its sandbox.
FLAGS = (
    "--no-sandbox",
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)
# Milliseconds that a page may take for anything: drawing in software on busy cores is slow.
PATIENCE = 180_000
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@dataclass
class OpenedPage:
    """A page in a context of its own, and what went wrong in it."""

    page: Any
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def launch() -> Iterator[Callable[..., Any]]:
    """Start a Chromium, a program, with more variables in its environment; it is ended at the end of all tests."""
    sync_api = pytest.importorskip("playwright.sync_api", reason='needs Playwright: pip install "sr_keras[dev]"')
    with sync_api.sync_playwright() as playwright:
        yield lambda program, variables: playwright.chromium.launch(
            executable_path=program, args=list(FLAGS), env=os.environ | variables, timeout=PATIENCE
        )


@pytest.fixture(scope="session")
def browser(launch) -> Any:
    """Chromium of the system, run by Playwright."""
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    return launch(program, {}) if program else pytest.skip("needs Chromium, such as Debian's package chromium")


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[SiteServer]:
    """The page of `sr-keras web` with its models, on this machine."""
    served = SiteServer(write_site(tmp_path_factory.mktemp("web") / "site").folder)
    yield served
    served.close()


@pytest.fixture
def open_page(browser) -> Iterator[Callable[..., Any]]:
    """Open an address or a file in a new context; at the end of the test no error may have been logged.

    The function takes `offline` (default: true), `allowed` (texts of errors that the test provokes), `init` (a script
    that runs before the page's own), and all that Playwright's `new_context` takes. Its page has `opened`, an
    `OpenedPage`.
    """
    contexts, pages = [], []

    def open_one(
        address: str | Path, *, offline: bool = True, allowed: tuple[str, ...] = (), init: str = "", **options: Any
    ) -> Any:
        context = browser.new_context(offline=offline, **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        if init:
            page.add_init_script(init)
        page.opened = opened = OpenedPage(page)
        pages.append((opened, allowed))
        page.on("console", lambda message: opened.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: opened.errors.append(str(error)))
        page.on("request", lambda request: opened.requests.append(request.url))
        page.goto(address.resolve().as_uri() if isinstance(address, Path) else address)
        return page

    yield open_one
    for context in contexts:
        context.close()
    unexpected = [error for opened, allowed in pages for error in opened.errors if not any(t in error for t in allowed)]
    assert unexpected == []
