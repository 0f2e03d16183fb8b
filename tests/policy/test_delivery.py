"""Messages really arrive: at a real SMTP server and a real HTTP server, once, and later where they could not."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from receiving import Certificate, MailServer, WebhookServer

from mesure.config import MailSettings, OrganisationSettings, ReceiverSettings, Settings
from mesure.errors import ConfigError
from mesure.policy.alerts import AlertBook
from mesure.policy.delivery import Delivery
from mesure.policy.mail import Mail, composed
from mesure.policy.notices import Notice, Undelivered
from mesure.policy.outbox import Outbox
from mesure.policy.rules import Alert
from mesure.policy.webhooks import Webhook, body_of, signature

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOTICE = Notice(
    title="Budget « Réponses » : 80 % de la limite",
    text="Le budget a atteint 80 % <de sa limite> & plus.",
    figures=(("Dépensé", "8 kWh"), ("Limite | mois", "10 kWh")),
    action="Regardez ce qui consomme le plus.",
    link="http://127.0.0.1:8420/?b=1",
    link_text="Ouvrir la page",
    severity="warning",
    language="fr",
)
ALERT = Alert(code="budget_threshold", severity="warning", key="k1", scope={"team": "support"}, facts={"share": 0.8})


class Clock:
    def __init__(self) -> None:
        self.now = AT.timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def smtp():
    server = MailServer()
    yield server
    server.stop()


@pytest.fixture
def web():
    server = WebhookServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("certificate"))


def mail_to(server, **given) -> MailSettings:
    security = given.pop("security", "none")
    return MailSettings(host="127.0.0.1", port=server.port, security=security, sender="mesure@example.org", **given)


def settings_of(smtp=None, **receivers) -> Settings:
    mail = mail_to(smtp) if smtp else MailSettings()
    return Settings(receivers=receivers, mail=mail, organisation=OrganisationSettings(language="fr"))


def rendered(message, language):
    title = "Budget at 80 %" if language == "en" else NOTICE.title
    return NOTICE._replace(title=title, language=language)


def book_and_box(store, clock):
    return AlertBook(store, clock=clock), Outbox(store, clock=clock)


TEAM = ReceiverSettings(kind="email", to=["equipe@example.org"])


# --- e-mail ---


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_an_e_mail_arrives_whole_by_each_way(security, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
    monkeypatch.setenv("MAIL_PASSWORD", "right")
    login = {} if security == "none" else {"user": "mesure", "password_env": "MAIL_PASSWORD"}
    server = MailServer(security=security, certificate=certificate, login=bool(login))
    try:
        Mail(mail_to(server, security=security, **login)).send(["a@example.org", "b@example.org"], NOTICE, "id-1", AT)
        [mail] = server.inbox
        assert server.encrypted == [security != "none"]
    finally:
        server.stop()
    assert mail["to"] == "a@example.org, b@example.org"
    assert mail["subject"] == "[Mesure] Budget « Réponses » : 80 % de la limite"
    assert mail["message-id"] == "<id-1@example.org>"
    assert mail["content-language"] == "fr"
    assert mail["auto-submitted"] == "auto-generated"
    text = mail.get_content()
    for part in (NOTICE.text, "- Dépensé\u00a0: 8 kWh", NOTICE.action, NOTICE.link):
        assert part in text


def test_a_server_whose_certificate_nobody_vouches_for_gets_nothing(certificate, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    server = MailServer(security="starttls", certificate=certificate)
    try:
        with pytest.raises(Undelivered, match="certificate") as failed:
            Mail(mail_to(server, security="starttls")).send(["a@example.org"], NOTICE, "id", AT)
        assert not failed.value.lasting
        assert server.inbox == []
    finally:
        server.stop()


def test_a_wrong_password_is_said_and_not_shown(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
    server = MailServer(security="tls", certificate=certificate, login=True)
    try:
        with pytest.raises(Undelivered) as failed:
            Mail(mail_to(server, security="tls", user="mesure", password="wr0ng-secret")).send(
                ["a@example.org"], NOTICE, "id", AT
            )
    finally:
        server.stop()
    assert failed.value.reason == "the mail server refuses the login"
    assert "wr0ng" not in failed.value.reason
    assert not failed.value.lasting  # it may be put right


@pytest.mark.parametrize(
    ("answer", "lasting"), [("451 come back later", False), ("554 never", True), ("552 full", True)]
)
def test_what_the_server_refuses(smtp, answer, lasting):
    smtp.answer = answer
    with pytest.raises(Undelivered) as failed:
        Mail(mail_to(smtp)).send(["a@example.org"], NOTICE, "id", AT)
    assert failed.value.lasting is lasting


def test_a_mailbox_that_is_not_there_keeps_nobody_else_from_theirs(smtp):
    Mail(mail_to(smtp)).send(["nobody@example.org", "a@example.org"], NOTICE, "id", AT)
    assert len(smtp.inbox) == 1
    with pytest.raises(Undelivered) as failed:
        Mail(mail_to(smtp)).send(["nobody@example.org"], NOTICE, "id", AT)
    assert failed.value.lasting


def test_a_server_that_is_not_there():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mail = Mail(MailSettings(host="127.0.0.1", port=port, security="none", sender="m@example.org"))
    with pytest.raises(Undelivered, match="cannot be reached"):
        mail.send(["a@example.org"], NOTICE, "id", AT)


def test_a_subject_is_one_line_whatever_names_hold():
    mail = composed("m@example.org", ["a@example.org"], NOTICE._replace(title="a\r\nBcc: x@y\n" * 30), "id", AT)
    assert "\n" not in mail["subject"]
    assert mail["bcc"] is None
    assert len(mail["subject"]) <= 150


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sender": ""}, "mail.sender"),
        ({"sender": "a@example.org", "security": "none", "password": "x"}, "without encryption"),
        ({"sender": "a@example.org", "user": "me"}, "no password"),
    ],
)
def test_settings_that_cannot_send(given, said):
    with pytest.raises(ConfigError, match=said):
        Mail(MailSettings(host="h", **given))


# --- webhooks ---


def message_of(store, clock):
    book, box = book_and_box(store, clock)
    book.record([ALERT], {"budget_threshold"}, {"web": ReceiverSettings(kind="generic", url="http://x")})
    message = box.claim()
    assert message is not None
    return message


@pytest.mark.parametrize("kind", ["generic", "slack", "teams", "mattermost"])
def test_each_shape_holds_what_matters(kind, store, clock, web):
    hook = Webhook("r", ReceiverSettings(kind=kind, url=web.url))
    hook.send(NOTICE, message_of(store, clock), AT)
    [(path, headers, body)] = web.came
    text = json.dumps(json.loads(body), ensure_ascii=False)
    for part in ("80 %", "8 kWh", "Dépensé", NOTICE.action, NOTICE.link):
        assert part in text
    assert path == "/hook"
    assert headers["content-type"].startswith("application/json")
    assert headers["idempotency-key"]


def test_slack_gets_no_markup_from_names(store, clock):
    text = json.dumps(body_of("slack", NOTICE, message_of(store, clock)), ensure_ascii=False)
    assert "&lt;de sa limite&gt; &amp; plus" in text
    assert "<de sa" not in text


def test_teams_gets_a_card_and_mattermost_a_table(store, clock):
    message = message_of(store, clock)
    card = body_of("teams", NOTICE, message)["attachments"][0]["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert card["actions"] == [{"type": "Action.OpenUrl", "title": NOTICE.link_text, "url": NOTICE.link}]
    assert body_of("teams", NOTICE._replace(link=""), message)["attachments"][0]["content"]["actions"] == []
    assert "| Limite \\| mois | 10 kWh |" in body_of("mattermost", NOTICE, message)["text"]


def test_our_own_shape_is_signed_and_whole(store, clock, web):
    message = message_of(store, clock)
    Webhook("r", ReceiverSettings(kind="generic", url=web.url, secret="k3y")).send(NOTICE, message, AT)
    [(_, headers, body)] = web.came
    assert headers["x-mesure-signature"] == signature(b"k3y", headers["x-mesure-timestamp"], body)
    assert headers["x-mesure-signature"] != signature(b"k3y", headers["x-mesure-timestamp"], body + b" ")
    assert headers["x-mesure-timestamp"] == str(int(AT.timestamp()))
    data = json.loads(body)
    assert data["alert"]["code"] == "budget_threshold"
    assert data["id"] == headers["idempotency-key"] == message.identity
    assert b"k3y" not in body


@pytest.mark.parametrize(
    ("status", "lasting"),
    [(400, True), (404, True), (410, True), (429, False), (408, False), (500, False), (503, False)],
)
def test_answers_that_another_try_may_change(status, lasting, store, clock, web):
    web.answers = [(status, {"retry-after": "90"} if status == 429 else {})]
    with pytest.raises(Undelivered, match=str(status)) as failed:
        Webhook("r", ReceiverSettings(kind="slack", url=web.url)).send(NOTICE, message_of(store, clock), AT)
    assert failed.value.lasting is lasting
    assert failed.value.wait_s == (90.0 if status == 429 else None)


def test_redirections_are_not_followed(store, clock, web):
    web.answers = [(302, {"location": web.url + "-elsewhere"})]
    with pytest.raises(Undelivered, match="302") as failed:
        Webhook("r", ReceiverSettings(kind="slack", url=web.url)).send(NOTICE, message_of(store, clock), AT)
    assert failed.value.lasting
    assert [path for path, _, _ in web.came] == ["/hook"]


def test_an_address_is_never_told(store, clock):
    hook = Webhook("r", ReceiverSettings(kind="slack", url="http://127.0.0.1:1/T0PS3CRET"))
    with pytest.raises(Undelivered) as failed:
        hook.send(NOTICE, message_of(store, clock), AT)
    assert "T0PS3CRET" not in failed.value.reason


@pytest.mark.parametrize("url", ["", "ftp://x/y", "file:///etc/passwd", "http://", "javascript:alert(1)"])
def test_addresses_that_are_none(url):
    with pytest.raises(ConfigError, match="http or https"):
        Webhook("r", ReceiverSettings(kind="slack", url=url))


def test_an_address_from_the_environment(monkeypatch, store, clock, web):
    monkeypatch.setenv("HOOK", web.url)
    Webhook("r", ReceiverSettings(kind="slack", url_env="HOOK")).send(NOTICE, message_of(store, clock), AT)
    assert len(web.came) == 1


# --- from an alert to receivers ---


def test_one_alert_arrives_once_at_each_receiver_in_its_language(store, clock, smtp, web):
    settings = settings_of(
        smtp,
        team=TEAM,
        office=ReceiverSettings(kind="email", to=["office@example.org"], language="en"),
        chat=ReceiverSettings(kind="slack", url=web.url, language="en"),
    )
    book, box = book_and_box(store, clock)
    delivery = Delivery(settings, rendered)
    for _ in range(3):  # looked at again and again, it stays one thing
        book.record([ALERT], {"budget_threshold"}, settings.receivers)
        clock.now += 60
        delivery.run(box)
    assert sorted((mail["to"], mail["content-language"]) for mail in smtp.inbox) == [
        ("equipe@example.org", "fr"),
        ("office@example.org", "en"),
    ]
    assert {mail["subject"] for mail in smtp.inbox} == {f"[Mesure] {NOTICE.title}", "[Mesure] Budget at 80 %"}
    assert len(web.came) == 1
    assert [message.state for message in box.all()] == ["sent"] * 3
    assert all([outcome for _, outcome in box.attempts(message)] == ["sent"] for message in box.all())


def test_a_receiver_that_is_away_is_tried_again_later(store, clock, web):
    settings = settings_of(chat=ReceiverSettings(kind="slack", url=web.url))
    book, box = book_and_box(store, clock)
    delivery = Delivery(settings, rendered)
    web.answers = [(503, {}), (503, {})]
    book.record([ALERT], {"budget_threshold"}, settings.receivers)
    assert delivery.run(box) == 1
    assert delivery.run(box) == 0  # not at once
    clock.now += 31
    assert delivery.run(box) == 1
    clock.now += 31
    assert delivery.run(box) == 0  # longer each time
    clock.now += 120
    assert delivery.run(box) == 1
    [message] = box.all()
    assert message.state == "sent"
    outcomes = [outcome for _, outcome in box.attempts(message)]
    assert outcomes == ["the receiver answered 503"] * 2 + ["sent"]
    assert len({headers["idempotency-key"] for _, headers, _ in web.came}) == 1


def test_in_the_end_it_is_given_up_and_shown(store, clock, web):
    settings = settings_of(chat=ReceiverSettings(kind="slack", url=web.url))
    book, box = book_and_box(store, clock)
    delivery = Delivery(settings, rendered)
    web.answers = [(503, {})] * 50
    book.record([ALERT], {"budget_threshold"}, settings.receivers)
    for _ in range(20):
        delivery.run(box)
        clock.now += 25 * 3600
    [message] = box.all()
    assert message.state == "dead"
    assert message.last_error == "the receiver answered 503"
    assert len(web.came) == message.attempts == 7
    web.answers = []
    assert box.retry() == 1
    delivery.run(box)
    assert box.all()[0].state == "sent"


def test_what_can_never_arrive_is_given_up_at_once(store, clock, web):
    settings = settings_of(chat=ReceiverSettings(kind="slack", url=web.url))
    book, box = book_and_box(store, clock)
    web.answers = [(404, {})]
    book.record([ALERT], {"budget_threshold"}, settings.receivers)
    Delivery(settings, rendered).run(box)
    assert box.all()[0].state == "dead"
    assert len(web.came) == 1


def test_a_sender_that_died_before_it_noted_sends_again_under_the_same_identity(store, clock, smtp, web):
    """At least once: what was sent and not noted comes again, and its identity tells."""
    settings = settings_of(smtp, team=TEAM, chat=ReceiverSettings(kind="generic", url=web.url))
    book, box = book_and_box(store, clock)

    class Dies(Outbox):
        def sent(self, message):
            raise SystemExit  # after the message has left

    book.record([ALERT], {"budget_threshold"}, settings.receivers)
    for _ in range(2):
        with pytest.raises(SystemExit):
            Delivery(settings, rendered).run(Dies(store, clock=clock))
    living = Delivery(settings, rendered)
    assert living.run(box) == 0  # claimed still
    clock.now += 121
    assert living.run(box) == 2
    assert len(smtp.inbox) == len(web.came) == 2
    assert len({mail["message-id"] for mail in smtp.inbox}) == 1
    assert len({headers["idempotency-key"] for _, headers, _ in web.came}) == 1
    clock.now += 3600
    assert living.run(box) == 0


def test_two_senders_share_the_work_and_send_nothing_twice(store, clock, web):
    settings = settings_of(chat=ReceiverSettings(kind="generic", url=web.url))
    book, _ = book_and_box(store, clock)
    alerts = [replace(ALERT, key=f"k{number}") for number in range(12)]
    book.record(alerts, {"budget_threshold"}, settings.receivers)
    senders = [(Delivery(settings, rendered), Outbox(store, clock=clock)) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(lambda sender: sender[0].run(sender[1]), senders)) == 12
    assert len({headers["idempotency-key"] for _, headers, _ in web.came}) == len(web.came) == 12


def test_a_receiver_taken_out_of_the_settings_and_words_that_fail(store, clock, web):
    chat = ReceiverSettings(kind="slack", url=web.url)
    book, box = book_and_box(store, clock)
    book.record([ALERT], {"budget_threshold"}, {"gone": chat, "chat": chat})

    def broken(message, language):
        raise ZeroDivisionError

    Delivery(settings_of(chat=chat), broken).run(box)
    states = {message.receiver: (message.state, message.last_error) for message in box.all()}
    assert states["gone"][0] == "dead"
    assert states["chat"] == ("waiting", "a defect of Mesure: ZeroDivisionError")


def test_an_e_mail_receiver_needs_a_server_and_addresses(smtp):
    with pytest.raises(ConfigError, match="mail server"):
        Delivery(settings_of(team=TEAM), rendered)
    with pytest.raises(ConfigError, match="mail server"):
        Delivery(settings_of(smtp, team=ReceiverSettings(kind="email")), rendered)


def test_a_test_message_goes_to_each(store, clock, web):
    settings = settings_of(chat=ReceiverSettings(kind="slack", url=web.url))
    box = Outbox(store, clock=clock)
    [made] = box.test(["chat"], ALERT.to_json())
    assert Delivery(settings, rendered).run(box) == 1
    assert box.all()[0].id == made
    assert (box.all()[0].kind, box.all()[0].state) == ("test", "sent")
