"""Catalogue files of every format into rows, and every error with file, line and field."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from laddstream.catalogue import Contents, Defaults, Source, read
from schemas.errors import UserError
from streams.core.ocpi.tariffs import read_tariff
from streams.core.pricing.compiled import compile_tariff
from streams.core.pricing.engine import price
from streams.core.pricing.usage import Flow, usage_of

ROOT = Path(__file__).parents[2]


def taken(path: Path, text: str, **options: Any) -> Contents:
    path.write_text(text, "utf-8")
    return read([path], "t", **options)


def values(contents: Contents) -> dict[tuple[str, ...], dict[str, Any] | None]:
    assert [one.text for one in contents.faults] == []
    return {(row.key[0], *row.key[2:]): row.values for row in contents.rows}


def told(contents: Contents) -> list[tuple[int, str, str]]:
    return [(one.line, one.field, one.what) for one in contents.faults]


def test_yaml_reads_words_as_people_mean_them(tmp_path: Path) -> None:
    text = """
stations:
  - {station_id: 0042, country: NO, name: on, area: 1.10, latitude: 59.1234567}
companies:
  - company_id: acme
    currency: NOK
    pays: {start_time: 08:30, end_time: 18:00}
drivers:
  - {driver_id: d, tokens: [04E12345, 0612, 12, "7"], valid_from: 2026-03-01}
