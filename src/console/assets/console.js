// What pages do beyond showing: the menu on a phone, times in the reader's own zone, copying, charts drawn from the
// tables below them, and news without loading the page again. Everything works without it.
"use strict";
(() => {
  document.documentElement.classList.add("scripted");
  const script = document.currentScript;

  const localTimes = (root) => {
    for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      time.dataset.local = "1";
      time.title = time.textContent;
      time.textContent = at.toLocaleString(undefined, {
        day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
        ...(at.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" }),
      });
    }
  };

  document.addEventListener("click", async (event) => {
    const menu = event.target.closest("[data-menu]");
    if (menu) {
      const isOpen = document.getElementById(menu.dataset.menu).classList.toggle("open");
      menu.setAttribute("aria-expanded", String(isOpen));
    }
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      await navigator.clipboard.writeText(document.getElementById(copy.dataset.copy).textContent);
      copy.textContent = "Copied";
    }
  });

  // A file that is chosen goes into the text beside it, where it can be read before it is sent.
  document.addEventListener("change", async (event) => {
    const into = event.target.dataset?.into;
    if (into && event.target.files?.[0]) document.getElementById(into).value = await event.target.files[0].text();
  });

  // A chart is drawn from its table, so that both say the same.
  const charts = [];
  const draw = (place) => {
    const table = document.getElementById(place.dataset.chart);
    const names = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent);
    const rows = [...table.tBodies[0].rows];
    const data = [rows.map((row) => Number(row.dataset.at)),
      ...names.map((_, at) => rows.map((row) => Number(row.cells[at + 1].textContent)))];
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const strokes = [colour("--accent"), colour("--wait"), colour("--bad")];
    const axis = { stroke: colour("--ink-soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
    place.replaceChildren();
    charts.push(new uPlot({
      width: place.clientWidth, height: 240,
      scales: { y: { range: (_, __, most) => [0, Math.max(4, most * 1.1)] } },
      cursor: { y: false },
      axes: [axis, { ...axis, size: 56, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6], values: (_, ticks) => ticks.map((tick) => tick.toLocaleString()) }],
      series: [{ label: "From" }, ...names.map((label, at) => ({
        label, stroke: strokes[at], fill: at === 0 ? `${strokes[0]}22` : undefined, width: 2,
        dash: at === 2 ? [4, 4] : undefined, points: { size: 5 },
      }))],
    }, data, place));
  };
  const drawAll = () => { charts.splice(0).forEach((chart) => chart.destroy()); document.querySelectorAll("[data-chart]").forEach(draw); };
  if (document.querySelector("[data-chart]")) {
    const library = document.createElement("script");
    library.src = script.dataset.uplot;
    library.onload = () => {
      drawAll();
      new ResizeObserver(() => charts.forEach((chart) => chart.setSize({ width: chart.root.parentElement.clientWidth, height: 240 })))
        .observe(document.querySelector("[data-chart]"));
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
    };
    document.head.append(library);
  }

  // What changed is fetched and put in its place, unless somebody is typing there.
  const live = document.querySelector("[data-live]");
  if (live && window.EventSource) {
    new EventSource(live.dataset.live).addEventListener("changed", async () => {
      if (live.contains(document.activeElement)) return;
      const answer = await fetch(live.dataset.page ?? location.href, { headers: { accept: "text/html" } });
      if (!answer.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      live.replaceChildren(...page.getElementById("live").childNodes);
      localTimes(live);
    });
  }

  localTimes(document);
  document.addEventListener("htmx:load", (event) => {
    localTimes(event.detail.elt);
    if (window.uPlot && event.detail.elt.querySelector("[data-chart]")) drawAll();
  });
})();
