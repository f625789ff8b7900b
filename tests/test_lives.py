"""Users' attributes as codes: any text comes back as it was, too many values are told."""

import pytest

from nbtools import etl, lives, warehouse
from nbtools.errors import SettingsError
from nbtools.lives import Values
from nbtools.settings import Settings
from tests.events import DAY, WOMAN, View, at, write

ODD = ["", "Côte d'Ivoire", "a\\b", "tab\there", "x\ny", "{last:Date}", "'; DROP TABLE feed; --"]


def test_any_text_is_an_attribute(home: Settings) -> None:
    with warehouse.open_warehouse(home) as db:
        rows = [View(place, 1, at(), (*WOMAN[:2], os)) for place, os in enumerate(ODD, 1)]
        write(db, rows)
    etl.backfill(home, DAY, DAY)
    with warehouse.open_warehouse(home) as db:
        found = lives.read(db, DAY)
        cells = lives.cells(db, found)
    assert sorted(cells["os"]) == sorted(ODD)
    assert cells["new_users"].tolist() == [1] * len(ODD)
    assert sorted(found.came["os"]) == sorted(ODD)


def test_codes_tell_all_values() -> None:
    values = Values({"source": ["a", "b"], "os": ["x", "y", "z"], "gender": ["1"], "country": []})
    bound = values.bound()
    assert (bound["source_codes"], bound["os_codes"]) == ([0, 1], [0, 2, 4])
    assert bound["sources"] == 2


def test_a_history_of_nobody_has_no_lives(home: Settings) -> None:
    with warehouse.open_warehouse(home) as db:
        write(db, [View(1, 1, at())])
    etl.backfill(home, DAY, DAY)
    before = DAY.replace(year=DAY.year - 1)
    with warehouse.open_warehouse(home) as db:
        found = lives.read(db, before)
        assert lives.cells(db, found).empty
    assert found.days.empty
    assert found.weeks.empty
    assert found.returns.empty


def test_more_sources_than_can_be_told_apart_are_one_line(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with warehouse.open_warehouse(home) as db:
        write(db, [View(1, 1, at())])
    etl.backfill(home, DAY, DAY)
    monkeypatch.setattr(lives, "_MOST_SOURCES", 0)
    with (
        warehouse.open_warehouse(home) as db,
        pytest.raises(SettingsError, match=r"too many kinds of attributes \(source 1, os 1"),
    ):
        lives.read(db, DAY)