"""
    found = values(taken(tmp_path / "a.yaml", text))
    station = found["stations", "0042"]
    assert station is not None
    assert (station["country"], station["name"], station["area"]) == ("NO", "on", "1.10")
    assert station["latitude"] == Decimal("59.123457")
    company = found["companies", "acme"]
    assert company is not None
    assert json.loads(company["company_json"])["pays"]["start_time"] == "08:30"
    assert {key[1] for key in found if key[0] == "drivers"} == {"04E12345", "0612", "12", "7"}


def test_numbers_of_a_tariff_stay_as_exact_as_they_are_written(tmp_path: Path) -> None:
    component = {"type": "ENERGY", "price": 0.1234567890123, "step_size": 1}
    tariff = {"id": "T", "currency": "SEK", "elements": [{"price_components": [component]}]}
    (row,) = taken(tmp_path / "a.json", json.dumps(tariff)).rows
    text = "tariffs:\n- {id: T, currency: SEK, elements: [{price_components: [{type: ENERGY, price: 0.1234567890123, step_size: 1}]}]}\n"  # noqa: E501
    (same,) = taken(tmp_path / "a.yaml", text).rows

    assert row.values is not None
    assert '"price":0.1234567890123' in row.values["ocpi_json"]
    assert row.values == same.values


def test_the_same_entries_as_yaml_json_and_csv_are_the_same_rows(tmp_path: Path) -> None:
    station = {
        "station_id": "S1",
        "area": "Norr",
        "latitude": 59.5,
        "rated_power_w": 22000,
        "connectors": [{"connector_id": "1", "power_w": 22000}, {"connector_id": "2"}],
    }
    assignment = {"assignment_id": "a", "free": True, "stations": ["S1", "S2"], "priority": 3,
                  "from": "2026-03-01"}  # fmt: skip
    plan = {"plan_id": "p", "currency": "SEK", "monthly_fee": {"excl_vat": "79.20", "vat": 25}}
    whole = {"stations": [station], "assignments": [assignment], "plans": [plan]}
    from_json = taken(tmp_path / "a.json", json.dumps(whole))
    folder = tmp_path / "csv"
    folder.mkdir()
    (folder / "s.csv").write_text(
        "station_id,area,latitude,rated_power_w,connectors\nS1,Norr,59.5,22000,1:22000;2\n"
    )
    (folder / "a.csv").write_text(
        "assignment_id;free;stations;priority;from\na;true;S1|S2;3;2026-03-01\n"
    )
    (folder / "p.csv").write_text(
        "plan_id,currency,monthly_fee.excl_vat,monthly_fee.vat\np,SEK,79.20,25\n"
    )

    assert values(from_json) == values(read([folder], "t"))


def test_tariffs_in_csv_are_one_element_of_plain_prices(tmp_path: Path) -> None:
    text = "id,currency,energy,flat,vat\nT1,SEK,3.50,1,25\n"
    (row,) = taken(tmp_path / "a.csv", text).rows

    assert row.values is not None
    assert json.loads(row.values["ocpi_json"]) == {
        "id": "T1", "currency": "SEK", "elements": [{"price_components": [
            {"type": "ENERGY", "price": 3.5, "step_size": 1, "vat": 25},
            {"type": "FLAT", "price": 1, "step_size": 1, "vat": 25},
        ]}]}  # fmt: skip


def element(**changes: Any) -> dict[str, Any]:
    component = {"type": "ENERGY", "price": 1, "step_size": 1} | changes
    return {"price_components": [component]}


def tariff_with(**changes: Any) -> dict[str, Any]:
    return {"id": "T", "currency": "SEK", "elements": [element()]} | changes


def limited(**restrictions: Any) -> dict[str, Any]:
    return tariff_with(elements=[element() | {"restrictions": restrictions}])


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (tariff_with(elements=[]), "/elements"),
        (tariff_with(elements=[{"price_components": []}]), "/elements/0/price_components"),
        (tariff_with(elements=[element(step_size=-1)]),
         "/elements/0/price_components/0/step_size"),
        (tariff_with(elements=[element(), element(type="SESSION_TIME")]),
         "/elements/1/price_components/0/type"),
        (tariff_with(elements=[element(price="cheap")]), "/elements/0/price_components/0/price"),
        (tariff_with(currency="kr"), "/currency"),
        (tariff_with(currency="XTS"), "/currency"),
        (tariff_with(id=""), "/id"),
        (limited(min_kwh=10, max_kwh=5), "/elements/0/restrictions/max_kwh"),
        (limited(min_duration=60, max_duration=60), "/elements/0/restrictions/max_duration"),
        (limited(start_date="2026-03-02", end_date="2026-03-01"),
         "/elements/0/restrictions/end_date"),
        (limited(day_of_week=["FUNDAY"]), "/elements/0/restrictions/day_of_week/0"),
        (limited(start_time="25:00"), "/elements/0/restrictions/start_time"),
        (tariff_with(min_price={"excl_vat": 2}, max_price={"excl_vat": 1}), "/max_price"),
        (tariff_with(start_date_time="2026-03-02T00:00:00Z",
                     end_date_time="2026-03-01T00:00:00Z"), "/end_date_time"),
    ],
)  # fmt: skip
def test_a_bad_tariff_is_refused_with_the_field_named(
    tmp_path: Path, document: dict[str, Any], field: str
) -> None:
    text = json.dumps({"tariffs": [tariff_with(id="good"), document]}, indent=1)

    found = told(taken(tmp_path / "a.json", text))

    assert [one[1] for one in found] == [f"/tariffs/1{field}"]
    name = field.rpartition("/")[2]
    line = text.splitlines()[found[0][0] - 1]
    assert f'"{name}"' in line or name == "0"


def test_unknown_dimensions_are_left_out_where_that_is_asked_for(tmp_path: Path) -> None:
    elements = [element(), element(type="SESSION_TIME")]
    text = json.dumps(tariff_with(elements=elements))

    contents = taken(tmp_path / "a.json", text, defaults=Defaults("t", ignore_unknown=True))

    assert list(values(contents)) == [("tariffs", "T")]
    assert ["SESSION_TIME" in note for note in contents.notes] == [True]


WRONG = """\
stations:
  - station_id: S1
    latitude: 95
    time_zone: Mars/Base
    colour: red
  - name: no id
  - {station_id: S3, connectors: [{connector_id: 1, power_w: -1}]}
companies:
  - {company_id: c, currency: kr, pays: {days: [FUNDAY], start_time: 8, share_percent: 101}}
plans:
  - {plan_id: p, currency: SEK, monthly_fee: {excl_vat: -1}, proration: weekly, time_zone: X}
drivers:
  - {driver_id: d, tokens: []}
subscriptions:
  - {driver_id: d, plan_id: p, from: soon}
  - {driver_id: d, plan_id: p, from: 2026-03-02, until: 2026-03-01}
assignments:
  - {assignment_id: a}
  - {assignment_id: b, free: true, tariff_id: T}
  - {assignment_id: c, free: true, from: 2026-03-02, until: 2026-03-01}
