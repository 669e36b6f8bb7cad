"""The pages over a folder of runs: listed, compared, opened, watched. They read and never write."""

import importlib.resources
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from karikomi.errors import InputError
from karikomi.language import DEFAULT, Language, translate
from karikomi.runs.folder import RunFolder, list_runs
from karikomi.serving import watched
from karikomi.studies.comparison import compare
from karikomi.studies.show import answer_in

HOSTS = ["127.0.0.1", "localhost"]
"""Any other Host is refused: a name of somebody else's that has come to mean this machine (DNS rebinding)."""

SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
OURS = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src data:;"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
THEIRS = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval';"
    " style-src 'unsafe-inline'; img-src data: blob:; frame-ancestors 'none'"
)
"""Of a run's own page, which may be somebody else's: its scripts reach neither this server nor anything else."""


def app(folder: Path, language: Language = DEFAULT) -> Starlette:
    """The application over the runs of a folder, in a language.

    A run is looked up among those that the folder holds, by its name, so no path leads out of the folder.
    """

    def runs() -> dict[str, RunFolder]:
        return {run.path.name: run for run in list_runs(folder)}

    def find(name: str) -> RunFolder:
        if name not in (there := runs()):
            raise InputError(f"there is no run {name} here")
        return there[name]

    def overview(request: Request) -> Response:
        rows = [
            {
                "name": name,
                "study": run.study,
                "started": run.environment["started"][:16].replace("T", " "),
                "state": watched.state(run),
                "finished": run.finished,
            }
            for name, run in reversed(runs().items())
        ]
        return _page("runs.html", language, folder=str(folder), runs=rows)

    def answer(request: Request) -> Response:
        return JSONResponse(
            {"answer": translate(watched.answer(find(request.path_params["name"])), language)}, headers=SAFE
        )

    def page(request: Request) -> Response:
        run = find(request.path_params["name"])
        report = run.path / "report.html"
        if not report.is_file() or report.resolve().parent != run.path.resolve():
            return watch(request)
        return HTMLResponse(report.read_bytes(), headers={**SAFE, "Content-Security-Policy": THEIRS})

    def watch(request: Request) -> Response:
        run = find(request.path_params["name"])
        return _page("watch.html", language, name=run.path.name, now=_now(run, language), finished=run.finished)

    def now(request: Request) -> Response:
        run = find(request.path_params["name"])
        return JSONResponse({"html": _now(run, language), "finished": run.finished}, headers=SAFE)

    def side_by_side(request: Request) -> Response:
        names = request.query_params.getlist("run")
        if len(names) != 2:
            raise InputError(f"two runs compare; chosen are {len(names)}")
        first, second = (watched.result(find(name)) for name in names)
        found = compare(first, second, language)
        return _page("compare.html", language, names=names, found=Markup(found._repr_html_()))

    def wrong(request: Request, problem: Exception) -> Response:
        return _page("wrong.html", language, status=404, problem=str(problem))

    routes: dict[str, Callable[[Request], Response]] = {
        "/": overview,
        "/answer/{name}": answer,
        "/run/{name}": page,
        "/watch/{name}": watch,
        "/now/{name}": now,
        "/compare": side_by_side,
        "/serve.css": lambda request: _file("text/css", "report/page.css", "serving/serve.css"),
        "/serve.js": lambda request: _file("text/javascript", "serving/serve.js"),
    }
    return Starlette(
        routes=[Route(path, endpoint, methods=["GET"]) for path, endpoint in routes.items()],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False)],
        exception_handlers={InputError: wrong},
    )


TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("karikomi", "serving"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)


def _page(template: str, language: Language, status: int = 200, **given: Any) -> Response:
    html = _rendered(template, language, **given)
    return HTMLResponse(html, status, headers={**SAFE, "Content-Security-Policy": OURS})


def _rendered(template: str, language: Language, **given: Any) -> str:
    """A template, in which ``said`` translates."""
    said = partial(translate, language=language)
    return TEMPLATES.get_template(template).render(language=language, said=said, **given)


def _now(run: RunFolder, language: Language) -> Markup:
    """How far a run is, and its answer so far."""
    try:
        summary = answer_in(language, watched.result(run).summary())
        headline, tables = summary.headline, [Markup(table._repr_html_()) for table in summary.tables if table.rows]
    except InputError as problem:
        headline, tables = translate(str(problem), language), []
    stages = list(watched.progress(run))
    replicates = run.settings.get("replicates", "")
    shown = {"state": watched.state(run), "stages": stages, "replicates": replicates}
    return Markup(_rendered("now.html", language, headline=headline, tables=tables, **shown))


def _file(kind: str, *parts: str) -> Response:
    package = importlib.resources.files("karikomi")
    texts = [package.joinpath(part).read_text(encoding="utf-8") for part in parts]
    return Response("\n".join(texts), media_type=kind, headers=SAFE)
