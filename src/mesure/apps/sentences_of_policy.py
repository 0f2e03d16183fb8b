"""Sentences of budgets, alerts and those who are told of them, beside those of `sentences`."""

from __future__ import annotations

from mesure.i18n import mark

__all__ = ["PLAIN", "WITH_VALUES"]

WITH_VALUES = (mark("The data folder cannot be used: {reason}"),)

PLAIN = (
    mark("A budget's name has 1 to 80 characters"),
    mark("Shorten it"),
    mark("A budget's limit must be above 0"),
    mark("Give it a limit, in its unit"),
    mark("A budget cannot be in this unit"),
    mark("Use kWh, kgCO2eq, L, calls, or a currency such as EUR"),
    mark("Thresholds are shares of the limit, above 0"),
    mark("Write 80 % as 0.8"),
    mark("outage_share is a share of the limit"),
    mark("Write 10 % as 0.1"),
    mark("A budget's name is a line of text"),
    mark("Use letters and digits"),
    mark("No budget of the state store has this name"),
    mark("See the names with: mesure budgets list; those of mesure.toml are changed there"),
    mark("No alert has this name, or several have"),
    mark("See them with: mesure alerts list"),
    mark("mail.sender must be an e-mail address"),
    mark("Write it as mesure@example.org"),
    mark("A password is never sent without encryption"),
    mark("Use starttls or tls, or leave the password out"),
    mark("The mail server's user has no password"),
    mark("Set mail.password_env to the variable that holds it"),
    mark("A webhook needs an http or https address"),
    mark("Give its url, or url_env with the variable that holds it"),
    mark("A receiver of e-mail needs addresses, and a mail server"),
    mark("Give its `to`, and `host` under [mail]"),
    mark("No budget has this name"),
    mark("See the names with: mesure budgets list"),
    mark("No receiver of alerts is configured"),
    mark("Write [receivers.<name>] in mesure.toml; see docs/alerts.md"),
    mark("No receiver has this name"),
    mark("Use a name of a [receivers.<name>] table"),
)
