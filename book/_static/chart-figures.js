/* From the description of a chart to a figure of plotly. Nothing here touches the page. */
"use strict";

window.bookPlot = (() => {
  const DAY = 864e5;
  const THIN = "\u202f";
  const MINUS = "\u2212";
  const NARROW = 640; // pixels; below it a chart is read on a phone
  const HOVER = "%{fullData.name} <b>%{text}</b><extra></extra>";
  const ROW = 17; // pixels of a row of labels
  const LETTER = 6.4; // pixels of a letter at the size of labels

  /* Numbers as `messages` writes them, the halves to the even side included. */
  function number(x, decimals) {
    const size = Math.abs(x);
    const half = (size * 2 ** (decimals + 1)) % 2 === 1;
    const low = Math.floor(size * 10 ** decimals);
    const fixed = half ? (low + (low % 2)) / 10 ** decimals : size;
    const [whole, part] = fixed.toFixed(decimals).split(".");
    const text = whole.replace(/\B(?=(\d{3})+$)/g, THIN) + (part ? `.${part}` : "");
    return (x < 0 && Number(text.replaceAll(THIN, "")) !== 0 ? MINUS : "") + text;
  }

  function shown(style, x) {
    if (x === null || !Number.isFinite(x)) return "\u2013";
    if (style === "count") return number(x, 0);
    if (style === "ratio") return number(x, 2);
    const percent = x * 100;
    return number(percent, Math.abs(percent).toFixed(2) < 10 ? 2 : 1) + THIN + "%";
  }

  /* Short, for an axis whose labels are `step` apart. */
  function tick(style, x, step = 0) {
    const [unit, sign] = style === "share" ? [0.01, `${THIN}%`]
      : Math.abs(x) >= 1e6 ? [1e6, `${THIN}M`] : Math.abs(x) >= 1e3 ? [1e3, `${THIN}k`] : [1, ""];
    const apart = step / unit;
    const decimals = [0, 1, 2, 3].find((count) => Math.abs(apart * 10 ** count - Math.round(apart * 10 ** count)) < 1e-6);
    const text = step ? (x / unit).toFixed(decimals ?? 4) : (x / unit).toPrecision(3);
    return `${Number(text)}`.replace("-", MINUS) + sign;
  }

  function moment(text) {
    return Date.parse(text.length === 10 ? `${text}T00:00Z` : `${text}Z`);
  }

  function places(spec) {
    return spec.axis === "time" ? spec.x.map(moment) : spec.x;
  }

  function iso(at) {
    return new Date(at).toISOString().slice(0, 16).replace("T", " ");
  }

  function date(at, hours) {
    const day = { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" };
    const time = { hour: "2-digit", minute: "2-digit", hour12: false };
    const form = hours >= 24 ? { weekday: "short", ...day } : { ...day, year: undefined, ...time };
    return new Intl.DateTimeFormat("en-GB", form).format(at).replace(",", "");
  }

  function label(spec, k) {
    const text = spec.axis === "time" ? date(moment(spec.x[k]), spec.hours) : String(spec.x[k]);
    return spec.hours > 24 ? `week from ${text}` : spec.across ? `${spec.across}: ${text}` : text;
  }

  function gap(spec) {
    return spec.axis === "time" ? spec.hours * 36e5 : 1;
  }

  /* The part of the axis that is seen, and the rows in it. */
  function seen(spec, view) {
    const at = places(spec);
    const half = gap(spec) * (spec.kind === "bars" ? 0.6 : 0.5);
    const [from, to] = view.range ?? [at[0] - half, at[at.length - 1] + half];
    const rows = at.flatMap((x, k) => (x >= from && x <= to ? [k] : []));
    return { at, from, to, rows };
  }

  function ticks(low, high, count) {
    const rough = (high - low) / count || 1;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 2.5, 5, 10].find((times) => times * power >= rough * 0.999) * power;
    const found = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high * (1 + 1e-9) + 1e-12; k++) {
      found.push(k * step);
    }
    return found;
  }

  function scale(spec, series, rows) {
    const numbers = [0];
    if (spec.kind === "lines") {
      numbers.length = 0;
      const columns = [...series.map((one) => one.values)];
      for (const band of spec.bands ?? []) columns.push(band.lower, band.upper);
      for (const column of columns) for (const k of rows) if (column[k] !== null) numbers.push(column[k]);
    } else {
      for (const k of rows) {
        for (const down of [false, true]) {
          const sum = series.filter((one) => one.down === down)
            .reduce((total, one) => total + (one.values[k] ?? 0), 0);
          numbers.push(down ? -sum : sum);
        }
      }
    }
    let low = Math.min(...numbers);
    let high = Math.max(...numbers);
    if (!numbers.length) [low, high] = [0, 1];
    const room = (high - low || Math.abs(high) || 1) * 0.1;
    if (spec.style === "count" || spec.kind !== "lines") {
      return [low < 0 ? low - room : 0, high > 0 ? high + room : 1];
    }
    return [low >= 0 ? Math.max(0, low - room) : low - room, high + room];
  }

  function colour(item, view, text = false) {
    return item.colours[view.theme][text ? 1 : 0];
  }

  function faint(hex, share) {
    const parts = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    return `rgba(${parts.join(",")},${share})`;
  }

  /* A line of which the last known stretch is dashed, its end hollow. */
  function openLine(spec, one, view) {
    const stroke = colour(one, view);
    const last = one.values.findLastIndex((x) => x !== null);
    const values = one.values.map((x, k) => (k < last ? x : null));
    const base = { type: "scatter", name: one.name, showlegend: false };
    const point = one.values.map((x, k) => (k === last ? 8 : 0.1));
    return [
      { ...base, x: spec.x, y: values, mode: "lines", hoverinfo: "skip", line: { color: stroke, width: 2.2 } },
      {
        ...base, x: spec.x.slice(Math.max(0, last - 1), last + 1),
        y: one.values.slice(Math.max(0, last - 1), last + 1),
        mode: "lines", hoverinfo: "skip", line: { color: stroke, width: 1.8, dash: "4px,3px" },
      },
      {
        ...base, x: spec.x, y: one.values, mode: "markers", cliponaxis: false,
        marker: { size: point, color: view.paper, line: { color: stroke, width: 2 } },
        text: one.values.map((x, k) => shown(spec.style, x) + (k === last ? ", not over" : "")),
        hovertemplate: HOVER,
      },
    ];
  }

  function line(spec, one, view, rows) {
    if (one.open) return openLine(spec, one, view);
    const stroke = colour(one, view);
    const stacked = spec.kind === "areas";
    return [{
      type: "scatter", name: one.name, x: spec.x, y: one.values, showlegend: false,
      mode: rows.length <= 40 && !stacked ? "lines+markers" : "lines",
      marker: { size: 5, color: stroke }, line: { color: stroke, width: stacked ? 0.5 : 2.2 },
      ...(stacked ? { stackgroup: "all", fillcolor: faint(stroke, 0.85) } : {}),
      text: one.values.map((x) => shown(spec.style, x)), hovertemplate: HOVER,
    }];
  }

  function bar(spec, one, view) {
    const fill = colour(one, view);
    const last = one.values.length - 1;
    const hollow = (k) => one.open && k === last;
    return [{
      type: "bar", name: one.name, x: spec.x, showlegend: false,
      y: one.values.map((x) => (x === null ? null : one.down ? -x : x)),
      width: gap(spec) * 0.8,
      marker: {
        color: one.values.map((_, k) => (hollow(k) ? faint(fill, 0.25) : fill)),
        line: { color: fill, width: one.values.map((_, k) => (hollow(k) ? 1.5 : 0)) },
      },
      text: one.values.map((x, k) => shown(spec.style, x) + (hollow(k) ? ", not over" : "")),
      textposition: "none", hovertemplate: HOVER,
    }];
  }

  function band(spec, one, view) {
    const base = { type: "scatter", mode: "lines", x: spec.x, line: { width: 0 }, showlegend: false };
    return [
      { ...base, y: one.lower, hoverinfo: "skip" },
      {
        ...base, y: one.upper, name: one.name, fill: "tonexty",
        fillcolor: faint(colour(one, view), 0.25),
        text: one.upper.map((x, k) => `${shown(spec.style, one.lower[k])} to ${shown(spec.style, x)}`),
        hovertemplate: HOVER,
      },
    ];
  }

  function weekends(spec, from, to, view) {
    if (spec.axis !== "time" || spec.hours > 24 || to - from < 2 * DAY || to - from > 500 * DAY) return [];
    const half = spec.hours === 24 ? DAY / 2 : 0; // a day's point stands in its middle
    const found = [];
    for (let day = Math.floor(from / DAY) * DAY; day <= to; day += DAY) {
      if (![0, 6].includes(new Date(day).getUTCDay())) continue;
      const ends = [Math.max(day - half, from), Math.min(day - half + DAY, to)];
      if (ends[0] >= ends[1]) continue;
      found.push({
        type: "rect", xref: "x", yref: "paper", x0: iso(ends[0]), x1: iso(ends[1]), y0: 0, y1: 1,
        layer: "below", line: { width: 0 }, fillcolor: view.shade,
      });
    }
    return found;
  }

  /* Labels in rows above the chart where there is room, numbers where there is none. */
  function marks(spec, from, to, view, width) {
    const inside = (spec.marks ?? []).map((mark) => ({ ...mark, place: moment(mark.at) }))
      .filter((mark) => mark.place >= from && mark.place <= to)
      .sort((one, other) => one.place - other.place);
    for (const mark of inside) mark.left = ((mark.place - from) / (to - from)) * width;
    const numbered = view.width < NARROW || rowed(inside, width, (mark) => mark.label.length * LETTER + 12) > 3;
    if (numbered) rowed(inside, Infinity, () => 18);
    const rows = Math.max(0, ...inside.map((mark) => mark.row + 1));
    return { inside, numbered, height: inside.length ? rows * ROW + 4 : 0 };
  }

  /* Give each label the lowest row where it fits, to the left of its line at the right edge. */
  function rowed(inside, width, length) {
    const ends = [];
    for (const mark of inside) {
      const long = length(mark);
      mark.flip = mark.left + long > width + 20;
      const start = mark.flip ? mark.left - long : mark.left;
      const free = ends.findIndex((end) => end <= start);
      mark.row = free < 0 ? ends.length : free;
      ends[mark.row] = mark.flip ? mark.left : start + long;
    }
    return ends.length;
  }

  function markShapes(found, height, view) {
    const shapes = found.inside.map((mark) => ({
      type: "line", xref: "x", yref: "paper", x0: iso(mark.place), x1: iso(mark.place), y0: 0,
      y1: 1 + (found.numbered ? 0 : (mark.row * ROW + 12) / height),
      line: { color: view.quiet, width: 1, dash: "2px,3px" },
    }));
    const labels = found.inside.map((mark, k) => ({
      xref: "x", yref: "paper", x: iso(mark.place), y: 1, showarrow: false,
      xanchor: found.numbered ? "center" : mark.flip ? "right" : "left", yanchor: "bottom",
      text: found.numbered ? String(k + 1) : mark.label, align: "left",
      bgcolor: view.paper, borderpad: 0,
      xshift: found.numbered ? 0 : mark.flip ? -3 : 3,
      yshift: 1 + mark.row * ROW, font: { size: 12, color: view.ink },
    }));
    return { shapes, labels };
  }

  /* Mondays or the first days of months, as many as fit; the year where it changes. */
  function dates(spec, from, to, view) {
    if (to - from < 3 * DAY) return { tickformat: "%H:%M" };
    const most = view.width < NARROW ? 5 : 10;
    const days = (to - from) / DAY;
    const step = [1, 2, 7, 14, 28].find((count) => days / count <= most);
    const found = [];
    if (step && days <= 140) {
      const monday = 4 * DAY; // the first one of the epoch
      const first = step < 7 ? Math.ceil(from / DAY) * DAY : Math.ceil((from - monday) / (7 * DAY)) * 7 * DAY + monday;
      for (let at = first; at <= to; at += step * DAY) found.push(at);
    } else {
      const months = [1, 2, 3, 6, 12, 24, 60].find((count) => days / 30.5 / count <= most) ?? 120;
      const at = new Date(from);
      for (let month = at.getUTCMonth() + 1; ; month++) {
        const next = Date.UTC(at.getUTCFullYear(), month, 1);
        if (next > to) break;
        if (month % months === 0) found.push(next);
      }
    }
    const year = (at) => new Date(at).getUTCFullYear();
    const form = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
    return {
      tickvals: found.map(iso),
      ticktext: found.map((at, k) => form.format(at) + (k && year(at) === year(found[k - 1]) ? "" : `<br>${year(at)}`)),
    };
  }

  /* The name of each line at its end, no two on each other. */
  function endLabels(spec, series, rows, [low, high], height, view) {
    let below = 0;
    const ends = series.map((one) => {
      const k = rows.findLast((row) => one.values[row] !== null && !(spec.kind === "areas" && one.open && row === spec.x.length - 1));
      let value = k === undefined ? low : one.values[k];
      if (spec.kind === "areas") [value, below] = [below + value / 2, below + value];
      return { one, at: ((value - low) / (high - low)) * height };
    }).sort((left, right) => left.at - right.at);
    let shift = 0;
    ends.forEach((end, k) => {
      end.place = k ? Math.max(end.at, ends[k - 1].place + 16) : end.at;
      shift += (end.at - end.place) / ends.length;
    });
    return ends.map((end) => ({
      xref: "paper", yref: "paper", x: 1, y: (end.place + shift) / height, xshift: 8, showarrow: false,
      xanchor: "left", yanchor: "middle", text: end.one.name, font: { size: 13, color: colour(end.one, view, true) },
    }));
  }

  function base(view, height) {
    return {
      width: view.width, height, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: view.font, size: 12, color: view.ink }, showlegend: false,
      hoverlabel: { bgcolor: view.paper, bordercolor: view.line, font: { color: view.ink, size: 13 } },
      separators: `.${THIN}`,
    };
  }

  function along(spec, view) {
    const series = spec.series.filter((one) => !view.hidden.has(one.key));
    const { from, to, rows } = seen(spec, view);
    const named = view.width >= NARROW && spec.kind !== "bars" && series.length > 1 && series.length < 8;
    const right = named ? Math.max(...series.map((one) => one.name.length)) * 7.2 + 18 : 24;
    const range = scale(spec, series, rows);
    const values = ticks(...range, view.width < NARROW ? 4 : 5);
    const numbers = values.map((x) => tick(spec.style, Math.abs(x), values[1] - values[0]));
    const margin = { l: Math.max(...numbers.map((text) => text.length)) * 6.5 + 12, r: right, b: 46 };
    const events = marks(spec, from, to, view, view.width - margin.l - right);
    margin.t = events.height + 8;
    const height = (view.width < NARROW ? 270 : 340) + events.height;
    const tall = height - margin.t - margin.b;
    const { shapes, labels } = markShapes(events, tall, view);
    const ends = named ? endLabels(spec, series, rows, range, tall, view) : [];
    const grid = { gridcolor: view.line, zerolinecolor: view.quiet };
    const lines = [...(spec.bands ?? []).flatMap((one) => band(spec, one, view))];
    for (const one of series) {
      lines.push(...(spec.kind === "bars" ? bar(spec, one, view) : spec.kind === "areas"
        ? line(spec, { ...one, open: false }, view, rows) : line(spec, one, view, rows)));
    }
    if (spec.kind === "areas" && series.some((one) => one.open) && spec.x.length > 1) {
      shapes.push({
        type: "rect", xref: "x", yref: "paper", x0: spec.x.at(-2), x1: spec.x.at(-1), y0: 0, y1: 1,
        fillcolor: view.paper, opacity: 0.6, line: { width: 0 },
      });
    }
    const time = spec.axis === "time";
    const moments = spec.hours > 24 ? "week from %-d %b %Y" : spec.hours < 24 ? "%a %-d %b, %H:%M" : "%a %-d %b %Y";
    return {
      data: lines, events, layout: {
        ...base(view, height), margin, barmode: "relative", hovermode: "x unified", dragmode: view.drag,
        shapes: [...weekends(spec, from, to, view), ...shapes], annotations: [...labels, ...ends],
        xaxis: {
          ...grid, type: time ? "date" : "linear", range: time ? [iso(from), iso(to)] : [from, to],
          showgrid: false, zeroline: false, ticks: "outside", tickcolor: view.line, automargin: false,
          nticks: view.width < NARROW ? 5 : 10, linecolor: view.line, ...(time ? dates(spec, from, to, view) : {}),
          title: time ? undefined : { text: spec.across, standoff: 6 },
          unifiedhovertitle: { text: time ? `%{x|${moments}}` : `${spec.across}: %{x}` },
          spikecolor: view.quiet, spikethickness: 1, spikedash: "solid",
        },
        yaxis: {
          ...grid, range, fixedrange: true, zeroline: range[0] < 0, tickvals: values,
          ticktext: numbers,
        },
      },
    };
  }

  function ranks(spec, view) {
    const series = spec.series.filter((one) => !view.hidden.has(one.key));
    const most = Math.max(...series.flatMap((one) => one.values.map((x) => x ?? 0)));
    const longest = Math.max(...spec.x.map((name) => name.length));
    const narrow = view.width < NARROW;
    const left = Math.min(longest * 7 + 14, view.width * 0.42);
    const letters = Math.floor((left - 14) / 7);
    const values = ticks(0, most, narrow ? 3 : 5);
    return {
      data: series.map((one) => ({
        type: "bar", orientation: "h", name: one.name, y: spec.x, x: one.values,
        marker: { color: colour(one, view) }, cliponaxis: false, showlegend: false,
        text: one.values.map((x) => shown(spec.style, x)), textposition: "outside", textangle: 0,
        hovertemplate: "%{y}: %{text}<extra>%{fullData.name}</extra>",
      })),
      layout: {
        ...base(view, 44 + spec.x.length * (12 + 17 * series.length)), hovermode: "closest", dragmode: false,
        barmode: "group", bargap: 0.3, margin: { l: left, r: 8, t: 6, b: 34 },
        xaxis: {
          fixedrange: true, range: [0, most * (narrow ? 1.28 : 1.12) || 1], gridcolor: view.line,
          zerolinecolor: view.quiet, tickvals: values, ticktext: values.map((x) => tick(spec.style, x)),
        },
        yaxis: {
          fixedrange: true, autorange: "reversed", type: "category", tickvals: spec.x, ticks: "",
          ticktext: spec.x.map((name) => (name.length > letters ? `${name.slice(0, letters - 1)}…` : name)),
        },
      },
    };
  }

  function heat(spec, view) {
    const written = spec.columns.length <= 14;
    const narrow = view.width < NARROW;
    const stops = view.theme === "dark" ? ["#1a2530", "#0b4f7d", "#3b9bd8", "#d9eefc"] : spec.heat;
    const open = (row, column) => spec.open?.[row]?.[column];
    const cell = (x) => (x === null ? "" : spec.style === "share" ? (x * 100).toFixed(0) : tick(spec.style, x));
    const tell = spec.values.map((row, r) => row.map((x, c) => shown(spec.style, x) + (open(r, c) ? ", not over" : "")));
    const longest = Math.max(...spec.x.map((name) => name.length));
    const high = Math.max(...spec.values.flat().filter((x) => x !== null));
    const numbers = ticks(0, high, 4);
    return {
      data: [{
        type: "heatmap", x: spec.columns, y: spec.x, z: spec.values, xgap: 2, ygap: 2, hoverongaps: false,
        colorscale: stops.map((stop, k) => [k / (stops.length - 1), stop]),
        text: spec.values.map((row, r) => row.map((x, c) => cell(x) + (open(r, c) && x !== null ? "*" : ""))),
        texttemplate: written ? "%{text}" : "", textfont: { size: narrow ? 9 : 12 },
        customdata: tell, showscale: !written && !narrow,
        colorbar: { thickness: 12, outlinewidth: 0, tickvals: numbers, ticktext: numbers.map((x) => tick(spec.style, x)) },
        hovertemplate: `<b>%{y}</b>, ${spec.across} %{x}<br>%{customdata}<extra></extra>`,
      }],
      layout: {
        ...base(view, 60 + spec.x.length * 28), hovermode: "closest", dragmode: false,
        margin: { l: longest * 7 + 12, r: 8, t: 6, b: 48 },
        xaxis: {
          type: "category", fixedrange: true, showgrid: false, title: { text: spec.across, standoff: 6 },
          nticks: narrow ? 8 : 24, ticks: "", tickangle: 0,
        },
        yaxis: { type: "category", fixedrange: true, autorange: "reversed", showgrid: false, ticks: "", tickvals: spec.x },
      },
    };
  }

  function figure(spec, view) {
    return spec.kind === "heat" ? heat(spec, view) : spec.kind === "ranks" ? ranks(spec, view) : along(spec, view);
  }

  return { DAY, figure, label, moment, places, seen, shown };
})();
