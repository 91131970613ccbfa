// Obeys the controls of gift_lib.book.widgets on a page: no kernel, no network, and no effect where it has run before.
(() => {
  const element = (name, text, attributes = {}) => {
    const e = document.createElement(name);
    e.textContent = text;
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    return e;
  };

  // Sliders over frames that were drawn beforehand.
  const frames = (box) => {
    const sliders = [...box.querySelectorAll("input[type=range]")];
    const show = () => {
      const key = sliders.map((s) => s.value).join(" ");
      for (const f of box.querySelectorAll("[data-frame]")) f.hidden = f.dataset.frame !== key;
      for (const s of sliders) {
        const chosen = JSON.parse(s.dataset.values)[s.value];
        s.parentElement.querySelector("output").textContent = chosen;
        s.setAttribute("aria-valuetext", chosen);
      }
    };
    sliders.forEach((s) => s.addEventListener("input", show));
    show();
  };

  // Which cells a metric averages: R[i][j] is the accuracy on task j after task i.
  const CELLS = {
    "all": null,
    "Transfer": (i, j) => i < j,
    "Transfer (rows)": (i, j) => i < j,
    "Avg": () => true,
    "Last": (i, j, n) => i === n - 1,
    "Forgetting": (i, j, n) => j < n - 1 && (i === j || i === n - 1),
    "Learned": (i, j) => i === j,
  };
  const ALL = "Accuracy (%) on the task across, after training on the task down.";
  const HOW = {
    "Transfer": "the mean of each column above its frame, then the mean of those",
    "Transfer (rows)": "the mean of each row right of its frame, then the mean of those",
    "Avg": "the mean of all cells",
    "Last": "the mean of the last row",
    "Forgetting": "the framed cell less the last one of its column, then the mean",
    "Learned": "the mean of the framed cells",
  };
  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

  const explorer = (box) => {
    const { runs, colours, inks } = JSON.parse(box.querySelector("script[type='application/json']").textContent);
    const shown = box.querySelector(".gift-shown");
    const choice = Object.fromEntries([...box.querySelectorAll("select")].map((s) => [s.dataset.choice, s]));
    const names = ["method", "order", "seed"];

    const offer = (select, values) => {
      const before = select.value;
      select.replaceChildren(...values.map((v) => element("option", v, { value: v })));
      if (values.includes(before)) select.value = before;
    };
    const narrow = () => {  // only what there is a record of can be chosen
      let left = runs;
      for (const name of names) {
        offer(choice[name], [...new Set(left.map((r) => r[name]))]);
        left = left.filter((r) => r[name] === choice[name].value);
      }
      return left[0];
    };
    const cell = (value, kind, used) => {
      const k = Math.round(value / 5);
      const look = `background:${colours[k]};color:${inks[k]}`;
      return element("td", value.toFixed(0), { class: kind + (used ? "" : " gift-unused"), style: look });
    };
    const row = (title, cells, tail) => {
      const tr = document.createElement("tr");
      tr.append(element("th", title, { scope: "row" }), ...cells);
      if (tail !== undefined) tr.append(element("td", tail, { class: "gift-margin" }));
      return tr;
    };
    const head = (run) => {
      const names = run.tasks.map((t) => {
        const th = element("th", "", { scope: "col" });
        th.append(element("span", t));
        return th;
      });
      const tr = document.createElement("tr");
      tr.append(element("td", ""), ...names);
      const thead = document.createElement("thead");
      thead.append(tr);
      return thead;
    };
    const kind = (i, j) => (i < j ? "gift-zero" : i === j ? "gift-current" : "gift-learned");
    const table = (run, metric) => {
      const n = run.R.length, used = CELLS[metric] || (() => true);
      const body = document.createElement("tbody");
      body.append(row("zero-shot", run.zero.map((v) => cell(v, "gift-zero", metric === "all"))));
      run.R.forEach((values, i) => {
        const right = values.filter((_, j) => i < j);
        const tail = metric === "Transfer (rows)" && right.length ? mean(right).toFixed(0) : undefined;
        body.append(row(run.tasks[i], values.map((v, j) => cell(v, kind(i, j), used(i, j, n))), tail));
      });
      const margins = {
        "Transfer": (j) => j && mean(run.R.slice(0, j).map((r) => r[j])).toFixed(0),
        "Forgetting": (j) => j < n - 1 && (run.R[j][j] - run.R[n - 1][j]).toFixed(0),
      }[metric];
      if (margins) {
        const cells = run.tasks.map((_, j) => element("td", margins(j) || "", { class: "gift-margin" }));
        body.append(row(metric === "Transfer" ? "mean above" : "lost", cells));
      }
      const t = element("table", "", { class: "gift-matrix" });
      t.append(head(run), body);
      return t;
    };
    const numbers = (run, metric) => {
      const list = element("dl", "", { class: "gift-numbers", style: `--gift-method:${run.colour}` });
      for (const [name, value] of Object.entries(run.numbers)) {
        const pair = element("div", "", name === metric ? { class: "gift-chosen" } : {});
        pair.append(element("dt", name), element("dd", value.toFixed(1)));
        list.append(pair);
      }
      return list;
    };
    const show = () => {
      const run = narrow(), metric = choice["cells of"].value;
      const said = metric === "all" ? ALL : `${metric}: ${HOW[metric]}, ${run.numbers[metric].toFixed(1)}.`;
      const scroll = element("div", "", { class: "gift-scroll", tabindex: "0", role: "group", "aria-label": ALL });
      scroll.append(table(run, metric));
      shown.replaceChildren(scroll, element("p", said, { class: "gift-said" }), numbers(run, metric));
    };
    offer(choice["cells of"], Object.keys(CELLS));
    Object.values(choice).forEach((s) => s.addEventListener("change", show));
    show();
  };

  // Claims of the chosen verdicts and part.
  const claims = (box) => {
    const boxes = [...box.querySelectorAll("input[data-verdict]")];
    const part = box.querySelector("select"), rows = [...box.querySelectorAll("li")];
    const show = () => {
      const verdicts = boxes.filter((b) => b.checked).map((b) => b.dataset.verdict);
      const wanted = (r) => part.selectedIndex === 0 || r.dataset.part === part.value;
      for (const r of rows) r.hidden = !(verdicts.includes(r.dataset.verdict) && wanted(r));
      box.querySelector("output").textContent = `${rows.filter((r) => !r.hidden).length} of ${rows.length} claims`;
    };
    [...boxes, part].forEach((c) => c.addEventListener("change", show));
    show();
  };

  for (const box of document.querySelectorAll(".gift-control:not([data-ready])")) {
    box.dataset.ready = "";
    box.querySelector(".gift-controls").hidden = false;
    ({ frames, explorer, claims })[box.dataset.kind](box);
  }
})();
