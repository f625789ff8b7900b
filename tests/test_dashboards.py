"""Dashboards: every number against the events, every chart on any day, what was planted seen."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from nbtools import (
    audience_pages,
    cubes,
    happenings,
    interactive,
    jobs,
    people,
    people_pages,
    plots,
    product,
    product_pages,
    retention,
    retention_pages,
    warehouse,
)
from nbtools.audience_pages import Audience
from nbtools.breaks import Break
from nbtools.cubes import Cube
from nbtools.errors import NoDataError
from nbtools.happenings import Finding
from nbtools.metrics import CATALOGUE
from nbtools.parameters import MODELS, LifeParameters
from nbtools.people_pages import Page
from nbtools.plots import Plot
from nbtools.product import Product
from nbtools.settings import Settings

FIRST, LAST = date(2022, 12, 5), date(2023, 2, 27)
DAYS = [FIRST, date(2022, 12, 6), date(2023, 1, 3), date(2023, 1, 23), LAST]
WINDOW = 28
_EVENTS = """(SELECT user_id, time, action, toString(gender) AS gender, toInt32(age) AS age, os,
        source, country, city, post_id FROM app.feed_actions
    UNION ALL SELECT user_id, time, 'message', toString(gender), toInt32(age), os, source,
        country, city, 0 FROM app.message_actions)"""


class Pages(NamedTuple):
    audience: dict[date, Audience]
    product: dict[date, Product]
    people: dict[date, Page]


@pytest.fixture(scope="module")
def pages(loaded_home: Settings) -> Pages:
    return Pages(
        {day: audience_pages.load(loaded_home, day) for day in DAYS},
        {day: product.load(loaded_home, day) for day in DAYS},
        {day: people_pages.load(loaded_home, day, WINDOW) for day in DAYS},
    )


@pytest.fixture
def db(loaded_home: Settings, pages: Pages) -> Iterator[warehouse.Connection]:
    with warehouse.open_warehouse(loaded_home) as opened:
        yield opened


def audience_plots(page: Audience) -> list[Plot | str]:
    functions = (
        audience_pages.both,
        audience_pages.feed_only,
        audience_pages.same_day,
        audience_pages.ever,
        audience_pages.life,
        audience_pages.services,
        audience_pages.messenger,
    )
    return [function(page) for function in functions]


def product_plots(page: Product) -> list[Plot | str]:
    return [
        product_pages.growth(page),
        *(product_pages.reach(page, service) for service in ("app", "feed", "messenger")),
        product_pages.stickiness(page),
        retention_pages.movement(page),
        retention_pages.new_users(page),
        retention_pages.heat(page, 0),
        retention_pages.heat(page, 1),
        retention_pages.curves(page),
        retention_pages.next_day(page),
        product_pages.use(page, "volumes", "views", "likes"),
        product_pages.use(page, "ctr", "ctr"),
        product_pages.use(page, "messages", "messages_sent"),
    ]


def people_plots(page: Page) -> list[Plot | str]:
    return [
        people_pages.systems(page),
        people_pages.ages(page),
        people_pages.countries(page),
        people_pages.cities(page),
        people_pages.city_days(page),
        people_pages.hours(page),
        people_pages.active_days(page),
        *(people_pages.activity(page, slug) for slug in ("views", "likes", "messages_sent")),
    ]


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_every_chart_can_be_drawn_on_any_day_and_says_what_it_shows(
    day: date, pages: Pages
) -> None:
    shown = [
        *audience_plots(pages.audience[day]),
        *product_plots(pages.product[day]),
        *people_plots(pages.people[day]),
    ]
    drawn = [plot for plot in shown if isinstance(plot, Plot)]
    if day == LAST:
        assert len(drawn) == len(shown)
    for plot in drawn:
        plots.check(plot)
        words = plot.words
        assert any(sign.isdigit() for sign in words.title) or day < DAYS[2], words.title
        assert "nan" not in words.title
        assert words.alt.endswith(".")
        assert words.unit
    for text in (plot for plot in shown if isinstance(plot, str)):
        assert text.endswith(".")
    for text in (
        audience_pages.answers(pages.audience[day]).data,
        product_pages.headline(pages.product[day]).data,
        people_pages.headline(pages.people[day]).data,
    ):
        assert "nan" not in text.replace("Finance", "")


def test_a_page_is_light(pages: Pages) -> None:
    shown = [*product_plots(pages.product[LAST])]
    charts = [interactive.show(plot) for plot in shown if isinstance(plot, Plot)]
    charts.append(product_pages.explore(pages.product[LAST]))
    assert sum(len(chart.content) for chart in charts) < 600_000


def test_the_two_questions_are_answered_in_the_first_charts(pages: Pages) -> None:
    page = pages.audience[LAST]
    both, only = audience_pages.both(page), audience_pages.feed_only(page)
    figures = audience_pages.figures(page)
    assert both.frame.iloc[-1].tolist() == [figures["both_ever_users"], figures["both_users"]]
    assert only.frame.iloc[-1].tolist() == [
        figures["feed_only_users"], figures["feed_only_ever_users"],
    ]  # fmt: skip
    text = audience_pages.answers(page).data.replace("\N{NARROW NO-BREAK SPACE}", "")
    for slug in ("both_users", "both_ever_users", "feed_only_users", "feed_only_ever_users"):
        assert str(figures[slug]) in text
    assert "2.3" not in str(figures)
    assert all(isinstance(value, int) for value in figures.values())


def test_what_was_planted_is_found_without_being_told(pages: Pages) -> None:
    page = pages.product[LAST]
    found = {(one.series, one.found.day): one.found for one in page.findings}
    campaign = found["new ads", date(2023, 1, 14)]
    assert (campaign.days, campaign.change > 1.5) == (1, True)
    assert found["app_users", date(2023, 1, 23)].change == pytest.approx(-0.2, abs=0.07)
    assert found["new organic", date(2023, 2, 6)].days == 0
    assert found["messenger_users", date(2023, 2, 7)].days == 1
    noted = {
        one.found.day for one in page.findings if happenings.noted(one, page.events, page.zone)
    }
    assert noted == {date(2023, 1, 14)}
    marks = {mark.label.partition(" ")[0] for mark in page.marks("app_users", "messenger_users")}
    assert marks >= {"New", "Ad", "App", "Messenger"}
    next_day = retention_pages.next_day(page)
    assert isinstance(next_day, Plot)
    assert "14\N{NO-BREAK SPACE}Jan" in next_day.words.title
    cities = people_pages.city_days(pages.people[LAST])
    assert isinstance(cities, Plot)
    assert "Moscow" in cities.words.title
    rhythm = audience_pages.messenger(pages.audience[LAST]).words.title
    assert "every 3 days" in rhythm


def test_nothing_of_later_days_is_known(pages: Pages) -> None:
    early, late = pages.product[DAYS[3]], pages.product[LAST]
    upto = late.daily.loc[: pd.Timestamp(DAYS[3])]
    pd.testing.assert_frame_equal(early.daily, upto, check_freq=False)
    assert all(one.found.day <= DAYS[3] for one in early.findings)
    assert [event.name for event in pages.product[DAYS[2]].events] == ["New Year"]
    assert early.cells["day"].max() == pd.Timestamp(DAYS[3])


def test_any_part_of_the_cube_is_what_the_events_say(
    pages: Pages, db: warehouse.Connection
) -> None:
    cells = pages.product[LAST].cells
    rng = np.random.default_rng(11)
    for place in rng.integers(1, 85, 5):
        day = FIRST + timedelta(int(place))
        os, source = rng.choice(["iOS", "Android"]), rng.choice(["ads", "organic"])
        gender, country = rng.choice(["0", "1"]), rng.choice(["Russia", "Ukraine"])
        chosen = cells[
            (cells["day"] == pd.Timestamp(day)) & (cells["os"] == os)
            & (cells["source"] == source) & (cells["gender"] == gender)
            & (cells["country"] == country)
        ]  # fmt: skip
        text = f"""SELECT uniqExactIf(user_id, action != 'message'),
            uniqExactIf(user_id, action = 'message'), uniqExact(user_id),
            countIf(action = 'view'), countIf(action = 'like'), countIf(action = 'message'),
            uniqExactIf(user_id, (user_id, toDate(time, 'Europe/Moscow')) IN (
                SELECT user_id, toDate(min(time), 'Europe/Moscow') FROM {_EVENTS} GROUP BY user_id))
            FROM {_EVENTS} WHERE toDate(time, 'Europe/Moscow') = '{day}' AND os = '{os}'
            AND source = '{source}' AND gender = '{gender}' AND country = '{country}'"""
        feed, sent, app, views, likes, messages, new = db.client.query(text).result_rows[0]
        names = ["feed_users", "messenger_users", "both_users", "views", "likes", "messages_sent"]
        names += ["new_users"]
        expected = [feed, sent, feed + sent - app, views, likes, messages, new]
        assert chosen[names].sum().tolist() == expected, (day, os, source, gender, country)


def test_the_cube_adds_up_to_the_daily_metrics(pages: Pages) -> None:
    page = pages.product[LAST]
    slugs = [slug for slug in product_pages.CUBE if slug != "new_users"]
    cube = Cube(page.cells, product_pages.DIMENSIONS, [CATALOGUE[slug] for slug in slugs])
    pd.testing.assert_frame_equal(
        cubes.totals(cube), page.daily[slugs], check_freq=False, check_names=False
    )


def test_new_users_of_the_cube_are_those_of_the_cohorts(pages: Pages) -> None:
    page = pages.product[LAST]
    cells = page.cells.pivot_table("new_users", "day", "source", aggfunc="sum", fill_value=0)
    cohorts = retention.new_users(page.lives)
    assert cohorts.to_numpy().sum() > 0
    pd.testing.assert_frame_equal(cells.astype(float), cohorts, check_freq=False, check_names=False)


@pytest.mark.parametrize("day", [DAYS[1], DAYS[2], LAST], ids=str)
def test_who_they_are_is_what_the_events_say(
    day: date, pages: Pages, db: warehouse.Connection
) -> None:
    found = pages.people[day].people
    window = f"""toDate(time, 'Europe/Moscow') > toDate('{day}') - {WINDOW}
        AND toDate(time, 'Europe/Moscow') <= '{day}'"""
    columns = {
        "os and source": "os, source",
        "country": "country, ''",
        "city": "city, country",
        "age and gender": """multiIf(age < 18, 'under 18', age < 25, '18-24', age < 35, '25-34',
            age < 50, '35-49', '50 and over'), if(gender = '0', 'female', 'male')""",
    }
    for part, names in columns.items():
        text = f"SELECT {names}, uniqExact(user_id) FROM {_EVENTS} WHERE {window} GROUP BY 1, 2"
        expected = {(row[0], row[1]): row[2] for row in db.client.query(text).result_rows}
        rows = found.parts[found.parts["part"] == part]
        counted = {
            (value, "" if part == "country" else of): n
            for value, of, n in zip(rows["value"], rows["of_value"], rows["users"], strict=True)
        }
        assert counted == expected, part
    total = db.client.query(f"SELECT uniqExact(user_id) FROM {_EVENTS} WHERE {window}")
    assert found.all == total.result_rows[0][0]


def test_hours_posts_users_and_activity_are_what_the_events_say(
    pages: Pages, db: warehouse.Connection
) -> None:
    found = pages.people[LAST].people
    window = f"toDate(time, 'Europe/Moscow') > toDate('{LAST}') - {WINDOW}"
    text = f"""SELECT toHour(time, 'Europe/Moscow'), uniqExact(user_id) FROM {_EVENTS}
        WHERE toDate(time, 'Europe/Moscow') IN ('2023-02-07', '2023-02-14', '2023-02-21',
        '2023-01-31') GROUP BY toDate(time, 'Europe/Moscow'), 1"""
    hours = np.zeros(24)
    for hour, users in db.client.query(text).result_rows:
        hours[hour] += users / 4
    assert found.hours.T["Tue"].tolist() == pytest.approx(hours.tolist())
    text = f"""SELECT post_id, countIf(action = 'view') AS views, countIf(action = 'like')
        FROM app.feed_actions WHERE {window} GROUP BY post_id ORDER BY 2 DESC, 3 DESC, 1 LIMIT 20"""
    assert found.posts.to_numpy().tolist() == [list(r) for r in db.client.query(text).result_rows]
    text = f"""SELECT user_id, countIf(action = 'view'), countIf(action = 'like'),
        countIf(action = 'message'), uniqExact(toDate(time, 'Europe/Moscow')) FROM {_EVENTS}
        WHERE {window} GROUP BY 1 ORDER BY 2 DESC, 3 DESC, 4 DESC, 1 LIMIT 20"""
    assert found.users.to_numpy().tolist() == [list(r) for r in db.client.query(text).result_rows]
    text = f"""SELECT views, count() FROM (SELECT countIf(action = 'view') AS views
        FROM app.feed_actions WHERE {window} GROUP BY user_id, toDate(time, 'Europe/Moscow')
        HAVING views > 0) GROUP BY views ORDER BY views"""
    rows = db.client.query(text).result_rows
    most = max(row[0] for row in rows)
    counted = people.histogram(found.spread, "views", most)
    assert counted[counted > 0].to_dict() == {row[0]: row[1] for row in rows}
    everything = np.repeat([row[0] for row in rows], [row[1] for row in rows])
    for share in (0.5, 0.99):
        expected = int(np.quantile(everything, share, method="inverted_cdf"))
        assert people.quantile(found.spread, "views", share) == expected


def test_the_days_of_the_largest_cities_are_what_the_events_say(
    pages: Pages, db: warehouse.Connection
) -> None:
    cities = pages.people[LAST].people.cities
    for city in cities.columns[[0, 5]]:
        text = f"""SELECT toDate(time, 'Europe/Moscow'), uniqExact(user_id) FROM {_EVENTS}
            WHERE city = '{city}' GROUP BY 1 ORDER BY 1"""
        expected = {row[0]: row[1] for row in db.client.query(text).result_rows}
        days = [moment.date() for moment in pd.DatetimeIndex(cities.index)]
        counted = {day: x for day, x in zip(days, cities[city], strict=True) if x}
        assert counted == expected


def test_a_loss_of_cities_is_located_and_noise_is_not() -> None:
    names = ["A", "B", "C", "D", "", "E"]
    rows = pd.DataFrame(
        {
            "city": names,
            "users": [200, 20, 990, 1010, 9, 5],
            "users_before": [2000, 200, 1000, 1000, 20, 12],
        }
    )
    assert happenings._where(rows).startswith("A, B: ")
    calm = rows.assign(users=[1950, 190, 990, 1010, 9, 5])
    assert happenings._where(calm) == ""
    everywhere = rows.assign(users=[1400, 20, 700, 700, 14, 9])
    assert happenings._where(everywhere) == ""


def test_a_finding_is_shown_with_size_and_length() -> None:
    assert happenings.size(2.915) == "\N{MULTIPLICATION SIGN}3.9"
    one = Finding("app_users", "App", Break(LAST, 0, 0.5))
    row = happenings.table([one], [], Settings().zone).iloc[0]
    assert row.tolist()[2:] == ["since then", "\N{EN DASH}"]


@pytest.mark.parametrize("notebook", jobs.DASHBOARDS)
def test_a_missing_day_is_refused_before_a_kernel_starts(
    notebook: str, loaded_copy: Settings
) -> None:
    if not issubclass(MODELS[notebook], LifeParameters):
        pytest.skip("it is not about all days")
    with warehouse.open_warehouse(loaded_copy) as db:
        db.client.command("ALTER TABLE user_days_v1 DROP PARTITION 20230111")
    jobs.prepare(loaded_copy, notebook, overrides={"date": "2023-01-10"})
    with pytest.raises(NoDataError, match=r"^2023-01-11 is not in user_days_v1, .* FROM="):
        jobs.prepare(loaded_copy, notebook, overrides={"date": "2023-02-01"})
