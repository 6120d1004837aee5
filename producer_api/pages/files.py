"""GET /static/…: the pages' scripts, styles, and what is vendored for them."""

from os import PathLike, stat_result
from pathlib import Path
from typing import Final

from starlette import staticfiles
from starlette.responses import Response
from starlette.types import Scope

STATIC: Final = Path(__file__).parents[1] / "static"


class StaticFiles(staticfiles.StaticFiles):
    """Starlette's, but that browsers ask each time whether they have the file: a new version is there at once."""

    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """A file, or 304 for who has it."""
        answer = super().file_response(full_path, stat_result, scope, status_code)
        answer.headers["Cache-Control"] = "no-cache"
        answer.headers["ETag"] = f"W/{answer.headers['ETag']}"  # it may be packed on its way
        return answer