vehicles: []
"""


def test_every_wrong_field_is_listed_with_its_line(tmp_path: Path) -> None:
    found = told(taken(tmp_path / "a.yaml", WRONG))

    assert sorted((line, field) for line, field, _ in found) == [
        (3, "/stations/0/latitude"), (4, "/stations/0/time_zone"), (5, "/stations/0/colour"),
        (6, "/stations/1/station_id"), (7, "/stations/2/connectors/0/power_w"),
        (9, "/companies/0/currency"), (9, "/companies/0/pays/days/0"),
        (9, "/companies/0/pays/share_percent"), (9, "/companies/0/pays/start_time"),
        (11, "/plans/0/monthly_fee/excl_vat"), (11, "/plans/0/proration"),
        (11, "/plans/0/time_zone"), (13, "/drivers/0/tokens"),
        (15, "/subscriptions/0/from"), (16, "/subscriptions/1/until"),
        (18, "/assignments/0"), (19, "/assignments/1"), (20, "/assignments/2/until"),
        (21, "/vehicles"),
    ]  # fmt: skip


def test_csv_names_line_and_column(tmp_path: Path) -> None:
    text = 'station_id,name,latitude,time_zone\nS1,"two\nlines",1,\n\nS2,,91,Nowhere\nS1,,,,\n'

    found = told(taken(tmp_path / "a.csv", text))

    assert sorted((line, field) for line, field, _ in found) == [
        (2, "name"), (5, "latitude"), (5, "time_zone"), (6, ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "line", "what"),
    [
        ("a.json", '{"stations": [\n{"station_id" "x"}]}', 2, "no JSON"),
        ("a.yaml", "stations:\n  - {station_id: x\n  - y: z\n", 3, "not YAML"),
        ("a.yaml", "stations:\n- station_id: a\n  station_id: b\n", 3, "stands twice"),
        ("a.yaml", "", 0, "empty"),
        ("a.yaml", "a: &a [*a]\nstations: *a\n", 1, "nested"),
        ("a.json", '{"sessions": []}', 1, "nothing the catalogue knows"),
        ("a.json", "[1]", 1, "nothing the catalogue knows"),
        ("a.json", '{"stations": [3]}', 1, "an object is expected"),
        ("a.json", '{"stations": {}}', 1, "a list is expected"),
        ("a.csv", "who,what\n1,2\n", 1, "names no key of a list"),
    ],
)
def test_a_file_that_is_none_is_an_error_with_its_line(
    tmp_path: Path, name: str, text: str, line: int, what: str
) -> None:
    found = told(taken(tmp_path / name, text))

    assert (found[0][0], what in found[0][2]) == (line, True), found


def test_what_is_no_text_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"stations:\n- name: \xff\n")
    assert told(read([tmp_path / "a.yaml"], "t"))[0][:2] == (2, "")
    with pytest.raises(UserError, match="cannot be read"):
        read([tmp_path / "nope.yaml"], "t")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no file"):
        read([tmp_path / "empty"], "t")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("stations:\n- station_id: a\n- station_id: b\n- station_id: a\n", [4]),
        ("stations:\n- station_id: a\n- {station_id: a, valid_from: 2026-01-01}\n", []),
        ("stations:\n- station_id: a\n- {station_id: a, tenant: other}\n", []),
        ("drivers:\n- {driver_id: a, tokens: [AB]}\n- {driver_id: b, tokens: [ab]}\n", [3]),
        ("drivers:\n- {driver_id: a, tokens: [A]}\n- {driver_id: a, tokens: [B]}\n", [3]),
    ],
)
def test_an_entry_that_is_there_twice_is_an_error(
    tmp_path: Path, text: str, lines: list[int]
) -> None:
    assert [one[0] for one in told(taken(tmp_path / "a.yaml", text))] == lines


def test_versions_of_a_tariff_begin_where_their_dates_say(tmp_path: Path) -> None:
    march, epoch = 1772323200000, 0
    documents = [tariff_with(end_date_time="2026-03-01T00:00:00Z"),
                 tariff_with(start_date_time="2026-03-01T00:00:00Z")]  # fmt: skip

    contents = taken(tmp_path / "a.json", json.dumps({"tariffs": documents}))

    assert [row.from_ms for row in contents.rows] == [epoch, march]
    assert contents.faults == []


@pytest.mark.data
@pytest.mark.parametrize("name", ["berlin", "london", "paris"])
def test_open_charge_map_loads_with_countries_and_connectors(shared_data: Path, name: str) -> None:
    folder = shared_data / "stations_ocm"
    pois = json.loads((folder / f"{name}_raw.json").read_bytes())
    quantities = [one.get("Quantity") or 1 for poi in pois for one in poi["Connections"]]
    country = {"berlin": "DE", "london": "GB", "paris": "FR"}[name]

    rows = [row for row in values(read([folder / f"{name}_raw.json"], "t")).values() if row]

    assert len(rows) == len(pois) == 100
    assert Counter(row["country"] for row in rows) == {country: 100}
    assert {row["time_zone"] for row in rows} == {f"Europe/{name.capitalize()}"}
    connectors = [one for row in rows for one in json.loads(row["connectors"] or "[]")]
    assert len(connectors) == sum(quantities)
    assert all(one["standard"] and not one["standard"].startswith("OCM-") for one in connectors)


@pytest.mark.data
def test_a_folder_of_open_charge_map_is_300_stations(shared_data: Path) -> None:
    assert len(values(read([shared_data / "stations_ocm"], "t"))) == 300


@pytest.mark.data
def test_nobil_loads_with_prose_power_and_capitals(shared_data: Path) -> None:
    found = values(read([shared_data / "stations_nobil"], "t"))

    rows = [row for row in found.values() if row]
    powers = Counter(
        one["power_w"] for row in rows for one in json.loads(row["connectors"] or "[]")
    )
    assert len(rows) == 24
    assert Counter(row["city"] for row in rows) == {"Uppsala": 22, "Knivsta": 1, "Nässjö": 1}
    assert {row["time_zone"] for row in rows} == {"Europe/Stockholm"}
    assert powers == {22000: 37, 3600: 22, 135000: 10, 50000: 8, 11000: 6, 43000: 4, 7400: 1}
    assert found["stations", "SWE_03108"]["latitude"] == Decimal("59.85178")  # type: ignore[index]


def test_a_country_of_many_zones_needs_one_to_be_named(tmp_path: Path) -> None:
    poi = {"ID": 1, "AddressInfo": {"Title": "A", "Country": {"ISOCode": "US"}}, "Connections": []}
    path = tmp_path / "a.json"

    (fault,) = taken(path, json.dumps([poi])).faults
    named = values(read([path], "t", source=Source(zone="America/Chicago")))

    assert "--tz" in fault.what
    assert named["stations", "OCM-1"]["time_zone"] == "America/Chicago"  # type: ignore[index]


@pytest.mark.data
def test_ocpi_locations_and_tokens_become_stations_and_drivers(shared_data: Path) -> None:
    folder = shared_data / "ocpi_spec_examples"
    stations = read([folder / "location_example.json"], "t")
    found = values(stations)

    assert list(found) == [("stations", "3256"), ("stations", "3257")]
    station = found["stations", "3256"]
    assert station is not None
    assert (station["country"], station["time_zone"]) == ("BE", "Europe/Brussels")
    assert (station["tariff_id"], station["rated_power_w"]) == ("11", 220 * 16 * 3)
    assert stations.notes == [
        "station 3256 names several tariffs: 11 is its own; assign 13 where they apply"
    ]
    tokens = [folder / "token_example_1_app_user.json", folder / "token_example_2_full_rfid.json"]
    partner, own = (
        values(read(tokens, "t", source=Source(own_party=party))) for party in ("SE-LAD", "DE-TNM")
    )
    assert {row["partner_id"] for row in partner.values() if row} == {"DE-TNM"}
    assert {row["partner_id"] for row in own.values() if row} == {""}
    assert {row["driver_id"] for row in own.values() if row} == {"DE8ACC12E46L89"}
    assert own["drivers", "12345678905880"]["groups"] == ["DF000-2001-8999"]  # type: ignore[index]


@pytest.mark.data
def test_every_tariff_of_the_specification_loads(shared_data: Path) -> None:
    paths = sorted((shared_data / "ocpi_spec_examples").glob("tariff_*.json"))

    contents = read(paths, "t", defaults=Defaults("t"))
    wrong = {one.file for one in contents.faults if "is there already" not in one.what}

    assert len(paths) == 20
    assert wrong == set()


def test_an_ocpi_answer_is_unwrapped(tmp_path: Path) -> None:
    answer = {"data": [tariff_with()], "status_code": 1000, "timestamp": "2026-03-01T00:00:00Z"}
    wrong = answer | {"data": [tariff_with(currency="kr")]}

    assert list(values(taken(tmp_path / "a.json", json.dumps(answer)))) == [("tariffs", "T")]
    (fault,) = taken(tmp_path / "a.json", json.dumps(wrong, indent=1)).faults
    assert (fault.field, fault.line) == ("/data/0/currency", 5)


def test_the_example_catalogue_is_complete_and_right() -> None:
    contents = read([ROOT / "examples" / "catalogue"], "t")

    assert [one.text for one in contents.faults] == []
    assert contents.notes == []
    assert {row.key[0] for row in contents.rows} == {
        "stations", "tariffs", "drivers", "companies", "plans", "subscriptions", "assignments",
    }  # fmt: skip


MINUTE = 60_000


@pytest.mark.parametrize(
    ("charging", "parking", "cents"),
    [
        (3 * 60 + 59, 0, 0), (4 * 60, 0, 0), (4 * 60 + 5, 0, 50), (4 * 60 + 32, 0, 58),
        (6 * 60, 0, 200), (60, 5 * 60, 200), (60, 3 * 60 + 32, 58), (4 * 60 + 10, 22, 58),
    ],
)  # fmt: skip
def test_the_workplace_tariff_is_four_hours_free_then_a_dollar_an_hour(
    charging: int, parking: int, cents: int
) -> None:
    contents = read([ROOT / "examples" / "catalogue" / "tariffs.json"], "t")
    (row,) = (row for row in contents.rows if row.key[2] == "workplace")
    tariff = read_tariff(json.loads((row.values or {})["ocpi_json"], parse_float=Decimal)).tariff
    assert tariff is not None
    middle, end = charging * MINUTE, (charging + parking) * MINUTE
    flows = [Flow(0, middle, 7_000_000, middle, 0)]
    flows += [Flow(middle, end, 0, 0, end - middle)] if parking else []

    priced = price(compile_tariff(tariff), usage_of(flows, contents.defaults.zone))

    assert priced.rounded(2) == (cents, cents)


def test_a_tariff_without_id_is_read_on_for_its_other_errors(tmp_path: Path) -> None:
    text = "tariffs:\n  - currency: XXQ\n    elements: []\n"
    assert {(line, field) for line, field, _ in told(taken(tmp_path / "a.yaml", text))} == {
        (2, "/tariffs/0/id"), (2, "/tariffs/0/currency"), (3, "/tariffs/0/elements"),
    }  # fmt: skip


def test_errors_of_a_csv_tariff_name_its_columns(tmp_path: Path) -> None:
    text = "id,currency,energy,step_size\nA,SEK,1,-3\nB,SEK,abc,1\nC,SEK,,1\nD,XXQ,1,2.5\n"
    assert [(line, field) for line, field, _ in told(taken(tmp_path / "a.csv", text))] == [
        (2, "step_size"), (3, "energy"), (4, "energy"), (5, "currency"), (5, "step_size"),
    ]  # fmt: skip


def test_a_csv_column_within_another_is_an_error(tmp_path: Path) -> None:
    text = "company_id,currency,pays,pays.days\nacme,SEK,x,MONDAY\n"
    assert {field for _, field, _ in told(taken(tmp_path / "a.csv", text))} == {"pays", "pays.days"}


def test_elements_in_a_csv_cell_stay_exact(tmp_path: Path) -> None:
    price = "0.12345678901234567890123"
    cell = f'[{{"price_components":[{{"type":"ENERGY","price":{price},"step_size":1}}]}}]'
    quoted = cell.replace('"', '""')
    text = f'id;currency;elements\nA;SEK;"{quoted}"\n'
    (row,) = values(taken(tmp_path / "a.csv", text)).values()
    assert row is not None
    assert price in row["ocpi_json"]


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for folder in ("se", "no"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.yaml").write_text("stations:\n  - {station_id: S, aera: x}\n")
    files = {one.file for one in read([tmp_path], "t").faults}
    assert {str(tmp_path / folder / "a.yaml") for folder in ("se", "no")} <= files


def test_an_error_of_a_location_is_listed_once_however_many_evses_it_has(tmp_path: Path) -> None:
    location = {"id": "L", "country": "SWE", "coordinates": {}, "time_zone": "Europe/Stokholm",
                "evses": [{"uid": "E1"}, {"uid": "E2"}]}  # fmt: skip
    found = told(taken(tmp_path / "a.json", json.dumps(location)))
    assert [field for _, field, _ in found] == ["/time_zone"]


def test_a_misspelt_field_of_a_tariff_is_named_in_a_note(tmp_path: Path) -> None:
    text = """
tariffs:
  - id: A
    currency: SEK
    elements:
      - price_components: [{type: ENERGY, price: 1, step_size: 1}]
        restrictions: {min_kWh: 3}
"""
    contents = taken(tmp_path / "a.yaml", text)
    assert contents.faults == []
    (note,) = contents.notes
    assert note.startswith("a.yaml:7 /tariffs/0/elements/0/restrictions/min_kWh: ")
    assert "min_kwh" in note


def test_an_ocpi_cdr_is_no_catalogue_and_says_so_once(tmp_path: Path) -> None:
    cdr = {"id": "C", "start_date_time": "2026-03-01T00:00:00Z", "tariffs": [], "kwh": 3}
    (fault,) = taken(tmp_path / "a.json", json.dumps(cdr)).faults
    assert fault.what.startswith("nothing the catalogue knows")
