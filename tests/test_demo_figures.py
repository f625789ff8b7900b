"""The demo history against the figures that analyses of the app have published.

Two histories are read. ``demo_home`` is the whole of it at a twentieth of the users, so
its tolerances are those of samples: about three standard errors, 10 % for a day's users.
``launch`` is its first 34 days at full size, to the end of the experiment's week, so that
group sizes and p-values are of the published order.
"""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from numpy.typing import NDArray

from nbtools import demo
from nbtools.settings import Settings
from tests.demo_events import (
    COHORTS,
    FEED,
    MESSAGES,
    MIDNIGHT,
    READERS,
    WRITERS,
    column,
    number,
    rows,
)

SCALE = 0.05
ATTRIBUTES = ("os", "source", "gender", "country", "age")


@pytest.fixture(scope="module")
def launch(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return a home with the first 34 days at full size."""
    home = Settings(home=tmp_path_factory.mktemp("launch"))
    demo.build(home, scale=1, days=34)
    return home


def daily_feed(home: Settings) -> pd.DataFrame:
    return rows(
        home,
        f"""
        SELECT
            day,
            uniqExact(user_id) AS users,
            countIf(action = 'view') AS views,
            countIf(action = 'like') AS likes
        FROM {FEED}
        GROUP BY day
        ORDER BY day
        """,
    ).set_index("day")


@pytest.fixture(scope="module")
def feed(demo_home: Settings) -> pd.DataFrame:
    """Return users (as of full size), views and likes by day."""
    daily = daily_feed(demo_home)
    return daily.assign(per_user=daily["views"] / daily["users"], users=daily["users"] / SCALE)


# The audience


def test_feed_dau_is_1k_on_day_0_then_13k_at_new_year_20k_in_early_february(
    feed: pd.DataFrame,
) -> None:
    users = feed["users"]
    assert users[0] == pytest.approx(1000, rel=0.1)
    assert users[27] == pytest.approx(13_000, rel=0.1)
    assert users[56:66].max() == pytest.approx(20_600, rel=0.08)
    assert users[75:85].mean() == pytest.approx(18_500, rel=0.06)


def test_wau_is_11k_in_the_first_week_then_51k_at_new_year_84k_at_the_end(
    demo_home: Settings,
) -> None:
    users = column(
        demo_home,
        f"SELECT intDiv(day, 7) AS week, uniqExact(user_id) FROM {READERS} GROUP BY week",
    )
    assert users[[0, 4, 11]].div(SCALE).tolist() == pytest.approx([11_300, 51_000, 83_700], rel=0.1)


def test_mau_is_51k_in_december_113k_in_january_134k_in_february(demo_home: Settings) -> None:
    users = column(
        demo_home,
        """
        SELECT toYYYYMM(time, 'Europe/Moscow') AS month, uniqExact(user_id)
        FROM app.feed_actions
        GROUP BY month
        """,
    )
    assert users.div(SCALE).tolist() == pytest.approx([51_000, 113_000, 134_000], rel=0.05)


def test_146k_users_ever_of_whom_107k_only_read_and_a_handful_only_write(
    demo_home: Settings,
) -> None:
    users = column(
        demo_home,
        f"""
        SELECT kind, count() FROM
        (
            SELECT user_id, sum(kind) AS kind FROM
            (
                SELECT DISTINCT user_id, 1 AS kind FROM {READERS}
                UNION ALL
                SELECT DISTINCT user_id, 2 AS kind FROM {WRITERS}
            )
            GROUP BY user_id
        )
        GROUP BY kind
        """,
    )
    assert users.sum() / SCALE == pytest.approx(146_000, rel=0.02)
    assert users[1] / SCALE == pytest.approx(107_000, rel=0.03)
    # Four at full size, and never none: the first one is the thousandth account.
    assert users[2] == 1


def test_new_users_are_14k_a_week_until_organic_stops_with_916_158_45(demo_home: Settings) -> None:
    new = rows(
        demo_home,
        f"""
        SELECT intDiv(day, 7) AS week, source, count() AS users
        FROM {READERS} AS readers
        INNER JOIN {COHORTS} AS cohorts USING (user_id)
        WHERE day = joined
        GROUP BY week, source
        """,
    ).pivot_table(index="week", columns="source", values="users", fill_value=0)
    ads, organic = new["ads"], new["organic"]
    assert organic[1:8].mean() / SCALE == pytest.approx(6760, rel=0.05)
    assert ads[1:4].mean() / SCALE == pytest.approx(6760, rel=0.06)
    # With the campaign.
    assert ads[5] / SCALE == pytest.approx(10_200, rel=0.12)
    # Samples of 46, 8 and 2 users.
    assert organic[9] == pytest.approx(916 * SCALE, abs=20)
    assert organic[10] == pytest.approx(158 * SCALE, abs=8)
    assert organic[11] <= 8


@pytest.mark.parametrize(
    ("age", "ads", "organic"), [(1, 0.367, 0.436), (10, 0.198, 0.268), (30, 0.075, 0.143)]
)
def test_daily_retention_by_source(
    demo_home: Settings, age: int, ads: float, organic: float
) -> None:
    shares = column(
        demo_home,
        f"""
        SELECT source, countIf(day = joined + {age}) / countIf(day = joined)
        FROM {READERS} AS readers
        INNER JOIN {COHORTS} AS cohorts USING (user_id)
        WHERE joined < 54 AND NOT (joined = 40 AND source = 'ads')
        GROUP BY source
        """,
    )
    assert shares[["ads", "organic"]].tolist() == pytest.approx([ads, organic], abs=0.025)


@pytest.mark.parametrize(
    ("source", "published"),
    [("ads", [0.85, 0.66, 0.49, 0.43, 0.43]), ("organic", [0.92, 0.79, 0.70, 0.65, 0.65])],
)
def test_weekly_retention_by_source(
    demo_home: Settings, source: str, published: list[float]
) -> None:
    users = column(
        demo_home,
        f"""
        SELECT intDiv(day, 7) - intDiv(joined, 7) AS week, uniqExact(user_id)
        FROM {READERS} AS readers
        INNER JOIN {COHORTS} AS cohorts USING (user_id)
        WHERE joined >= 7 AND joined < 35 AND source = '{source}'
        GROUP BY week
        """,
    )
    shares = users / users[0]
    # The figures are read off a chart.
    assert shares[1:6].tolist() == pytest.approx(published, abs=0.06)


# Views, likes, posts


def test_views_and_likes_per_user_day_are_30_to_45_and_6_to_10(feed: pd.DataFrame) -> None:
    assert feed["per_user"].between(30, 45).all()
    assert (feed["likes"] / feed["views"] * feed["per_user"]).between(6, 10).all()


def test_daily_ctr_is_019_to_023_and_021_in_all(feed: pd.DataFrame) -> None:
    # The first days hold fifty users each.
    assert (feed["likes"] / feed["views"])[7:].between(0.19, 0.23).all()
    assert feed["likes"].sum() / feed["views"].sum() == pytest.approx(0.21, abs=0.006)


def test_visits_are_right_skewed_with_modes_of_10_to_20_views_and_4_to_6_likes(
    launch: Settings,
) -> None:
    visits = rows(
        launch,
        f"""
        SELECT countIf(action = 'view') AS views, countIf(action = 'like') AS likes
        FROM {FEED}
        GROUP BY user_id, day
        """,
    )
    fives = np.bincount(visits["views"].to_numpy(np.int64) // 5)
    assert 5 * fives.argmax() in (10, 15)
    assert visits["views"].quantile(0.9999) == pytest.approx(220, rel=0.2)
    assert 4 <= np.bincount(visits["likes"].to_numpy(np.int64)).argmax() <= 6
    assert visits["likes"].max() == pytest.approx(60, abs=12)


def test_hours_have_a_minimum_at_night_a_plateau_by_day_and_a_peak_in_the_evening(
    launch: Settings,
) -> None:
    users = column(
        launch, f"SELECT intDiv(slot, 4) AS hour, uniqExact(user_id, day) FROM {FEED} GROUP BY hour"
    )
    plateau = users[10:17].mean()
    assert users.idxmin() in (3, 4, 5)
    assert users.idxmax() in (18, 19, 20)
    # Published: 500, 1.6 thousand, 2.0 thousand.
    assert users[3:6].mean() / plateau == pytest.approx(500 / 1600, abs=0.04)
    assert users[18:21].mean() / plateau == pytest.approx(2000 / 1600, abs=0.05)
    assert users[10:17].std() / plateau < 0.03


def test_quarters_of_an_hour_have_2_5_to_11k_views_and_no_hole_at_midnight(
    demo_home: Settings,
) -> None:
    views = column(
        demo_home,
        f"""
        SELECT slot, countIf(action = 'view') / uniqExact(day)
        FROM {FEED}
        WHERE day >= 56 AND day NOT IN (75, 82) -- the days of the odd slices
        GROUP BY slot
        """,
    ).div(SCALE)
    assert views.min() == pytest.approx(2500, rel=0.15)
    assert views.max() == pytest.approx(11_000, rel=0.1)
    # Visits begin and end on one day, so fewer of them are under way at midnight.
    assert views[0] > views.min() * 1.2


def test_saturdays_have_fewer_but_longer_visits_than_tuesdays(launch: Settings) -> None:
    daily = daily_feed(launch)
    length = daily["views"] / daily["users"]
    # From the second week on; users grow by some 3 % a day.
    saturdays, tuesdays = [12, 19, 26, 33], [8, 15, 22, 29]
    assert length[saturdays].mean() / length[tuesdays].mean() == pytest.approx(1.05, abs=0.015)
    growth = np.log(daily["users"]).diff()
    assert growth[[11, 18, 25, 32]].mean() < growth[[8, 15, 22, 29]].mean() - 0.02


def test_posts_grow_by_80_a_day_and_the_top_post_has_104k_views_and_a_ctr_of_030(
    demo_home: Settings,
) -> None:
    posts = rows(
        demo_home,
        """
        SELECT post_id, countIf(action = 'view') AS views, countIf(action = 'like') / views AS ctr
        FROM app.feed_actions
        GROUP BY post_id
        ORDER BY views DESC
        """,
    )
    assert posts["post_id"].max() == pytest.approx(480 + 80 * 85, abs=10)
    assert posts["views"][0] / SCALE == pytest.approx(104_000, rel=0.15)
    assert posts["ctr"][:10].mean() == pytest.approx(0.28, abs=0.04)
    assert posts["views"].median() * 15 < posts["views"][0]


def test_posts_of_a_day_come_up_one_after_the_other_during_it(launch: Settings) -> None:
    first = column(
        launch,
        f"""
        SELECT post_id, min(toUnixTimestamp(time)) - {MIDNIGHT}
        FROM app.feed_actions
        WHERE post_id > 480
        GROUP BY post_id
        """,
    )
    late = first - (first.index.to_numpy() - 481) * 1080
    assert late.min() >= 0
    assert (late < 3 * 3600).mean() > 0.8


def test_repeat_views_are_4_5_percent(launch: Settings) -> None:
    share = number(
        launch,
        f"""
        SELECT 1 - uniqExact(user_id, post_id, day) / count()
        FROM {FEED}
        WHERE action = 'view' AND day >= 27
        """,
    )
    assert share == pytest.approx(0.045, abs=0.006)


# The experiment, at full size


def experiment(home: Settings, first: int, last: int) -> pd.DataFrame:
    """Return likes, views and CTR of each user over some days."""
    users = rows(
        home,
        f"""
        SELECT
            exp_group,
            user_id,
            countIf(action = 'view') AS views,
            countIf(action = 'like') AS likes,
            likes / views AS ctr,
            any(os) AS os,
            any(source) AS source,
            any(gender) AS gender,
            any(country) AS country,
            multiIf(any(age) < 19, 1, any(age) < 26, 2, any(age) < 36, 3, 4) AS age
        FROM {FEED}
        WHERE day BETWEEN {first} AND {last}
        GROUP BY exp_group, user_id
        ORDER BY exp_group, user_id
        """,
    )
    assert not users.empty
    return users


@pytest.fixture(scope="module")
def ab_week(launch: Settings) -> pd.DataFrame:
    return experiment(launch, 27, 33)


@pytest.fixture(scope="module")
def aa_week(launch: Settings) -> pd.DataFrame:
    return experiment(launch, 20, 26)


def of_group(users: pd.DataFrame, exp_group: int, name: str = "ctr") -> NDArray[np.float64]:
    return users.loc[users["exp_group"] == exp_group, name].to_numpy(np.float64)


def global_ctr(users: pd.DataFrame, exp_group: int) -> float:
    likes, views = (of_group(users, exp_group, name).sum() for name in ("likes", "views"))
    return float(likes / views)


def welch(first: NDArray[np.float64], second: NDArray[np.float64]) -> Any:
    return scipy.stats.ttest_ind(first, second, equal_var=False)


def linearized_test(users: pd.DataFrame, control: int, other: int) -> Any:
    ctr = global_ctr(users, control)
    return welch(
        *(
            of_group(users, group, "likes") - ctr * of_group(users, group, "views")
            for group in (control, other)
        )
    )


def test_group_sizes_are_10k_in_the_ab_week_and_8_5k_in_the_aa_week(
    ab_week: pd.DataFrame, aa_week: pd.DataFrame
) -> None:
    sizes = ab_week.groupby("exp_group").size()
    assert sizes.tolist() == pytest.approx([10_091, 9_976, 9_966, 10_140, 9_976], rel=0.03)
    assert scipy.stats.chisquare(sizes).pvalue > 0.01
    assert aa_week.groupby("exp_group").size().tolist() == pytest.approx([8_525] * 5, rel=0.03)


def test_no_user_is_in_two_groups(ab_week: pd.DataFrame) -> None:
    assert ab_week["user_id"].is_unique


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_groups_are_independent_of_attributes(ab_week: pd.DataFrame, attribute: str) -> None:
    table = pd.crosstab(ab_week["exp_group"], ab_week[attribute])
    assert scipy.stats.chi2_contingency(table).pvalue > 0.01


def test_ctr_of_group_1_has_mean_0_2156_sd_0_0842_and_its_quantiles(ab_week: pd.DataFrame) -> None:
    ctr = of_group(ab_week, 1)
    assert ctr.mean() == pytest.approx(0.2156, abs=0.003)
    assert ctr.std(ddof=1) == pytest.approx(0.0842, abs=0.004)
    assert np.quantile(ctr, [0.25, 0.5, 0.75]) == pytest.approx([0.160, 0.203, 0.258], abs=0.005)


def test_ctr_of_group_2_has_mean_0_2144_sd_0_1442_and_its_quantiles(ab_week: pd.DataFrame) -> None:
    ctr = of_group(ab_week, 2)
    assert ctr.mean() == pytest.approx(0.2144, abs=0.003)
    assert ctr.std(ddof=1) == pytest.approx(0.1442, abs=0.004)
    assert np.quantile(ctr, [0.25, 0.5, 0.75]) == pytest.approx([0.095, 0.143, 0.325], abs=0.015)


def test_group_2_has_two_peaks_of_45_percent_near_0_36_and_the_rest_near_0_10(
    ab_week: pd.DataFrame,
) -> None:
    users = ab_week[ab_week["exp_group"] == 2]
    high, low = users[users["ctr"] > 0.2], users[users["ctr"] <= 0.2]
    assert len(high) / len(users) == pytest.approx(0.445, abs=0.02)
    assert high["ctr"].mean() == pytest.approx(0.357, abs=0.01)
    assert low["ctr"].mean() == pytest.approx(0.100, abs=0.006)
    assert high["views"].mean() == pytest.approx(59.2, rel=0.06)
    assert low["views"].mean() == pytest.approx(71.7, rel=0.06)
    density = np.histogram(users["ctr"], bins=25, range=(0, 0.75))[0]
    # Bins of 0.03: peaks near 0.10 and 0.33, a valley near 0.22.
    assert density[6:9].min() < 0.7 * density[9:14].max() < density[:6].max()


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_those_whom_group_2_suits_differ_in_no_attribute(
    ab_week: pd.DataFrame, attribute: str
) -> None:
    users = ab_week[ab_week["exp_group"] == 2]
    table = pd.crosstab(users["ctr"] > 0.2, users[attribute])
    assert scipy.stats.chi2_contingency(table).pvalue > 0.01


@pytest.mark.parametrize(
    ("exp_group", "published"), [(0, 0.20824), (1, 0.20803), (2, 0.19806), (3, 0.22430)]
)
def test_global_ctr_of_a_group(ab_week: pd.DataFrame, exp_group: int, published: float) -> None:
    assert global_ctr(ab_week, exp_group) == pytest.approx(published, abs=0.002)


def test_groups_0_1_4_are_equal(ab_week: pd.DataFrame) -> None:
    samples = [of_group(ab_week, group) for group in (0, 1, 4)]
    assert scipy.stats.f_oneway(*samples).pvalue > 0.05
    assert scipy.stats.kruskal(*samples).pvalue > 0.05


def test_views_are_equal_in_groups_1_and_2(ab_week: pd.DataFrame) -> None:
    # Published: 0.81 and 0.70.
    views = of_group(ab_week, 1, "views"), of_group(ab_week, 2, "views")
    assert welch(*views).pvalue > 0.05
    assert scipy.stats.mannwhitneyu(*views).pvalue > 0.05


def test_t_test_on_ctr_of_1_against_2_sees_nothing(ab_week: pd.DataFrame) -> None:
    # Published: p 0.478.
    assert welch(of_group(ab_week, 1), of_group(ab_week, 2)).pvalue > 0.05


def test_mann_whitney_on_ctr_of_1_against_2_has_p_1e_56_and_probability_0_434(
    ab_week: pd.DataFrame,
) -> None:
    control, test = of_group(ab_week, 1), of_group(ab_week, 2)
    ranks = scipy.stats.mannwhitneyu(test, control)
    assert ranks.statistic / len(control) / len(test) == pytest.approx(0.434, abs=0.012)
    # One hundredth of the probability is a factor of 1e16.
    assert ranks.pvalue < 1e-35


def test_ctr_smoothed_by_5_views_has_means_0_2140_and_0_2107_and_p_0_022(
    ab_week: pd.DataFrame,
) -> None:
    smoothed = [
        (of_group(ab_week, group, "likes") + 5 * global_ctr(ab_week, group))
        / (of_group(ab_week, group, "views") + 5)
        for group in (1, 2)
    ]
    assert [ctr.mean() for ctr in smoothed] == pytest.approx([0.2140, 0.2107], abs=0.003)
    # Between the user's CTR, which sees nothing, and linearized likes.
    result = welch(*smoothed)
    assert 1e-5 < result.pvalue < welch(of_group(ab_week, 1), of_group(ab_week, 2)).pvalue


def test_fifty_buckets_of_1_and_2_differ_with_p_below_1e_4(launch: Settings) -> None:
    buckets = rows(
        launch,
        f"""
        SELECT
            exp_group,
            xxHash64(user_id) % 50 AS bucket,
            countIf(action = 'like') / countIf(action = 'view') AS ctr
        FROM {FEED}
        WHERE day BETWEEN 27 AND 33 AND exp_group IN (1, 2)
        GROUP BY exp_group, bucket
        """,
    )
    samples = of_group(buckets, 1), of_group(buckets, 2)
    assert [len(sample) for sample in samples] == [50, 50]
    # Published: 3.4e-7 and 2.9e-7.
    assert welch(*samples).pvalue < 1e-4
    assert scipy.stats.mannwhitneyu(*samples).pvalue < 1e-4


def test_linearized_likes_of_1_against_2_have_t_6_12(ab_week: pd.DataFrame) -> None:
    result = linearized_test(ab_week, 1, 2)
    # A t statistic has a standard error of 1: p is anything from 1e-6 to 1e-13.
    assert result.statistic == pytest.approx(6.12, abs=1.2)
    assert result.pvalue < 1e-5


def test_group_3_is_raised_against_0_by_t_13_8_on_ctr_and_t_15_2_on_linearized_likes(
    ab_week: pd.DataFrame,
) -> None:
    ctr = welch(of_group(ab_week, 0), of_group(ab_week, 3))
    likes = linearized_test(ab_week, 0, 3)
    assert (ctr.statistic, likes.statistic) == pytest.approx((-13.8, -15.2), abs=1.5)
    assert (ctr.pvalue < 1e-35, likes.pvalue < 1e-40) == (True, True)


def test_aa_groups_2_and_3_are_equal_before_the_experiment(aa_week: pd.DataFrame) -> None:
    second, third = of_group(aa_week, 2), of_group(aa_week, 3)
    assert second.mean() == pytest.approx(0.2182, abs=0.006)
    assert second.std(ddof=1) == pytest.approx(0.081, abs=0.004)
    assert welch(second, third).pvalue > 0.05
    assert scipy.stats.ks_2samp(second, third).pvalue > 0.05


def test_aa_share_of_false_positives_is_near_5_percent(aa_week: pd.DataFrame) -> None:
    rng = np.random.default_rng(0)
    second, third = of_group(aa_week, 2), of_group(aa_week, 3)
    p_values = [
        welch(rng.choice(second, 500, replace=False), rng.choice(third, 500, replace=False)).pvalue
        for _ in range(3000)
    ]
    # Published: 4.40 % of 10 000; three standard errors of 3000 draws are 1.2 points.
    assert np.mean(np.less_equal(p_values, 0.05)) == pytest.approx(0.047, abs=0.012)


def test_groups_are_equal_again_after_the_experiment(demo_home: Settings) -> None:
    users = experiment(demo_home, 34, 84)
    samples = [of_group(users, group) for group in range(5)]
    assert scipy.stats.f_oneway(*samples).pvalue > 0.01
    assert scipy.stats.levene(*samples).pvalue > 0.01


# The messenger


@pytest.fixture(scope="module")
def messenger(demo_home: Settings) -> pd.DataFrame:
    """Return users (as of full size) and messages per user by day."""
    daily: pd.DataFrame = rows(
        demo_home,
        f"""
        SELECT day, uniqExact(user_id) AS users, count() / users AS per_user
        FROM {MESSAGES}
        GROUP BY day
        ORDER BY day
        """,
    ).set_index("day")
    return daily.assign(users=daily["users"] / SCALE)


def test_messenger_dau_grows_from_half_a_thousand_to_2_to_3k_in_a_three_day_cycle(
    messenger: pd.DataFrame,
) -> None:
    users = messenger["users"]
    assert users[0:3].mean() == pytest.approx(500, rel=0.25)
    late = users.drop(64)[60:]
    days = late.index.to_numpy()
    assert late[days % 3 == 0].mean() == pytest.approx(2800, rel=0.1)
    assert late[days % 3 == 1].mean() == pytest.approx(1900, rel=0.1)
    assert late[days % 3 == 2].mean() == pytest.approx(1850, rel=0.1)


def test_messenger_spike_on_day_64_is_3_75k(messenger: pd.DataFrame) -> None:
    assert messenger["users"][64] == pytest.approx(3750, rel=0.15)


def test_messages_per_user_day_fall_from_25_to_6(messenger: pd.DataFrame) -> None:
    assert messenger["per_user"][0] == pytest.approx(25, rel=0.15)
    assert messenger["per_user"][70:84].mean() == pytest.approx(5.9, rel=0.05)


BOTH = f"""
    SELECT day, count()
    FROM {READERS} AS readers
    INNER JOIN {WRITERS} AS writers USING (user_id, day)
    GROUP BY day
"""


def test_same_day_users_of_both_services_are_100_to_480(launch: Settings) -> None:
    both = column(launch, BOTH)
    assert len(both) == 34
    assert both.between(100, 480).all()


def test_same_day_users_of_both_services_stay_few_to_the_end(demo_home: Settings) -> None:
    both = column(demo_home, BOTH).reindex(range(85), fill_value=0) / SCALE
    # Single days hold some twelve users.
    assert both.rolling(7).mean().dropna().between(100, 480).all()


def test_readers_who_ever_wrote_are_4_to_10k_a_day(demo_home: Settings) -> None:
    users = column(
        demo_home,
        f"""
        SELECT day, count()
        FROM {READERS}
        WHERE user_id IN (SELECT user_id FROM app.message_actions)
        GROUP BY day
        """,
    )
    # From the third week on, when the feed has 10 thousand users.
    assert users[20:84].div(SCALE).rolling(3).mean().dropna().between(4000, 10_000).all()


def test_most_receivers_are_absent_that_day(launch: Settings) -> None:
    absent = number(
        launch,
        f"""
        SELECT avg((reciever_id, day) NOT IN (SELECT user_id, day FROM {READERS})
            AND (reciever_id, day) NOT IN (SELECT user_id, day FROM {WRITERS}))
        FROM (SELECT DISTINCT reciever_id, day FROM {MESSAGES})
        """,
    )
    assert 0.5 < absent < 0.9


def test_some_tens_of_receivers_a_day_never_acted(launch: Settings) -> None:
    never = column(
        launch,
        f"""
        SELECT day, uniqExact(reciever_id)
        FROM {MESSAGES}
        WHERE reciever_id NOT IN (SELECT user_id FROM app.feed_actions)
          AND reciever_id NOT IN (SELECT user_id FROM app.message_actions)
        GROUP BY day
        """,
    )
    assert len(never) == 34
    assert never[20:33].between(10, 100).all()


# People


@pytest.fixture(scope="module")
def people(launch: Settings) -> pd.DataFrame:
    """Return the 59 thousand users of the first weeks with their attributes."""
    return rows(
        launch,
        """
        SELECT
            user_id,
            any(gender) AS gender,
            any(age) AS age,
            any(os) AS os,
            any(source) AS source,
            any(country) AS country,
            any(city) AS city
        FROM app.feed_actions
        GROUP BY user_id
        """,
    )


def test_55_percent_are_men_and_65_percent_have_android(people: pd.DataFrame) -> None:
    assert people["gender"].mean() == pytest.approx(0.55, abs=0.01)
    assert (people["os"] == "Android").mean() == pytest.approx(0.65, abs=0.01)
    assert set(people["os"]) == {"Android", "iOS"}


def test_ages_begin_at_14_have_mean_27_2_and_the_published_bins(people: pd.DataFrame) -> None:
    assert people["age"].min() == 14
    assert people["age"].mean() == pytest.approx(27.2, abs=0.2)
    shares = np.histogram(people["age"], [14, 19, 26, 36, 46, 61, 120])[0] / len(people)
    assert shares == pytest.approx([0.135, 0.424, 0.240, 0.135, 0.061, 0.006], abs=0.006)


def test_58_percent_come_from_ads_as_android_55k_40k_and_ios_30k_21k(demo_home: Settings) -> None:
    users = column(
        demo_home,
        """
        SELECT concat(os, ' ', source) AS kind, uniqExact(user_id)
        FROM app.feed_actions
        GROUP BY kind
        """,
    )
    kinds = ["Android ads", "Android organic", "iOS ads", "iOS organic"]
    published = [55_000, 40_000, 30_000, 21_500]
    assert users[kinds].div(SCALE).tolist() == pytest.approx(published, rel=0.06)


def test_user_ids_run_from_200_to_168_600(demo_home: Settings) -> None:
    ids = rows(
        demo_home, "SELECT min(user_id) AS first, max(user_id) AS last FROM app.feed_actions"
    ).iloc[0]
    assert ids["first"] == pytest.approx(200, abs=5)
    assert (ids["last"] - 200) / SCALE == pytest.approx(168_400, rel=0.01)


def test_11_countries_have_the_published_shares(people: pd.DataFrame) -> None:
    users = people["country"].value_counts(normalize=True) * 146_000
    published = {
        "Russia": 128_000,
        "Ukraine": 7410,
        "Belarus": 2960,
        "Kazakhstan": 2870,
        "Finland": 1430,
        "Turkey": 1410,
        "Azerbaijan": 1390,
        "Latvia": 161,
        "Estonia": 157,
        "Cyprus": 147,
        "Switzerland": 138,
    }
    assert set(users.index) == set(published)
    for country, expected in published.items():
        # Three standard errors of a sample of two fifths.
        assert users[country] == pytest.approx(expected, abs=5 * expected**0.5), country


def test_cities_have_the_published_shares(people: pd.DataFrame) -> None:
    users = people["city"].value_counts(normalize=True) * 146_000
    published = {
        "Moscow": 19_600,
        "Saint Petersburg": 6170,
        "Novosibirsk": 1760,
        "Yekaterinburg": 1720,
        "Nizhniy Novgorod": 1480,
        "Chelyabinsk": 1400,
        "Rostov": 1380,
        "Kazan": 1370,
        "Omsk": 1320,
        "Samara": 1320,
    }
    for city, expected in published.items():
        assert users[city] == pytest.approx(expected, abs=5 * expected**0.5), city
    assert users.index[:2].tolist() == ["Moscow", "Saint Petersburg"]
    # Of 3,915; the smallest have a handful of users in all.
    assert 3500 < len(users) <= 3915


# Planted events


def test_campaign_of_day_40_brings_3_to_5_times_the_ads_users_who_do_not_return(
    demo_home: Settings,
) -> None:
    new = rows(
        demo_home,
        f"""
        SELECT joined, countIf(day = joined) AS users, countIf(day = joined + 1) / users AS back
        FROM {READERS} AS readers
        INNER JOIN {COHORTS} AS cohorts USING (user_id)
        WHERE source = 'ads' AND joined BETWEEN 33 AND 47
        GROUP BY joined
        """,
    ).set_index("joined")
    usual = new.drop(40).mean()
    assert 2600 <= new["users"][40] / SCALE <= 3900
    assert 3 <= new["users"][40] / usual["users"] <= 5
    # Published: 3 to 4 %, here of 180 users.
    assert 0.01 < new["back"][40] < 0.07
    assert usual["back"] == pytest.approx(0.367, abs=0.05)


def test_city_outage_of_day_49_takes_nine_tenths_of_four_cities_and_nothing_else(
    demo_home: Settings,
) -> None:
    users = rows(
        demo_home,
        f"""
        SELECT
            day,
            uniqExact(user_id) AS everywhere,
            uniqExactIf(user_id, city IN ('Moscow', 'Saint Petersburg', 'Novosibirsk', 'Yekaterinburg'))
                AS out
        FROM {FEED}
        WHERE day BETWEEN 47 AND 51
        GROUP BY day
        """,  # noqa: E501
    ).set_index("day")
    users["rest"] = users["everywhere"] - users["out"]
    shares = users.loc[49] / users.drop(49).mean()
    assert shares["out"] == pytest.approx(0.09, abs=0.05)
    assert shares["rest"] == pytest.approx(1, abs=0.08)
    # Published: 14.0 thousand instead of 17.5.
    assert shares["everywhere"] == pytest.approx(14 / 17.5, abs=0.06)


def test_odd_slices_have_1_8_to_2_5_times_their_views_and_likes(demo_home: Settings) -> None:
    # The surplus shows in single visits: views that come less than 10 seconds after another.
    slices = rows(
        demo_home,
        f"""
        SELECT
            day,
            slot,
            countIf(action = 'view') AS views,
            views / (views - countIf(gap < 10 AND action = 'view')) AS times,
            countIf(action = 'like') / views AS ctr
        FROM
        (
            SELECT
                day,
                slot,
                action,
                time - lagInFrame(time) OVER (PARTITION BY user_id, action ORDER BY time) AS gap
            FROM {FEED}
        )
        GROUP BY day, slot
        HAVING times > 1.05
        """,
    ).set_index(["day", "slot"])
    times = slices["times"].sort_index()
    assert times.index.tolist() == [(75, 36), (82, 28), (82, 29), (82, 30), (82, 31)]
    assert times.tolist() == pytest.approx([2.1, 1.9, 2.4, 2.2, 1.8], abs=0.2)
    assert slices["ctr"].mean() == pytest.approx(0.2, abs=0.05)
