/* Turns the charts of a page into plotly's, and keeps what was chosen in its address.

   A page without charts loads nothing. Where this script, plotly or a decoder is missing, the
   picture and the table of a chart stay. */
"use strict";

(() => {
  const { DAY, figure, label, moment, places, seen, shown } = window.bookPlot;
  const LIBRARY = new URL("../vendor/plotly.min.js", document.currentScript.src).href;
  const panels = [];
  let written = "";

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  /* The picture that a chart stands for: the nearest one before it in its cell. */
  function pictureOf(root) {
    let at = root.closest(".output") ?? root;
    while ((at = at.previousElementSibling)) {
      if (at.querySelector(".chart")) return null;
      if (at.matches("img") || at.querySelector("img")) return at;
    }
    return null;
  }

  /* What was chosen, as `name.key=value` pairs after the `#`. */
  function chosen() {
    return new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  }

  function choose(name, key, value) {
    const all = chosen();
    if (value) all.set(`${name}.${key}`, value);
    else all.delete(`${name}.${key}`);
    const text = all.toString();
    // Unlike a push, it leaves one entry in the history, and it works without a server.
    location.replace(`#${text || name}`);
    written = location.hash;
  }

  class Panel {
    constructor(root, spec) {
      this.root = root;
      this.spec = spec;
      this.hidden = new Set();
      this.range = null;
      this.at = null;
      this.build();
    }

    get name() {
      return this.root.id;
    }

    build() {
      const id = `${this.name}-title`;
      this.title = element("p", { class: "chart-title", id });
      this.controls = element("div", { class: "chart-controls" });
      this.unit = element("p", { class: "chart-unit" });
      this.plot = element("div", { class: "chart-plot", role: "img", tabindex: "0", "aria-keyshortcuts": "ArrowLeft ArrowRight" });
      this.told = element("p", { class: "chart-told", "aria-live": "polite" });
      this.events = element("ol", { class: "chart-marks" });
      this.note = element("p", { class: "chart-note" }, this.spec.note ?? "");
      this.live = element("div", { class: "chart-live", role: "group", "aria-labelledby": id },
        this.title, this.controls, this.unit, this.plot, this.told, this.events, this.note);
      this.root.prepend(this.live);
      pictureOf(this.root)?.classList.add("chart-replaced");
      this.plot.addEventListener("keydown", (event) => this.key(event));
      new ResizeObserver(() => this.plot.clientWidth !== this.width && this.draw()).observe(this.plot);
    }

    /* Take over what the address says, then draw. */
    read() {
      const all = chosen();
      this.hidden = new Set((all.get(`${this.name}.hide`) ?? "").split(",").filter(Boolean));
      this.days = Number(all.get(`${this.name}.days`)) || null;
      this.range = null;
      this.draw();
    }

    draw() {
      this.width = this.plot.clientWidth;
      if (!this.width) return;
      const { spec } = this;
      this.title.textContent = spec.title;
      this.unit.textContent = spec.unit;
      this.plot.setAttribute("aria-label", spec.alt);
      this.legend();
      const drawn = figure(spec, this.view());
      this.list(drawn.events);
      const config = { displayModeBar: false, doubleClick: false, showTips: false, displaylogo: false };
      window.Plotly.react(this.plot, drawn.data, drawn.layout, config);
      if (!this.listens) {
        this.listens = true;
        this.plot.on("plotly_relayout", (change) => this.zoom(change));
        this.plot.on("plotly_doubleclick", () => this.reset());
      }
    }

    view() {
      const style = getComputedStyle(this.live);
      const own = (name) => style.getPropertyValue(name).trim();
      return {
        theme: document.documentElement.dataset.theme === "dark" ? "dark" : "light",
        width: this.width, hidden: this.hidden, range: this.window(), font: style.fontFamily,
        ink: style.color, quiet: own("--book-quiet"), line: own("--book-line"),
        paper: own("--chart-paper"), shade: own("--chart-shade"),
        drag: matchMedia("(pointer: fine)").matches ? "zoom" : false,
      };
    }

    /* The part of time that is seen: drawn with the mouse, or the last days. */
    window() {
      if (this.range || !this.days || this.spec.axis !== "time") return this.range;
      const last = moment(this.spec.x.at(-1));
      const half = this.spec.hours * 18e5;
      return [last - (this.days * DAY) + half, last + half];
    }

    zoom(change) {
      const [from, to] = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
      if (from === undefined) return;
      this.range = this.spec.axis === "time"
        ? [from, to].map((text) => Date.parse(`${String(text).replace(" ", "T")}Z`)) : [from, to];
      if (!seen(this.spec, this.view()).rows.length) this.range = null;
      this.draw();
    }

    reset() {
      this.range = null;
      this.days = null;
      choose(this.name, "days", "");
      this.draw();
    }

    /* Buttons for series and for periods, made anew only when there are others. */
    legend() {
      const { spec } = this;
      const series = spec.kind === "heat" || spec.series.length < 2 ? [] : spec.series;
      const known = `${series.map((one) => one.name)}|${document.documentElement.dataset.theme}|${this.periods()}`;
      if (known !== this.known) {
        this.known = known;
        this.controls.replaceChildren(this.chips(series), this.spans());
      }
      for (const button of this.controls.querySelectorAll("button")) {
        const { key, days } = button.dataset;
        const on = key !== undefined ? !this.hidden.has(key)
          : !this.range && String(this.days ?? "") === days;
        button.setAttribute("aria-pressed", on);
      }
    }

    chips(series) {
      const group = element("div", { class: "chart-chips", role: "group", "aria-label": "Series shown" });
      const theme = document.documentElement.dataset.theme === "dark" ? "dark" : "light";
      for (const one of series) {
        const swatch = element("span", { class: "chart-swatch", "aria-hidden": "true" });
        swatch.style.background = one.colours[theme][0];
        const button = element("button", { type: "button", "data-key": one.key }, swatch, one.name);
        button.addEventListener("click", () => this.toggle(one.key));
        group.append(button);
      }
      for (const band of this.spec.bands ?? []) {
        const swatch = element("span", { class: "chart-swatch chart-range", "aria-hidden": "true" });
        swatch.style.background = band.colours[theme][0];
        group.append(element("span", { class: "chart-band" }, swatch, band.name));
      }
      return group;
    }

    toggle(key) {
      if (!this.hidden.delete(key)) this.hidden.add(key);
      if (this.hidden.size >= this.spec.series.length) this.hidden.clear();
      choose(this.name, "hide", [...this.hidden].join(","));
      this.draw();
    }

    periods() {
      const { spec } = this;
      if (spec.axis !== "time" || spec.kind === "heat") return [];
      const days = spec.hours > 24 ? [56] : [7, 28];
      const span = (moment(spec.x.at(-1)) - moment(spec.x[0])) / DAY;
      return days.filter((count) => count < span);
    }

    spans() {
      const group = element("div", { class: "chart-spans", role: "group", "aria-label": "Period shown" });
      const found = this.periods();
      for (const days of found.length ? [...found, ""] : []) {
        const text = days === "" ? "All" : this.spec.hours > 24 ? `${days / 7} weeks` : `${days} d`;
        const button = element("button", { type: "button", "data-days": days }, text);
        button.addEventListener("click", () => {
          this.range = null;
          this.days = days || null;
          choose(this.name, "days", String(days));
          this.draw();
        });
        group.append(button);
      }
      return group;
    }

    /* What happened, in words; shown where the chart has only numbers. */
    list(events) {
      const items = (events?.inside ?? []).map((mark) => element("li", {}, `${label({ ...this.spec, x: [mark.at], hours: 24 }, 0)}: ${mark.label}`));
      this.events.replaceChildren(...items);
      this.events.hidden = !items.length;
      this.events.classList.toggle("chart-aside", !events?.numbered);
    }

    /* Arrow keys walk along the chart and say what is there. */
    key(event) {
      const { spec } = this;
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by || spec.axis === "words") return;
      event.preventDefault();
      const { rows } = seen(spec, this.view());
      if (!rows.length) return;
      const now = rows.indexOf(this.at);
      this.at = now < 0 ? rows.at(by < 0 ? -1 : 0) : rows[Math.min(rows.length - 1, Math.max(0, now + by))];
      const x = places(spec)[this.at];
      window.Plotly.Fx.hover(this.plot, { xval: x });
      const said = spec.series.filter((one) => !this.hidden.has(one.key))
        .map((one) => `${one.name} ${shown(spec.style, one.values[this.at])}`);
      this.told.textContent = `${label(spec, this.at)}: ${said.join(", ")}`;
    }
  }

  /* A panel that sums up its numbers itself, by metric and by who is counted. */
  class CubePanel extends Panel {
    constructor(root, spec, cube, columns) {
      super(root, { ...spec, series: [], x: [] });
      this.given = spec;
      this.cube = cube;
      this.cells = columns;
      this.selects = new Map();
      this.choices = element("div", { class: "chart-choices" });
      this.live.insertBefore(this.choices, this.controls);
      this.x = Array.from({ length: cube.days }, (_, day) =>
        new Date(moment(cube.first) + day * DAY).toISOString().slice(0, 10));
      const metrics = cube.metrics.map((one) => [one.key, one.name]);
      this.select("metric", "Metric", metrics);
      for (const one of cube.dimensions) {
        const values = one.values.map((value) => [value.key, value.name]);
        this.select(one.key, one.name, [["", "All"], ...values]);
      }
      this.select("by", "Compare by", [["", "Nothing"], ...cube.dimensions.map((one) => [one.key, one.name])]);
    }

    select(key, name, options) {
      const made = element("select", { "data-key": key },
        ...options.map(([value, text]) => element("option", { value }, text)));
      made.addEventListener("change", () => {
        choose(this.name, key, made.selectedIndex ? made.value : "");
        this.hidden.clear();
        choose(this.name, "hide", "");
        this.sum();
        this.draw();
      });
      this.selects.set(key, made);
      this.choices.append(element("label", {}, element("span", {}, name), made));
    }

    read() {
      const all = chosen();
      for (const [key, made] of this.selects) {
        made.value = all.get(`${this.name}.${key}`) ?? "";
        if (made.selectedIndex < 0 || !all.has(`${this.name}.${key}`)) made.selectedIndex = 0;
      }
      this.sum();
      super.read();
    }

    /* Sums of each column by day, for each value that is compared. */
    sums(by) {
      const { cube } = this;
      const { dimensions } = cube;
      const wanted = dimensions.map((one) => one.values.findIndex((value) => value.key === this.selects.get(one.key).value));
      const parts = by < 0 ? 1 : dimensions[by].values.length;
      const found = Array.from({ length: parts }, () => cube.columns.map(() => new Float64Array(cube.days)));
      const [numbers, ...counts] = this.cells;
      const place = new Array(dimensions.length);
      for (let cell = 0, at = 0; cell < numbers.length; cell++) {
        at += numbers[cell];
        let rest = at;
        let counted = true;
        for (let k = dimensions.length - 1; k >= 0; k--) {
          const size = dimensions[k].values.length;
          place[k] = rest % size;
          rest = (rest - place[k]) / size;
          if (wanted[k] >= 0 && wanted[k] !== place[k]) counted = false;
        }
        if (!counted) continue;
        const sums = found[by < 0 ? 0 : place[by]];
        for (let column = 0; column < counts.length; column++) sums[column][rest] += counts[column][cell];
      }
      return found;
    }

    values(metric, sums) {
      const { columns } = this.cube;
      const add = (terms, day) => Object.entries(terms)
        .reduce((total, [name, sign]) => total + sign * sums[columns.indexOf(name)][day], 0);
      return this.x.map((_, day) => {
        const above = add(metric.above, day);
        if (!Object.keys(metric.below).length) return above;
        const below = add(metric.below, day);
        return below === 0 ? null : above / below;
      });
    }

    sum() {
      const { cube, given } = this;
      const metric = cube.metrics[this.selects.get("metric").selectedIndex];
      const by = cube.dimensions.findIndex((one) => one.key === this.selects.get("by").value);
      const sums = this.sums(by);
      const described = (key, name, colours, part) => ({
        key, name, colours, values: this.values(metric, sums[part]), down: false, open: given.open,
      });
      const series = by < 0 ? [described(metric.key, metric.name, metric.colours, 0)]
        : cube.dimensions[by].values.map((value, k) => described(value.key || "unknown", value.name, value.colours, k))
          .filter((one) => one.values.some((x) => x));
      const names = [...this.selects].filter(([key, made]) => key !== "metric" && key !== "by" && made.value)
        .map(([, made]) => made.selectedOptions[0].textContent);
      const chosen = [metric.name, ...names].join(", ");
      const plain = by < 0 && !names.length && this.selects.get("metric").selectedIndex === 0;
      const title = plain ? given.title : this.finding(metric, chosen, series, by);
      this.spec = {
        ...given, x: this.x, title, alt: plain ? given.alt : title,
        series: series.length ? series : [described(metric.key, metric.name, metric.colours, 0)],
        style: metric.style, unit: metric.style === "share" ? metric.name : `${metric.unit} a day`,
      };
      if (metric.style === "ratio") this.spec.unit = metric.unit;
      this.table(by < 0 ? cube.metrics.map((one) => [one.name, one.style, this.values(one, sums[0])])
        : series.map((one) => [one.name, metric.style, one.values]));
    }

    finding(metric, chosen, series, by) {
      const day = this.x.length - (this.given.open ? 2 : 1);
      if (day < 0) return chosen;
      const on = label({ ...this.given, x: this.x }, day);
      if (by < 0) return `${chosen}: ${shown(metric.style, series[0].values[day])} on ${on}`;
      const said = series.map((one) => `${one.name} ${shown(metric.style, one.values[day])}`);
      return `${chosen} on ${on}: ${said.join(", ")}`;
    }

    table(columns) {
      const table = this.root.querySelector(".chart-numbers table");
      const head = table.tHead.rows[0];
      while (head.cells.length > 1) head.lastElementChild.remove();
      head.append(...columns.map(([name]) => element("th", { scope: "col" }, name)));
      [...table.tBodies[0].rows].forEach((row, day) => {
        while (row.cells.length > 1) row.lastElementChild.remove();
        row.append(...columns.map(([, style, values]) => element("td", {}, shown(style, values[day]))));
      });
    }
  }

  async function unpacked(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(plain).json();
  }

  function loaded() {
    return new Promise((resolve, reject) => {
      const script = element("script", { src: LIBRARY });
      script.addEventListener("load", resolve);
      script.addEventListener("error", () => reject(new Error(`${LIBRARY} is missing`)));
      document.head.append(script);
    });
  }

  async function panel(root) {
    const spec = JSON.parse(root.querySelector("script").textContent);
    if (!spec.cube) return new Panel(root, spec);
    return new CubePanel(root, spec, spec.cube, await unpacked(spec.cube.data));
  }

  async function start() {
    const roots = [...document.querySelectorAll(".chart")].filter((root) => root.querySelector("script"));
    if (!roots.length) return;
    await loaded();
    for (const root of roots) {
      const made = await panel(root);
      panels.push(made);
      made.read();
      // Let the page answer between two charts.
      await new Promise((resolve) => setTimeout(resolve));
    }
    const first = panels.find((one) => [...chosen().keys()].some((key) => key.startsWith(`${one.name}.`)));
    first?.root.scrollIntoView({ behavior: "instant" });
    addEventListener("hashchange", () => {
      if (location.hash !== written) panels.forEach((one) => one.read());
    });
    new MutationObserver(() => panels.forEach((one) => one.draw()))
      .observe(document.documentElement, { attributeFilter: ["data-theme"] });
    document.documentElement.dataset.charts = "drawn";
  }

  document.addEventListener("DOMContentLoaded", start);
})();
