### Everything that people read in messages, in English. Numbers arrive formatted, as text;
### $count beside them chooses the plural form.

## Metrics
metric-feed_users = Feed users
metric-messenger_users = Messenger users
metric-app_users = App users
metric-both_users = Users of both services
metric-feed_only_users = Users of only the feed
metric-messenger_only_users = Users of only the messenger
metric-views = Views
metric-likes = Likes
metric-ctr = CTR
metric-views_per_user = Views per user
metric-likes_per_user = Likes per user
metric-messages_sent = Messages sent
metric-messages_received = Messages received
metric-users_sent = Receivers written to
metric-users_received = Senders heard from
metric-messages_per_user = Messages per user
metric-new_users = New users

## What they count
unit-users = { $count ->
    [one] { $number } user
   *[other] { $number } users
}
unit-views = { $count ->
    [one] { $number } view
   *[other] { $number } views
}
unit-likes = { $count ->
    [one] { $number } like
   *[other] { $number } likes
}
unit-messages = { $count ->
    [one] { $number } message
   *[other] { $number } messages
}

## Segments
dimension-os = operating systems
dimension-source = sources
dimension-country = countries
dimension-city = cities
dimension-gender = genders
dimension-age = age groups
dimension-exp_group = experiment groups
dimension-service = services
segment-unknown = unknown
segment-other = other
segment-female = female
segment-male = male
segment-ads = ads
segment-organic = organic
segment-feed = feed
segment-messages = messenger
segment-app = whole app
series = { $metric }, { $segment }

## Times
duration = { $hours ->
    [0] { $minutes } min
   *[other] { $minutes ->
        [0] { $hours } h
       *[other] { $hours } h { $minutes } min
    }
}
long-duration = { $hours ->
    [0] { $days ->
        [one] { $days } day
       *[other] { $days } days
    }
   *[other] { $days ->
        [one] { $days } day { $hours } h
       *[other] { $days } days { $hours } h
    }
}

## Alerts: the first line
severity-critical = Critical
severity-warning = Warning
severity-info = News
alert-opened = { $severity }: { $series } { $change } since { $since }
alert-worse = { $severity }: { $series } worse, { $change } now, since { $since }
alert-reminder = Still { $series } { $change }, since { $since }
alert-again = { $severity }: { $series } { $change } again, since { $since }
alert-recovered = Recovered: { $series }, after { $duration }
alert-passed = Over: { $series } { $change }, { $since } to { $until }
alert-silent-opened = { $severity }: no data since { $since }, { $segment }
alert-silent-worse = { $severity }: no data since { $since }, { $segment }
alert-silent-reminder = Still no data since { $since }, { $segment }
alert-silent-again = { $severity }: no data again since { $since }, { $segment }
alert-silent-recovered = Data are back after { $duration }, { $segment }
alert-silent-passed = No data from { $since } to { $until }, { $segment }
alert-summary = { $count ->
    [one] { $count } change in the metrics
   *[other] { $count } changes in the metrics
}

## Alerts: the lines below
alert-driver = Most likely: { $parts }; { $others } as expected.
alert-driver-alone = Most likely: { $parts }.
alert-others = { $count ->
    [one] { $count } other of the { $dimension }
   *[other] the other { $count } { $dimension }
}
alert-everywhere = All segments move alike.
alert-values = { $series }: { $value }, expected { $expected } ({ $lower } to { $upper }), { $change }, { $score }× the alarm threshold
alert-values-open = { $series }: { $value }, expected { $expected }, { $change }, { $score }× the alarm threshold
alert-more = { $count ->
    [one] and { $count } series more
   *[other] and { $count } series more
}
alert-accumulated = No single slice is out of its range, all of them together are.
alert-lost = Lost: about { $amounts }.
alert-gained = More than expected: about { $amounts }.
alert-times = { $since } to { $until }, at its peak { $change }.
alert-planned = Planned: { $names }.
alert-unknown = Nothing can be judged until events arrive: the app is silent, or its events do not come through.
alert-nothing-lost = What arrived late was as expected.
alert-dashboard = Live: { $address }

