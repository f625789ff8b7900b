"""What the demo history is calibrated to: every number that shapes it, in one place.

Days are counted from the start of the history, so planted events move with it. The
figures are those of the app at scale 1; ``book/reference/demo.md`` says where each one
can be seen in the tables.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Audience. Accounts are counted by those who ever act; one in eight never does and is
# only written to.
FIRST_WEEK = (1000, 1350, 1600, 1760, 1860, 1910, 1880)
NEW_USERS = 1955.0
ACTING_SHARE = 0.867
ADS_SHARE = 0.5
ACQUISITION_BY_WEEKDAY = (1.04, 1.05, 1.03, 1.01, 0.97, 0.93, 0.97)

# Share of a cohort that opens the feed at an age in days, by source; linear in between.
# After twelve weeks it fades, which keeps a longer history near a steady state.
RETURN_AGES = (0, 1, 4, 7, 10, 14, 21, 30, 85)
RETURN_ADS = (1, 0.367, 0.300, 0.245, 0.201, 0.152, 0.100, 0.077, 0.077)
RETURN_ORGANIC = (1, 0.436, 0.370, 0.315, 0.270, 0.216, 0.168, 0.145, 0.145)
RETURN_FADE_DAYS = 118.0
ACTIVITY_BY_WEEKDAY = (1.01, 1.02, 1.02, 1.01, 0.98, 0.97, 0.99)
ACTIVITY_SPREAD = 0.15

# A visit: views = (floor + gamma of shape 1.5) * the user's factor. Who views much likes
# less of it: the rate falls with this power of the views.
VIEWS_FLOOR = 6.5
VIEWS_MEAN = 35.3
VIEWS_SPREAD = 0.10
VIEWS_MOST = 300
VIEWS_BY_WEEKDAY = (0.98, 0.98, 0.99, 1.00, 1.01, 1.03, 1.01)
FATIGUE = 0.08
# When visits begin, by hour of the app's day; they last an hour on average.
HOURS = (
    520, 150, 200, 130, 155, 160, 270, 390, 440, 485, 495, 495,
    495, 490, 490, 490, 495, 600, 630, 605, 600, 500, 350, 390,
)  # fmt: skip

# Likes per view of a user: mean, and standard deviation as a share of it. Most users lie
# a little below the mean and a few far above: an exponential above a floor.
LIKE_RATE = 0.2269
LIKE_SPREAD = 0.225
LIKES_BY_WEEKDAY = (1.000, 0.995, 0.995, 1.000, 1.005, 1.010, 0.995)

# The experiment. The recommender of group 2 suits a part of its users, who find what they
# like and view less, and not the rest, who go on looking; group 3 is raised.
EXPERIMENT_DAYS = (27, 34)
UPLIFT = 1.077
SUITED_SHARE = 0.440
SUITED_VIEWS = 0.865
SUITED_RATE, SUITED_SPREAD = 0.3680, 0.126
UNSUITED_RATE, UNSUITED_SPREAD = 0.110, 0.06

# Posts: eighty a day, some days with a post that everybody sees.
POSTS_A_DAY = 80
POST_STOCK_DAYS = 6
POST_LIFE_DAYS = 4.0
POST_SKEW = (1.0, 1.6)
POST_SHOWN_AGAIN = 0.68
POST_LIKES_BY_RANK = 0.75
POST_LIKES_SPREAD = 0.20

# The messenger.
WRITERS_ADS = 0.195
WRITERS_ORGANIC = 0.49
WRITERS_AT_LAUNCH = (1.0, 7.0)
MESSENGER_USERS = (400.0, 1850.0, 22.0)
MESSENGER_CYCLE = (1.30, 0.87, 0.83)
MESSAGES = (6.0, 19.0, 13.0)
WRITING_WHILE_READING = 0.62
CIRCLE_OTHERS = 0.08
CIRCLE_STRANGERS = 0.03

# Planted events.
CAMPAIGN_DAY, CAMPAIGN_USERS, CAMPAIGN_RETURN = 40, 2700.0, 0.095
OUTAGE_DAY, OUTAGE_LEFT = 49, 0.09
OUTAGE_CITIES = ("Moscow", "Saint Petersburg", "Novosibirsk", "Yekaterinburg")
ORGANIC_STOP_DAY, ORGANIC_TRICKLE, ORGANIC_DECAY = 63, 246.0, 0.778
ORGANIC_LEAST = 5.0
SPIKE_DAY, SPIKE_USERS = 64, 3750.0
# Day, second of the day at which a quarter of an hour begins, how many times the views.
ODD_SLICES = (
    (75, 9 * 3600, 2.1),
    (82, 7 * 3600, 1.9),
    (82, 7 * 3600 + 900, 2.4),
    (82, 7 * 3600 + 1800, 2.2),
    (82, 7 * 3600 + 2700, 1.8),
)

# People: ages are bins of equal law for both genders.
MALE_SHARE = 0.552
ANDROID_SHARE = 0.649
AGE_EDGES = (14, 19, 26, 36, 46, 61, 81)
AGE_WEIGHTS = (19690, 61900, 35100, 19770, 8860, 859)

# Users by place. The rest of Russia is spread over many towns with composed names.
PLACES = {
    "Russia": {
        "Moscow": 19600, "Saint Petersburg": 6170, "Novosibirsk": 1760, "Yekaterinburg": 1720,
        "Nizhniy Novgorod": 1480, "Chelyabinsk": 1400, "Rostov": 1380, "Kazan": 1370,
        "Omsk": 1320, "Samara": 1320, "Ufa": 1240, "Krasnoyarsk": 1190, "Voronezh": 1130,
        "Perm": 1080, "Volgograd": 1020, "Krasnodar": 980, "Saratov": 880, "Tyumen": 840,
        "Tolyatti": 760, "Izhevsk": 700, "Barnaul": 680, "Irkutsk": 660, "Ulyanovsk": 640,
        "Khabarovsk": 620, "Yaroslavl": 600, "Vladivostok": 590, "Makhachkala": 570,
        "Tomsk": 550, "Orenburg": 540, "Kemerovo": 520, "Ryazan": 510, "Astrakhan": 500,
        "Penza": 490, "Lipetsk": 480, "Kirov": 470, "Tula": 450, "Kaliningrad": 440,
        "Kursk": 420, "Stavropol": 410, "Sochi": 400, "": 70120,
    },
    "Ukraine": {
        "Kyiv": 2200, "Kharkiv": 1250, "Odesa": 1100, "Dnipro": 1000, "Lviv": 780,
        "Zaporizhzhia": 600, "Vinnytsia": 480,
    },
    "Belarus": {"Minsk": 1560, "Gomel": 420, "Mogilev": 310, "Vitebsk": 270, "Grodno": 220,
                "Brest": 180},
    "Kazakhstan": {"Almaty": 1180, "Astana": 760, "Shymkent": 430, "Karaganda": 500},
    "Finland": {"Helsinki": 700, "Espoo": 260, "Tampere": 240, "Turku": 230},
    "Turkey": {"Istanbul": 720, "Ankara": 290, "Izmir": 220, "Antalya": 180},
    "Azerbaijan": {"Baku": 1020, "Ganja": 370},
    "Latvia": {"Riga": 118, "Daugavpils": 43},
    "Estonia": {"Tallinn": 115, "Tartu": 42},
    "Cyprus": {"Limassol": 92, "Nicosia": 55},
    "Switzerland": {"Zurich": 88, "Geneva": 50},
}  # fmt: skip
TOWN_PREFIXES = (
    "Alekse", "Andre", "Belo", "Bere", "Bogo", "Bolshe", "Verkhne", "Vladi", "Voro", "Voskre",
    "Dal", "Dobro", "Dolgo", "Zavo", "Zapo", "Zare", "Zelene", "Zlato", "Ivano", "Kame",
    "Kirovo", "Kras", "Krasne", "Kremne", "Lesno", "Lipo", "Malo", "Mikha", "Miro", "Nikola",
    "Nizhne", "Novo", "Ozero", "Oktya", "Orlo", "Ostro", "Pavlo", "Perevo", "Petro", "Podo",
    "Pole", "Pribre", "Pushki", "Rodni", "Rusa", "Svetlo", "Severo", "Sere", "Slavo", "Soko",
    "Solne", "Sosno", "Sredne", "Staro", "Stepno", "Tikho", "Troits", "Fedo", "Kholmo", "Cherno",
    "Chisto", "Shiro", "Yuzhno", "Yasno",
)  # fmt: skip
TOWN_SUFFIXES = (
    "vsk", "gorsk", "grad", "gradsk", "dal", "dolsk", "zavodsk", "zersk", "kamensk", "kino",
    "klyuch", "kovo", "kumsk", "lesye", "luzhsk", "mansk", "mansky", "morsk", "mysl", "nikovo",
    "norsk", "obinsk", "okhta", "pino", "pokrov", "polsk", "polye", "pristan", "pyatsk", "rechye",
    "rechensk", "rodino", "rovka", "rudnya", "ruchey", "saratka", "selo", "sibirka", "slavl",
    "slobodsk", "sokolye", "stolbovo", "tagilye", "tinsk", "tolyevo", "turinsk", "udinka", "ufimka",
    "uralye", "ustye", "khotye", "tsarevo", "chansk", "shakhtye", "shchino", "yarsk", "yurye",
    "borovsk", "brodsk", "vodsk",
)  # fmt: skip


def approach(days: int, first_value: float, gain: float, pace_days: float) -> NDArray[np.float64]:
    """Return a curve that settles at an exponential pace.

    Parameters
    ----------
    days : int
        Length of the curve.
    first_value : float
        Where it starts.
    gain : float
        How far above it settles.
    pace_days : float
        Days until two thirds of the way are done.

    Returns
    -------
    ndarray of float, shape (days,)
        One value per day.
    """
    return first_value + gain * (1 - np.exp(-np.arange(days) / pace_days))


def new_users(days: int, start: date) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what each day brings at scale 1.

    Parameters
    ----------
    days : int
        Length of the history.
    start : date
        Its first day.

    Returns
    -------
    users : ndarray of float, shape (days,)
        New users who will act.
    ads_shares : ndarray of float, shape (days,)
        Share of them that advertisements brought.
    """
    length = max(days, len(FIRST_WEEK))
    day = np.arange(length)
    users = NEW_USERS * weekly(ACQUISITION_BY_WEEKDAY, length, start)
    users[: len(FIRST_WEEK)] = FIRST_WEEK
    ads, organic = users * ADS_SHARE, users * (1 - ADS_SHARE)
    trickle = ORGANIC_TRICKLE * ORGANIC_DECAY ** (day - ORGANIC_STOP_DAY)
    organic = np.where(day < ORGANIC_STOP_DAY, organic, np.maximum(trickle, ORGANIC_LEAST))
    ads = ads + np.where(day == CAMPAIGN_DAY, CAMPAIGN_USERS, 0)
    return (ads + organic)[:days], (ads / (ads + organic))[:days]


