// Renders the key figures of two runs that the reader chooses, from the script beside it.
(() => {
  "use strict";
  const { runs, labels, pages, figures } = window.nbtoolsRuns;
  const form = document.querySelector("form.compare");
  const table = document.querySelector("table.compared");
  const missing = "\u2013";
  const plain = (x, digits) =>
    x
      .toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })
      .replaceAll(",", "\u202f")
      .replace("-", "\u2212");

  function shown(figure, value) {
    if (value === null || value === undefined) return missing;
    if (typeof value !== "number") return String(value);
    if (figure.style === "share") return plain(value * 100, Math.abs(value) < 0.1 ? 2 : 1) + "\u202f%";
    if (figure.style === "ratio") return plain(value, 2);
    if (Number.isInteger(value) || figure.style === "count") return plain(value, 0);
    return String(Number(value.toPrecision(4))).replace("-", "\u2212");
  }

  function change(figure, here, there) {
    if (typeof here !== "number" || typeof there !== "number" || there <= 0) return ["", ""];
    const percent = Math.round((here / there - 1) * 1000) / 10;
    const sign = percent > 0 ? "\u2191 +" : percent < 0 ? "\u2193 \u2212" : "\u00b1";
    const good = figure.good === "neither" || !percent ? "" : (percent > 0) === (figure.good === "up") ? "better" : "worse";
    return [`${sign}${plain(Math.abs(percent), 1)}\u202f% ${good}`.trim(), good];
  }

  function cell(row, kind, content, name) {
    const made = document.createElement(kind);
    made.append(content);
    if (name) made.className = name;
    if (kind === "th") made.scope = row.parentElement?.tagName === "THEAD" ? "col" : "row";
    row.append(made);
  }

  function run(place) {
    if (!pages[place]) return labels[place];
    const link = document.createElement("a");
    const notebook = location.pathname.split("/").pop().replace(/\.html$/, "");
    link.href = `../runs/${notebook}/${encodeURIComponent(runs[place])}.html`;
    link.textContent = labels[place];
    return link;
  }

  function render() {
    const here = Number(form.elements.this.value);
    const there = Number(form.elements.with.value);
    table.replaceChildren();
    const head = table.createTHead().insertRow();
    cell(head, "th", "Key figure");
    cell(head, "th", run(here), "number");
    cell(head, "th", run(there), "number");
    cell(head, "th", "Change");
    const body = table.createTBody();
    for (const figure of figures) {
      const row = body.insertRow();
      const [text, good] = change(figure, figure.values[here], figure.values[there]);
      cell(row, "th", figure.name);
      cell(row, "td", shown(figure, figure.values[here]), "number");
      cell(row, "td", shown(figure, figure.values[there]), "number");
      cell(row, "td", text, good);
    }
    history.replaceState(null, "", `#${encodeURIComponent(runs[here])}&${encodeURIComponent(runs[there])}`);
  }

  for (const select of form.querySelectorAll("select")) {
    labels.forEach((label, place) => select.add(new Option(label, place)));
    select.addEventListener("change", render);
  }
  const asked = (location.hash || location.search).slice(1).split("&").map((name) => runs.indexOf(decodeURIComponent(name)));
  const here = Math.max(asked[0] ?? 0, 0);
  form.elements.this.value = here;
  form.elements.with.value = asked[1] >= 0 ? asked[1] : Math.min(here + 1, runs.length - 1);
  form.hidden = false;
  render();
})();
