"""Mapping files: what is wrong with one is said with its key and the likely cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from producers.rows.importer import read_files
from producers.rows.mapping import SHIPPED, load_mapping
from schemas.errors import MappingError
from tests.producers.rows.row_helpers import BASIC, only, read_text

NAMES = sorted(file.stem for file in SHIPPED.glob("*.toml"))


def problem(folder: Path, text: str) -> str:
    path = folder / "m.toml"
    path.write_text(text)
    with pytest.raises(MappingError) as error:
        load_mapping(str(path))
    return str(error.value)


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_mapping_loads_by_its_name_and_describes_itself(name: str) -> None:
    assert load_mapping(name).description
    assert load_mapping(f"{name}.toml") == load_mapping(name)


def test_an_unknown_mapping_is_answered_with_the_known_ones() -> None:
    with pytest.raises(MappingError, match=r"did you mean 'perth_kinross'\?.*acn_data, elaadnl"):
        load_mapping("perth_kinros")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name = ", "is not TOML"),
        ('station = "s"\nstart = "t"\nzone = "UTC"', "name is missing"),
        (BASIC + 'conector = "c"', "conector is no key of a mapping: did you mean 'connector'?"),
        (BASIC + 'connector = { colunm = "c" }', "colunm is no key of a mapping: did you mean 'co"),
        (BASIC + "[source]\nseparater = ';'", "did you mean 'separator'?"),
        (BASIC.replace('zone = "UTC"', ""), "start has no time zone: say zone ="),
        (BASIC.replace("UTC", "Europe/Londn"), "'Europe/Londn' is no time zone"),
        (BASIC + 'paid = "p"', "paid needs a currency"),
        (BASIC + "connector = { }", "say one of column, columns and value"),
        (
            BASIC + 'duration = { column = "d", unit = "fortnight" }',
            "'fortnight' is not one of",
        ),
        (BASIC + 'user = { column = "u", replace = [["(", ""]] }', "is not a regular expression"),
        (BASIC + '[source]\nencoding = "utf-9"', "'utf-9' is not known"),
        (BASIC + '[[skip]]\ncolumn = "a"\nreason = "r"', "say one of equals, one_of, matches"),
        ('repairs = ["swap"]\n' + BASIC, "repairs.0"),
    ],
)
def test_what_is_wrong_with_a_mapping_is_said(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in problem(tmp_path, text)


def test_a_date_format_that_is_none_is_refused(tmp_path: Path) -> None:
    mapping = tmp_path / "m.toml"
    mapping.write_text('formats = ["YYYY-MM-DD"]\n' + BASIC)

    with pytest.raises(MappingError, match=r"'YYYY-MM-DD' is neither a strptime format"):
        read_text(tmp_path, "station,start,end,kwh\n", load_mapping(str(mapping)))


def test_acn_data_is_read_with_its_shipped_mapping(tmp_path: Path) -> None:
    path = tmp_path / "acn.json"
    path.write_text("""{"_meta": {"site": "caltech"}, "_items": [{
      "connectionTime": "Wed, 25 Apr 2018 13:08:04 GMT",
      "disconnectTime": "Wed, 25 Apr 2018 15:08:04 GMT",
      "doneChargingTime": "Wed, 25 Apr 2018 14:20:10 GMT",
      "kWhDelivered": 7.932, "sessionID": "2_39_78_362_2018-04-25 11:08:04.400812",
      "siteID": "0002", "stationID": "2-39-78-362", "userID": null}]}""")
    session = only(read_files([path], load_mapping("acn_data")))

    assert (session.station, session.area, session.user, session.energy_wh) == (
        "2-39-78-362",
        "0002",
        None,
        7932,
    )
    assert session.end is not None
    assert session.charging_end is not None
    assert session.end.ms - session.start.ms == 2 * 3_600_000
    assert session.charging_end.ms - session.start.ms == (72 * 60 + 6) * 1000


def test_elaadnl_is_read_with_its_shipped_mapping(tmp_path: Path) -> None:
    path = tmp_path / "elaad.csv"
    path.write_text(
        "TransactionId;ChargePoint;Connector;UTCTransactionStart;UTCTransactionStop;StartCard;"
        "ConnectedTime;ChargeTime;TotalEnergy;MaxPower\n"
        "3491779;0a9d61;1;01-01-2019 04:18;01-01-2019 14:48;f0e5a9;10,5;3,25;36,83;11,049\n"
    )
    session = only(read_files([path], load_mapping("elaadnl")))

    assert (session.transaction_id, session.connector, session.energy_wh) == ("3491779", 1, 36_830)
    assert session.end is not None
    assert session.charging_end is not None
    assert session.end.ms - session.start.ms == 10.5 * 3_600_000
    assert session.charging_end.ms - session.start.ms == 3.25 * 3_600_000