def returns(curve: Sequence[float], days: int) -> NDArray[np.float64]:
    """Return what share of a cohort opens the feed at each age.

    Parameters
    ----------
    curve : sequence of float
        The shares at ``RETURN_AGES``.
    days : int
        Length of the history.

    Returns
    -------
    ndarray of float, shape (days + 1,)
        Shares from 0 to 1 at ages from 0 to ``days``.
    """
    age = np.arange(days + 1)
    fade = np.exp(-np.maximum(0, age - RETURN_AGES[-1]) / RETURN_FADE_DAYS)
    return np.asarray(np.interp(age, RETURN_AGES, curve) * fade, np.float64)


def messenger_users(days: int) -> NDArray[np.float64]:
    """Return how many users write on each day at scale 1.

    Parameters
    ----------
    days : int
        Length of the history.

    Returns
    -------
    ndarray of float, shape (days,)
        Expected users of the messenger.
    """
    users: NDArray[np.float64] = approach(days, *MESSENGER_USERS) * np.resize(MESSENGER_CYCLE, days)
    users[SPIKE_DAY : SPIKE_DAY + 1] = SPIKE_USERS
    return users


def weekly(factors: Sequence[float], days: int, start: date) -> NDArray[np.float64]:
    """Return the factor of each day.

    Parameters
    ----------
    factors : sequence of float
        By weekday, Monday first.
    days : int
        Length of the history.
    start : date
        Its first day.

    Returns
    -------
    ndarray of float, shape (days,)
        The factor of each day's weekday.
    """
    return np.array([factors[(start.weekday() + day) % 7] for day in range(days)], np.float64)