## Reports: what they compare with
weekday-before = { $weekday ->
    [0] the Monday before
    [1] the Tuesday before
    [2] the Wednesday before
    [3] the Thursday before
    [4] the Friday before
    [5] the Saturday before
   *[6] the Sunday before
}
report-change = { $judgement ->
    [better] { $change } ✓
    [worse] { $change } ✗
   *[other] { $change }
}
report-against = Change against { $weekday } | the day before (✓ better, ✗ worse)
report-line = { $metric } { $value }: { $week } | { $day }
report-line-alone = { $metric } { $value }
report-name-feed = Feed
report-name-app = App
report-ordinary = { $report }, { $day }: an ordinary day, { $users }, { $change } on { $weekday }
report-moved = { $report }, { $day }: out of the ordinary, { $metric } { $change } on { $weekday }, { $users }
report-plain = { $report }, { $day }: { $users }, { $change } on { $weekday }
report-alone = { $report }, { $day }: { $users }, nothing is known of { $weekday }

## Reports: the feed
report-feed-nothing = Feed, { $day }: no views and no likes on this day, so there is nothing to report
report-driver = What moved most: { $metric } { $change } ({ $amount }), of this { $parts }
report-driver-small = What moved most: { $metric } { $change }
report-driver-alike = What moved most: { $metric } { $change }, much alike everywhere
report-base = The week before was out of the ordinary itself: { $change } on its own week before
report-part = { $segment } { $amount }
report-points = { $number } pp
report-quiet = Alerts: no incident on record
report-unchecked = Alerts: nothing was checked
report-incidents = { $count ->
    [one] Alerts: { $count } incident
   *[other] Alerts: { $count } incidents
}
report-incident-over = { $direction ->
    [up] { $series } above what was expected, { $since } to { $until }
   *[down] { $series } below what was expected, { $since } to { $until }
}
report-incident-open = { $direction ->
    [up] { $series } above what was expected since { $since }, not over at the end of the day
   *[down] { $series } below what was expected since { $since }, not over at the end of the day
}
report-silent-over = No data of the { $series } from { $since } to { $until }
report-silent-open = No data of the { $series } since { $since }, not over at the end of the day

## Reports: the app
report-no-feed = Nobody used the feed on this day
report-no-messenger = Nobody wrote a message on this day
report-both-ever = Of the users of the day { $both } have used both services so far, { $feed } only the feed
report-balance = Week from { $week }: { $new } new, { $retained } stayed, { $resurrected } came back, { $gone } gone
report-retention = New in the week from { $week }, there in the week after: { $shares }

## Pictures
chart-range = expected range
chart-expected = expected
chart-anomalous = anomalous
chart-on-week-before = { $change } on the week before
chart-panels-note = Solid: these days.  Dashed: a week earlier.  Shaded: weekends.
chart-shaded-note = Shaded: weekends.
chart-days = The last { $days } days
chart-life = The whole period
chart-weeks-after = weeks after the first, users in per cent (* not over)
chart-retention = { $weeks ->
    [one] { $source }: { $share } of the new users are there a week later
   *[other] { $source }: { $share } of the new users are there { $weeks } weeks later
}
chart-users-a-week = users a week
chart-users = users of the day
chart-systems = { $share } of the users of the day have { $system }
chart-ages = The most users of the day are { $age }: { $share }
alt-recent = { $names }, by day, the last { $days } days
alt-life = { $names }, by day, the whole period
alt-retention = Share of each week's new users that was there so many weeks later: { $source }
alt-balance = New, retained, resurrected and gone users by week
alt-audience = Users by day: app, feed, messenger, both services, only the feed
alt-systems = Users of the day by operating system and source
alt-ages = Users of the day by age and gender
look-app_users = App
look-feed_users = Feed
look-messenger_users = Messenger
look-both_users = Both, same day
look-feed_only_users = Only the feed
look-new = New
look-retained = Retained
look-resurrected = Resurrected
look-gone = Gone
look-ads = Ads
look-organic = Organic
look-female = Female
look-male = Male
look-unknown = Unknown
look-thousand = k
look-million = M
age-under-18 = under 18
age-50-and-over = 50 and over
