"""What is not there and what went wrong: three parts in the reader's language, or a code for a program."""

from __future__ import annotations

import logging

import pytest
from held_pages import HeldSource, client_of
from page_reader import read
from starlette.testclient import TestClient

from mesure.errors import LedgerError
from shapes import Several, mismatches

_ERROR = {"error": {"code": str, "what": str, "value": str, "action": str, "nearest": Several(str)}}
_UNREADABLE = LedgerError(
    "The ledger could not be read: gone",
    value="/data",
    action="Check that its files are there and readable, and that the disk has room.",
    code="ledger_unavailable",
)


@pytest.mark.parametrize(
    ("path", "title", "back"),
    [
        ("/fr/nowhere", "Il n’y a pas de page à cette adresse.", "Revenir à Maintenant"),
        ("/en/nowhere", "There is no page at this address.", "Go back to Now"),
        ("/fr/calls/nope", "Cet appel n’est pas dans le registre.", "Revenir à Maintenant"),
        ("/en/calls/nope", "This call is not in the ledger.", "Go back to Now"),
        ("/en/calls/nope/more", "This call is not in the ledger.", "Go back to Now"),
    ],
)
def test_missing_pages_say_so_in_the_language(client: TestClient, path: str, title: str, back: str) -> None:
    answer = client.get(path)
    page = read(answer.text)
    assert answer.status_code == 404
    assert page.one("h1").text.startswith(title)
    (link,) = page.one("main").all("a")
    assert (link.text, link["href"]) == (back, path[:4])


def test_elsewhere_the_browser_s_language_is_spoken(client: TestClient) -> None:
    for accept, words in (("en", "There is no page"), ("fr-CA,en;q=0.5", "Il n’y a pas de page")):
        assert words in read(client.get("/nowhere", headers={"accept-language": accept}).text).text


def test_a_missing_page_is_no_page_of_the_menu(client: TestClient) -> None:
    for path in ("/fr/nowhere", "/fr/calls/nope"):
        page = read(client.get(path).text)
        assert not [link for link in page.all("a") if link["aria-current"]]
        (other,) = (link["href"] for link in page.all("a") if "lang" in link.classes)
        assert other == "/en/"
        assert not page.all("script")


def test_a_method_that_no_page_takes_is_refused_with_those_it_does(client: TestClient) -> None:
    for method in ("post", "put", "delete", "patch"):
        answer = getattr(client, method)("/en/")
        assert answer.status_code == 405
        assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
        assert read(answer.text).one("h1").text == "This request cannot be answered."


@pytest.mark.parametrize("language", ["fr", "en"])
def test_an_unreadable_ledger_tells_what_to_do(source: HeldSource, language: str) -> None:
    source.now = _UNREADABLE
    answer = client_of(source).get(f"/{language}/")
    page = read(answer.text)
    assert answer.status_code == 503
    title = page.one("h1").text
    assert "/data" in title
    for words in {"fr": ("Le registre", "Vérifiez que ses fichiers"), "en": ("could not be read", "Check that")}[
        language
    ]:
        assert words in title
    assert page.one("main").all("a")[0].text == {"fr": "Réessayer", "en": "Try again"}[language]


@pytest.mark.parametrize("path", ["/en/", "/fr/why", "/api/overview"])
def test_an_unexpected_failure_tells_nothing_of_the_machine(
    source: HeldSource, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    source.now = RuntimeError("secret path /root/x")
    with caplog.at_level(logging.ERROR, logger="mesure.web"):
        answer = client_of(source).get(path)
    assert answer.status_code == 500
    for secret in ("secret", "/root", "RuntimeError", "Traceback"):
        assert secret not in answer.text
    (record,) = (record for record in caplog.records if record.name == "mesure.web")
    assert path in record.getMessage()
    assert record.exc_info is not None  # with its place, for whoever reads the log
    assert record.exc_info[1] is source.now


@pytest.mark.parametrize("accept", ["fr", "en"])
@pytest.mark.parametrize(
    ("failure", "method", "path", "status", "code", "what"),
    [
        (None, "get", "/api/nowhere", 404, "not_found", "There is no page"),
        (None, "get", "/api/calls/nope", 404, "not_found", "This call is not in the ledger"),
        (None, "post", "/api/overview", 405, "method_not_allowed", "This request cannot be answered"),
        (RuntimeError("secret"), "get", "/api/overview", 500, "internal", "Something went wrong"),
        (_UNREADABLE, "get", "/api/overview", 503, "ledger_unavailable", "The ledger could not be read"),
    ],
)
def test_programs_get_a_code_and_one_shape(
    source: HeldSource,
    failure: Exception | None,
    method: str,
    path: str,
    status: int,
    code: str,
    what: str,
    accept: str,
) -> None:
    if failure is not None:
        source.now = failure
    answer = getattr(client_of(source), method)(path, headers={"accept-language": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert mismatches(answer.json(), _ERROR) == []
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["what"].startswith(what)  # in English whatever the language: a program matches the code
    assert error["action"]
    assert ("allow" in answer.headers) is (status == 405)


def test_a_failure_passes_with_its_cause(source: HeldSource) -> None:
    held, source.now = source.now, RuntimeError("for a moment")
    client = client_of(source)
    assert client.get("/en/").status_code == 500
    source.now = held
    assert client.get("/en/").status_code == 200