def recommended_views() -> float:
    """Return what keeps the views of group 2 as they would have been.

    Returns
    -------
    float
        Mean factor of the views of suited and unsuited users.
    """
    return SUITED_SHARE * SUITED_VIEWS + 1 - SUITED_SHARE


def cumulative(weights: Sequence[float]) -> list[float]:
    """Return running shares.

    Parameters
    ----------
    weights : sequence of float
        Any positive numbers.

    Returns
    -------
    list of float
        Share of the weights up to each one; the last is 1.

    Examples
    --------
    >>> cumulative([1, 3])
    [0.25, 1.0]
    """
    running = np.cumsum(weights)
    return [float(value) for value in running / running[-1]]


def places() -> dict[str, list[Any]]:
    """Return the places as arrays that a statement can draw from.

    Returns
    -------
    dict of list
        Values of the placeholders of ``sql/demo/users.sql``; an empty city is a town
        whose name is to be composed.
    """
    rows = [
        (country, city, users)
        for country, cities in PLACES.items()
        for city, users in cities.items()
    ]
    countries, cities, users = zip(*rows, strict=True)
    return {
        "place_countries": list(countries),
        "place_cities": list(cities),
        "place_shares": cumulative(users),
        "town_prefixes": list(TOWN_PREFIXES),
        "town_suffixes": list(TOWN_SUFFIXES),
    }
