"""What was noticed in a document, in Swedish: one sentence a code of finding.

{0} is the place as people name it (elements counted from 1), {1} what was probably meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from streams.core.ocpi.findings import Finding

_NOUNS: Final[Mapping[str, str]] = {
    "elements": "element",
    "price_components": "komponent",
    "prices": "pris",
    "taxes": "skatt",
    "taxRates": "skatt",
    "charging_periods": "laddperiod",
    "dimensions": "dimension",
    "events": "händelse",
    "day_of_week": "dag",
    "dayOfWeek": "dag",
}

SENTENCES: Final[Mapping[str, str]] = {
    "bad_date": "{0} är inget datum eller ingen tidpunkt som går att läsa.",
    "bad_event": "{0} går inte att läsa: mätarkurvan eller summorna används i stället.",
    "bad_number": "{0} är inget tal som går att läsa.",
    "bad_time": "{0} är inget klockslag.",
    "bad_value": "{0} har ett okänt värde.",
    "byte_order_mark": "Filen börjar med ett byteordningsmärke, inte med JSON.",
    "component_never_reached": "{0} nås aldrig: tidigare element har alltid den dimensionen.",
    "condition_not_measured": "Ingen session anger {0}: det priset gäller aldrig.",
    "contradicting_dates": "Tariffen slutar gälla innan den börjar: den gäller aldrig.",
    "contradicting_limits": "Det högsta priset är under det lägsta: inget pris uppfyller båda.",
    "contradicting_restrictions": "{0} är inte över sin undre gräns: villkoret uppfylls aldrig.",
    "coordinates_swapped": "Latitud och longitud ser ut att vara förväxlade.",
    "credit_cdr": "En kredit-CDR: dess pris är det negerade priset för dess volymer.",
    "currency_differs": "Sessionen och tariffen har olika valuta.",
    "decimal_comma": "{0} har decimalkomma men har lästs som {1}.",
    "duplicate_component": "{0} är en andra gång samma dimension: den första räknas.",
    "duplicate_key": "Ett fält står två gånger i filen: det sista räknas.",
    "element_never_reached": "{0} nås aldrig: de tidigare gäller alltid före.",
    "empty_limit": "{0} har inget belopp och läses inte.",
    "empty_list": "{0} är en tom lista: inget villkor finns där.",
    "energy_differs": "Volymernas energi är en annan än sessionens summa: volymerna gäller.",
    "energy_in_wh": "ENERGY-volymerna läses som Wh: de är tusen gånger sessionens kWh.",
    "energy_not_stated": "Ingen laddperiod anger energi: ingen debiteras.",
    "equal_times": "{0} är lika med start_time: det läses som hela dygnet.",
    "excessive_precision": "{0} har fler decimaler än formatet.",
    "expired": "Tariffen har slutat gälla.",
    "fallback_first": "{0} saknar villkor och står före element som har sådana: de nås aldrig.",
    "implausible_price": "{0} är långt från vad laddning kostar.",
    "implausible_step": "{0} är mer än en session förbrukar.",
    "implausible_vat": "{0} är en orimlig momssats.",
    "json_comment": "Filen har en kommentar; JSON har inga.",
    "json_trailing_comma": "Filen har ett komma för mycket.",
    "letter_case": "{0} är skrivet annorlunda än i standarden men har lästs som {1}.",
    "limit_taxes_negative": "{0} är lägre med skatt än utan.",
    "missing_field": "{0} saknas.",
    "negative_price": "{0} är ett pris under noll: föraren får betalt.",
    "negative_step_size": "{0} är negativt.",
    "negative_tax": "{0} är negativt.",
    "negative_volume": "{0} är negativ och räknas som 0.",
    "no_charging_periods": "Det finns inga laddperioder: energi och tid är summorna.",
    "no_elements": "Inget i tariffen har ett pris som går att läsa.",
    "no_price_components": "{0} saknar priser.",
    "no_time_zone": "Inget säger platsens tidszon: lokala tider räknas i UTC.",
    "no_zone": "{0} saknar tidszon och läses som UTC.",
    "not_a_list": "{0} är ett enda värde där en lista hör hemma; det har lästs.",
    "not_a_session": "Den ser inte ut som någon.",
    "not_a_tariff": "Den ser inte ut som någon.",
    "nothing_priced": "Inget element har ett pris av känd dimension: ingenting debiteras.",
    "null_field": "{0} är null, som om det saknades.",
    "number_as_text": "{0} är text men har lästs som talet {1}.",
    "period_outside": "En laddperiod börjar utanför sessionen: dess egen tidsstämpel gäller.",
    "period_split": "Priset ändras inne i en laddperiod: dess volymer delas med jämnt flöde.",
    "plain_limit": "{0} är ett tal utan uppgift om skatt.",
    "power_not_measured": "Tariffen frågar efter effekt, som sessionen inte anger: de priserna"
    " gäller inte.",
    "current_not_measured": "Tariffen frågar efter ström, som sessionen inte anger: de priserna"
    " gäller inte.",
    "reservation_dimension": "{0} gäller reservationer, som bara har FLAT och TIME: det räknas"
    " aldrig.",
    "session_invalid": "En session med status INVALID debiteras aldrig.",
    "several_tariffs": "Sessionen namnger ingen av flera tariffer: {1} används.",
    "sloppy_date": "{0} är slarvigt skrivet men har lästs som {1}.",
    "sloppy_time": "{0} är slarvigt skrivet men har lästs.",
    "step_never_bites": "{0} avrundar ingenting.",
    "tariff_id_differs": "Sessionen nämner en annan tariff än den som gavs.",
    "tariff_not_valid": "Tariffen gällde inte när sessionen började.",
    "tax_not_applicable": "{0} läggs inte på: tariffen säger att ingen skatt gäller.",
    "tax_unknown": "Priserna innehåller skatt av okänd storlek: före och med skatt är lika.",
    "text_expected": "{0} är ingen text men har lästs som text.",
    "time_not_stated": "Tariffen tar betalt för tid, men ingen laddperiod anger någon.",
    "unknown_currency": "{0} är ingen valuta i ISO 4217.",
    "unknown_dimension": "{0} är ingen känd dimension och räknas inte.",
    "unknown_field": "{0} är inget känt fält och läses inte.",
    "unknown_time_zone": "{0} anger ingen känd tidszon.",
    "unordered_periods": "Laddperioderna stod inte i tidsordning: de har sorterats.",
    "vat_and_taxes": "{0} läses inte, för taxes står bredvid.",
    "volume_exceeds_time": "Tidsvolymerna är längre än tidsstämplarna: volymerna gäller.",
    "week_gap": "{0} har pris bara vissa tider i veckan.",
    "zero_bound": "{0} är ingen verksam gräns.",
}
"""Every code of a tariff's and a session's findings."""

_MEANT: Final = " Menades {0}?"
_ASKING: Final = frozenset({"bad_value", "unknown_dimension", "unknown_field", "implausible_vat"})


def note_words(note: Finding, lang: str) -> str:
    """A finding as a sentence: in Swedish for "sv…", else as it is."""
    if not lang.lower().startswith("sv") or note.code not in SENTENCES:
        return note.message
    text = SENTENCES[note.code].format(place_words(note.pointer), note.likely)
    if text.split(" ", 1)[0] in _NOUNS.values():
        text = text[0].upper() + text[1:]
    return text + (_MEANT.format(note.likely) if note.likely and note.code in _ASKING else "")


def place_words(pointer: str) -> str:
    """A pointer as people say it: "price (element 1, komponent 2)"; its document before # is
    left out.
    """
    parts = pointer.rpartition("#")[2].split("/")[1:]
    place: list[str] = []
    name, before = "", ""
    for part in parts:
        if not part.isdecimal():
            name, before = part, part
        elif before in _NOUNS:
            place.append(f"{_NOUNS[before]} {int(part) + 1}")
            name, before = "", ""
    where = ", ".join(place)
    if name and where:
        return f"{name} ({where})"
    return name or where or "dokumentet"
