### Everything that people read in messages, in Russian. Numbers arrive formatted, as text;
### $count beside them chooses the plural form.

## Metrics
metric-feed_users = Пользователи ленты
metric-messenger_users = Пользователи мессенджера
metric-app_users = Пользователи приложения
metric-both_users = Пользователи обоих сервисов
metric-feed_only_users = Пользователи только ленты
metric-messenger_only_users = Пользователи только мессенджера
metric-views = Просмотры
metric-likes = Лайки
metric-ctr = CTR
metric-views_per_user = Просмотры на пользователя
metric-likes_per_user = Лайки на пользователя
metric-messages_sent = Отправленные сообщения
metric-messages_received = Полученные сообщения
metric-users_sent = Получатели сообщений
metric-users_received = Отправители сообщений
metric-messages_per_user = Сообщения на пользователя
metric-new_users = Новые пользователи

## What they count
unit-users = { $count ->
    [one] { $number } пользователь
    [few] { $number } пользователя
   *[other] { $number } пользователей
}
unit-views = { $count ->
    [one] { $number } просмотр
    [few] { $number } просмотра
   *[other] { $number } просмотров
}
unit-likes = { $count ->
    [one] { $number } лайк
    [few] { $number } лайка
   *[other] { $number } лайков
}
unit-messages = { $count ->
    [one] { $number } сообщение
    [few] { $number } сообщения
   *[other] { $number } сообщений
}

## Segments
dimension-os = операционных систем
dimension-source = источников
dimension-country = стран
dimension-city = городов
dimension-gender = полов
dimension-age = возрастных групп
dimension-exp_group = групп эксперимента
dimension-service = сервисов
segment-unknown = неизвестно
segment-other = прочие
segment-female = женщины
segment-male = мужчины
segment-ads = реклама
segment-organic = органика
segment-feed = лента
segment-messages = мессенджер
segment-app = всё приложение
series = { $metric }, { $segment }

## Times
duration = { $hours ->
    [0] { $minutes } мин
   *[other] { $minutes ->
        [0] { $hours } ч
       *[other] { $hours } ч { $minutes } мин
    }
}
long-duration = { $hours ->
    [0] { $days ->
        [one] { $days } день
        [few] { $days } дня
       *[other] { $days } дней
    }
   *[other] { $days ->
        [one] { $days } день { $hours } ч
        [few] { $days } дня { $hours } ч
       *[other] { $days } дней { $hours } ч
    }
}

## Alerts: the first line
severity-critical = Критично
severity-warning = Внимание
severity-info = Новость
alert-opened = { $severity }: { $series } { $change } с { $since }
alert-worse = { $severity }: { $series } — хуже, сейчас { $change }, с { $since }
alert-reminder = Всё ещё { $series } { $change }, с { $since }
alert-again = { $severity }: { $series } снова { $change }, с { $since }
alert-recovered = Восстановилось: { $series }, через { $duration }
alert-passed = Уже прошло: { $series } { $change }, { $since } – { $until }
alert-silent-opened = { $severity }: нет данных с { $since }, { $segment }
alert-silent-worse = { $severity }: нет данных с { $since }, { $segment }
alert-silent-reminder = Всё ещё нет данных с { $since }, { $segment }
alert-silent-again = { $severity }: снова нет данных с { $since }, { $segment }
alert-silent-recovered = Данные снова есть, через { $duration }, { $segment }
alert-silent-passed = Не было данных: { $since } – { $until }, { $segment }
alert-summary = { $count ->
    [one] { $count } изменение метрик
    [few] { $count } изменения метрик
   *[other] { $count } изменений метрик
}

## Alerts: the lines below
alert-driver = Скорее всего: { $parts }; { $others } — как ожидалось.
alert-driver-alone = Скорее всего: { $parts }.
alert-others = { $count ->
    [one] остальные ({ $count }) из { $dimension }
    [few] остальные ({ $count }) из { $dimension }
   *[other] остальные { $count } { $dimension }
}
alert-everywhere = Все сегменты изменились одинаково.
alert-values = { $series }: { $value }, ожидалось { $expected } ({ $lower } – { $upper }), { $change }, { $score }× порог тревоги
alert-values-open = { $series }: { $value }, ожидалось { $expected }, { $change }, { $score }× порог тревоги
alert-more = { $count ->
    [one] и ещё { $count } ряд
    [few] и ещё { $count } ряда
   *[other] и ещё { $count } рядов
}
alert-accumulated = Ни один интервал сам по себе не выходит за границы, все вместе — выходят.
alert-lost = Потеряно: около { $amounts }.
alert-gained = Больше ожидаемого: около { $amounts }.
alert-times = { $since } – { $until }, в пике { $change }.
alert-planned = По плану: { $names }.
alert-unknown = Пока события не поступают, судить не о чем: приложение молчит или события не доходят.
alert-nothing-lost = Пришедшее с опозданием — как ожидалось.
alert-dashboard = Сейчас: { $address }

