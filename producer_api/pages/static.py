"""/static: the files that pages load, served as they lie in `producer_api/static/`."""

import os
from pathlib import Path
from typing import Any, Final

from starlette.responses import Response
from starlette.staticfiles import StaticFiles

FOLDER: Final = Path(__file__).parents[1] / "static"


class PageFiles(StaticFiles):
    """Starlette's, asked for again each time: files have no version in their names, and a new release is seen at once."""

    def file_response(self, full_path: str | os.PathLike[str], *args: Any, **kwargs: Any) -> Response:
        """A file, or 304."""
        response = super().file_response(full_path, *args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


files: Final = PageFiles(directory=FOLDER)
