"""A user's own file overrides and extends, under the same rules."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from mesure.catalogue import Catalogue, current, store, use
from mesure.catalogue.user_file import user_file_in
from mesure.errors import CatalogueError

SOURCED = """
year = 2026
source = "Acme, register 12"
source_url = "internal"
licence = "internal"
status = "published"
"""

OWN = f"""
[[factor]]
table = "models"
entity = "acme-support-7b"
parameter = "total_params_b"
value = 7.6
unit = "1e9 parameters"
{SOURCED}
[[factor]]
table = "grids"
entity = "FRA"
parameter = "intensity_market"
value = 12
unit = "gCO2e/kWh"
{SOURCED}
[[factor]]
table = "grids"
entity = "ACME-SOLAR"
parameter = "intensity"
value = 40
unit = "gCO2e/kWh"
{SOURCED}
[[factor]]
table = "sites"
entity = "azure"
parameter = "pue"
value = 1.33
unit = "ratio"
{SOURCED}
[[factor]]
table = "models"
entity = "gpt-4o"
parameter = "active_params_b"
value = 55
low = 50
high = 60
unit = "1e9 parameters"
{SOURCED}
[[factor]]
table = "accelerators"
entity = "acme-npu"
parameter = "board_power_w"
value = 90
unit = "W"
{SOURCED}
[[factor]]
table = "hosts"
entity = "acme"
parameter = "FRA"
value = 1
unit = "share (acme)"
{SOURCED}
[[name]]
name = "FT:acme-Support"
model = "llama-3.1-8b"
source = "Acme"
licence = "internal"
[[price]]
provider = "acme"
model = "acme-support-7b"
valid_from = "2026-02-01"
input = 0.2
output = 0.4
unit = "USD/Mtoken"
{SOURCED.replace('status = "published"', "")}
"""


@pytest.fixture
def own(tmp_path: Path) -> Catalogue:
    path = tmp_path / "catalogue.toml"
    path.write_text(OWN, encoding="utf-8")
    return current().with_user_file(path)


def test_the_version_shows_it(own: Catalogue) -> None:
    edition, _, fingerprint = own.version.partition("+user.")
    assert edition == current().version
    assert len(fingerprint) == 8
    assert set(fingerprint) <= set("0123456789abcdef")


def test_what_it_adds_is_found(own: Catalogue) -> None:
    mine = own.model("acme-support-7b")
    assert [factor.value for factor in mine.all("total_params_b")] == [7.6]
    assert mine.maker == "yours"
    assert own.model("ft:acme-support").id == "llama-3.1-8b"
    assert "acme-support-7b" in own.models()
    power = own.accelerator("acme-npu").board_power_w
    assert power
    assert power.value == 90
    host = own.host("acme")
    assert host
    assert host.places == (("FRA", 1.0),)
    assert own.price("acme", "acme-support-7b", date(2026, 3, 1)) is not None
    assert own.price("acme", "acme-support-7b", date(2026, 1, 1)) is None
    solar = own.grid("ACME-SOLAR")
    assert solar
    assert solar.value == 40
    assert own.zone("acme-solar") is not None


def test_a_contract_stands_beside_the_location_never_instead(own: Catalogue) -> None:
    market = own.grid_factor("FRA", "intensity_market")
    assert market
    assert market.value == 12
    assert own.grid("FRA") == current().grid("FRA")


def test_what_it_states_replaces_every_packaged_row(own: Catalogue) -> None:
    assert len(current().model("gpt-4o").all("active_params_b")) >= 1
    [active] = own.model("gpt-4o").all("active_params_b")
    assert (active.low, active.value, active.high) == (50, 55, 60)
    assert own.model("gpt-4o").all("total_params_b") == current().model("gpt-4o").all("total_params_b")
    pue = own.site("azure", "pue")
    assert pue
    assert pue.value == 1.33


def test_its_factors_lead_back_by_id(own: Catalogue) -> None:
    market = own.grid_factor("FRA", "intensity_market")
    assert market
    assert market.id == "user.grids.FRA.intensity_market.2026"
    assert own.factor(market.id) == market
    assert own.check()["models"] > 0
    assert market in own.factors()


def test_a_table_as_csv(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.csv"
    path.write_text(
        "table,entity,parameter,value,low,high,unit,year,source,source_url,licence,status,note\n"
        "sites,acme-hosting,pue,1.32,,,ratio,2025,Acme,https://example.org,internal,published,\n",
        encoding="utf-8",
    )
    found = current().with_user_file(path).site("acme-hosting", "pue")
    assert found
    assert found.value == 1.32


@pytest.mark.parametrize("column", ["unit", "source", "source_url", "year", "licence", "status", "value"])
def test_a_row_without_provenance_is_refused_with_its_place(tmp_path: Path, column: str) -> None:
    first = OWN[: OWN.index("[[factor]]", 5)]
    kept = [line for line in first.splitlines() if not line.startswith(f"{column} =")]
    path = tmp_path / "mine.toml"
    path.write_text("\n".join(kept), encoding="utf-8")
    with pytest.raises(CatalogueError) as refused:
        current().with_user_file(path)
    assert f"Table mine.toml [[factor]], line 1, column {column}" in str(refused.value)
    assert refused.value.action


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[facts]]\nx = 1", "not a table of your own factors"),
        ("[factor]\nx = 1", "not a table of your own factors"),
        ("[[factor]]\ntabel = 'models'", "a column that does not exist"),
        ("[[factor]]\ntable = 'model'", "names no table of factors"),
        ("[[factor]]\ntable = 'models_mpl'", "names no table of factors"),
        ("[[factor", "cannot be read"),
        ("[[name]]\nname = 'a'\nmodel = 'b'\nsource = 'c'", "column licence"),
        ("[[price]]\nprovider = 'a'\nmodel = 'b'\nvalid_from = 'soon'", "column unit"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "catalogue.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogueError, match=said):
        current().with_user_file(path)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="cannot be read"):
        current().with_user_file(tmp_path / "none.toml")


def test_it_is_looked_for_in_the_data_folder(tmp_path: Path) -> None:
    assert user_file_in(tmp_path) is None
    (tmp_path / "catalogue.csv").write_text("table\n", encoding="utf-8")
    assert user_file_in(tmp_path) == tmp_path / "catalogue.csv"
    (tmp_path / "catalogue.toml").write_text("", encoding="utf-8")
    assert user_file_in(tmp_path) == tmp_path / "catalogue.toml"


def test_another_catalogue_is_taken_into_use_until_the_test_ends(own: Catalogue) -> None:
    packaged = current()
    use(own)
    assert current() is own
    use(None)
    assert current() is packaged
    use(own)  # left so, for the next test


def test_no_test_leaves_its_catalogue_to_the_next() -> None:
    assert current() is store.packaged()


def test_what_rests_on_the_catalogue_left_is_told_once_per_change(own: Catalogue) -> None:
    told: list[str] = []
    store.when_changed(lambda: told.append(current().version))
    try:
        use(None)
        assert told == []  # it was in use already
        use(own)
        use(own)
        use(None)
    finally:
        store._resting.pop()
    assert told == [own.version, store.packaged().version]