## Reports: what they compare with
weekday-before = { $weekday ->
    [0] прошлого понедельника
    [1] прошлого вторника
    [2] прошлой среды
    [3] прошлого четверга
    [4] прошлой пятницы
    [5] прошлой субботы
   *[6] прошлого воскресенья
}
report-change = { $judgement ->
    [better] { $change } ✓
    [worse] { $change } ✗
   *[other] { $change }
}
report-against = Изменение относительно { $weekday } | дня накануне (✓ лучше, ✗ хуже)
report-line = { $metric } { $value }: { $week } | { $day }
report-line-alone = { $metric } { $value }
report-name-feed = Лента
report-name-app = Приложение
report-ordinary = { $report }, { $day }: обычный день, { $users }, { $change } относительно { $weekday }
report-moved = { $report }, { $day }: необычный день, { $metric } { $change } относительно { $weekday }, { $users }
report-plain = { $report }, { $day }: { $users }, { $change } относительно { $weekday }
report-alone = { $report }, { $day }: { $users }, данных для { $weekday } нет

## Reports: the feed
report-feed-nothing = Лента, { $day }: ни просмотров, ни лайков за этот день, сообщать нечего
report-driver = Сильнее всего: { $metric } { $change } ({ $amount }), из них { $parts }
report-driver-small = Сильнее всего: { $metric } { $change }
report-driver-alike = Сильнее всего: { $metric } { $change }, везде примерно одинаково
report-base = Неделей раньше день сам был необычным: { $change } к своей прошлой неделе
report-part = { $segment } { $amount }
report-points = { $number } п. п.
report-quiet = Алерты: инцидентов не записано
report-unchecked = Алерты: проверок не было
report-incidents = { $count ->
    [one] Алерты: { $count } инцидент
    [few] Алерты: { $count } инцидента
   *[other] Алерты: { $count } инцидентов
}
report-incident-over = { $direction ->
    [up] { $series } — выше ожидаемого, { $since } – { $until }
   *[down] { $series } — ниже ожидаемого, { $since } – { $until }
}
report-incident-open = { $direction ->
    [up] { $series } — выше ожидаемого с { $since }, к концу дня не прошло
   *[down] { $series } — ниже ожидаемого с { $since }, к концу дня не прошло
}
report-silent-over = Нет данных, { $series }: { $since } – { $until }
report-silent-open = Нет данных, { $series }: с { $since }, к концу дня не появились

## Reports: the app
report-no-feed = Лентой в этот день никто не пользовался
report-no-messenger = Сообщений в этот день никто не писал
report-both-ever = Из пользователей дня обоими сервисами уже пользовались { $both }, только лентой { $feed }
report-balance = Неделя с { $week }: { $new } новых, { $retained } остались, { $resurrected } вернулись, { $gone } ушли
report-retention = Пришли за неделю с { $week } и были на следующей: { $shares }

## Pictures
chart-range = ожидаемые пределы
chart-expected = ожидалось
chart-anomalous = необычно
chart-on-week-before = { $change } к прошлой неделе
chart-panels-note = Сплошная: эти дни.  Пунктир: неделей раньше.  Серое: выходные.
chart-shaded-note = Серое: выходные.
chart-days = Последние дни: { $days }
chart-life = Весь период
chart-weeks-after = недели после первой, пользователи в процентах (* не окончена)
chart-retention = { $weeks ->
    [one] { $source }: через { $weeks } неделю остаётся { $share } новых пользователей
    [few] { $source }: через { $weeks } недели остаётся { $share } новых пользователей
   *[other] { $source }: через { $weeks } недель остаётся { $share } новых пользователей
}
chart-users-a-week = пользователи за неделю
chart-users = пользователи дня
chart-systems = { $system }: { $share } пользователей дня
chart-ages = Больше всего пользователей дня в возрасте { $age }: { $share }
alt-recent = { $names }, по дням, последние дни: { $days }
alt-life = { $names }, по дням, весь период
alt-retention = Доля новых пользователей каждой недели, остававшихся столько недель спустя: { $source }
alt-balance = Новые, оставшиеся, вернувшиеся и ушедшие пользователи по неделям
alt-audience = Пользователи по дням: приложение, лента, мессенджер, оба сервиса, только лента
alt-systems = Пользователи дня по операционным системам и источникам
alt-ages = Пользователи дня по возрасту и полу
look-app_users = Приложение
look-feed_users = Лента
look-messenger_users = Мессенджер
look-both_users = Оба в один день
look-feed_only_users = Только лента
look-new = Новые
look-retained = Оставшиеся
look-resurrected = Вернувшиеся
look-gone = Ушедшие
look-ads = Реклама
look-organic = Органика
look-female = Женщины
look-male = Мужчины
look-unknown = Неизвестно
look-thousand = тыс.
look-million = млн
age-under-18 = до 18
age-50-and-over = от 50
