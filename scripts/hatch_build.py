"""Build hook: puts the built web pages and the default configuration into the wheel.

In a checkout (an editable install) the server reads ``web/dist`` and ``configs`` where they are.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WEB = ("web/dist", "signalling/static")
CONFIGS = ("configs", "signalling/configs")


class AssetsHook(BuildHookInterface[Any]):
    """Adds the assets to a standard wheel, and refuses to build one without the pages."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Raises FileNotFoundError when the web pages have not been built."""
        if version != "standard":
            return
        root = Path(self.root)
        if not (root / WEB[0] / "index.html").is_file():
            raise FileNotFoundError(f"{WEB[0]}/index.html is missing: build the web pages with `make web`")
        build_data["force_include"][str(root / WEB[0])] = WEB[1]
        for path in sorted((root / CONFIGS[0]).glob("*.yaml")):
            build_data["force_include"][str(path)] = f"{CONFIGS[1]}/{path.name}"
