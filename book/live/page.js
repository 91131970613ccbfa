// The page's controls: choices go in, pictures, names and matrices come out. See noise, draw and name for how.
document.addEventListener("DOMContentLoaded", () => {
  const gift = globalThis.giftLive, told = gift.manifest; // the manifest is null where nothing was exported
  const find = (name) => document.querySelector(`.gift-live [data-live="${name}"]`);
  const element = (tag, text = "", attributes = {}) => {
    const e = document.createElement(tag);
    e.textContent = text;
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    return e;
  };
  const boxes = document.querySelectorAll(".gift-live");
  for (const box of boxes) box.hidden = false; // also what says that nothing was exported
  if (!told?.packs?.runtime) { // built where the networks or npm were not at hand
    const why = told?.packs ? "the engine that runs networks in a browser (it comes from npm)" : "the networks";
    for (const box of boxes)
      box.replaceChildren(element("p", `This copy of the book was built without ${why}. In a clone, “make live html” brings it.`));
    return;
  }

  // Names to choose from: concepts, then the classes of each task.
  const groups = [{ name: "general concepts", ...told.concepts }, ...told.tasks];
  const promptOf = (group, name) => group.templates[0].replaceAll("{c}", name);
  const megabytes = (n) => `${(n / 1e6).toFixed(n < 1e6 ? 1 : 0)} MB`;
  const percent = (p) => `${Math.round(100 * p)} %`;
  const pause = () => new Promise((resolve) => setTimeout(resolve)); // lets the browser paint

  const canvas = (image, label) => {
    const c = element("canvas", "", { width: image.width, height: image.height });
    for (const [k, v] of Object.entries(label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" })) c.setAttribute(k, v);
    c.getContext("2d").putImageData(image, 0, 0);
    return c;
  };

  // One thing at a time: a button starts it, the bar shows what is loading, and an error is told where one looks.
  let busy = false;
  const job = (name, work) => async () => {
    if (busy) return;
    busy = true;
    const box = find(name).closest(".gift-live"), said = box.querySelector("[data-live$=said]");
    const bar = box.querySelector("progress");
    box.setAttribute("aria-busy", "true");
    const progress = (share) => {
      bar.hidden = share >= 1;
      bar.value = share;
    };
    try {
      await work(progress, (text) => (said.textContent = text));
    } catch (error) {
      said.textContent = `This did not work: ${error.message}. Reload the page to try again.`;
      throw error;
    } finally {
      busy = false;
      bar.hidden = true;
      box.removeAttribute("aria-busy");
      hints();
    }
  };
  const hints = () => {
    const tell = (name, packs) => {
      const size = gift.missing(packs);
      find(name).textContent = size ? `loads ${megabytes(size)} of this book` : "";
    };
    tell("draw-hint", ["runtime", "draw"]);
    const t = Number(find("task").value);
    const models = t ? told.methods.map((m) => `${m.name}-${t}`) : [];
    tell("name-hint", ["runtime", "draw", "clip", ...models]);
    const pair = [t, t - 1].filter((k) => k > 0).map((k) => `${find("method").value}-${k}`);
    tell("walk-hint", ["runtime", "draw", "clip", ...pair]);
  };

  // 1. Draw
  let painter, critic;
  const drawn = []; // {image, group, name, prompt}
  const ready = async (progress) => (painter ??= await gift.painter(progress));

  const chosen = () => {
    const group = groups[find("group").value], name = find("name").value.trim() || group.classes[0];
    return { group, name, prompt: promptOf(group, name) };
  };
  const offer = () => {
    const { classes } = groups[find("group").value];
    find("names").replaceChildren(...classes.map((c) => element("option", "", { value: c })));
    find("name").value = classes[0];
    preview();
  };
  const preview = () => {
    find("prompt").textContent = `“${chosen().prompt}”`;
    for (const name of ["guidance", "steps"]) find(`${name}-value`).textContent = find(name).value;
  };
  const setting = () => ({
    steps: Number(find("steps").value), guidance: Number(find("guidance").value),
    base: Math.max(0, Math.floor(Number(find("seed").value) || 0)),
  });

  const paint = async (item, show) => {
    const { steps, guidance, base } = setting(), seed = gift.seedOf(base, item.prompt, 0);
    const image = await painter.draw({ prompt: item.prompt, seed, steps, guidance }, show);
    return { ...item, image };
  };
  const draw = job("draw", async (progress, say) => {
    say("Loading …");
    await ready(progress);
    const item = chosen(), { steps, guidance, base } = setting(), started = performance.now();
    const film = find("film"), big = find("picture").getContext("2d");
    film.replaceChildren();
    const kept = new Set(Array.from({ length: 10 }, (_, i) => Math.round((i * steps) / 9)));
    const done = await paint(item, async (image, k) => {
      big.putImageData(image, 0, 0);
      if (kept.has(k)) {
        const frame = element("li");
        frame.append(canvas(image, `after step ${k}`), element("span", String(k)));
        film.append(frame);
      }
      say(`Step ${k} of ${steps}`);
      await pause();
    });
    find("picture").setAttribute("aria-label", `A picture drawn for ${item.prompt}`);
    find("picture").dataset.drawn = item.prompt;
    drawn.unshift(done);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    say(`“${item.prompt}” with guidance ${guidance}, ${steps} steps and seed ${base}: drawn in ${seconds} s on this machine.`);
  });

  // 2. Name
  const ask = async (progress) => {
    const { tokens } = await ready(progress);
    return (critic ??= await gift.critic(tokens, progress));
  };
  const shown = (j) => { // the test pictures of task j, one per class
    const { size, tasks } = told, bytes = 3 * size * size;
    let at = bytes * tasks.slice(0, j).reduce((n, t) => n + t.classes.length, 0);
    return tasks[j].classes.map((name) => {
      const image = new ImageData(size, size), plane = size * size;
      image.data.fill(255);
      for (let p = 0; p < plane; p++)
        for (let c = 0; c < 3; c++) image.data[4 * p + c] = critic.pictures[at + c * plane + p];
      at += bytes;
      return { image, name, group: tasks[j] };
    });
  };

  const verdict = (probabilities, { classes }, truth) => {
    const best = probabilities.indexOf(Math.max(...probabilities)), right = classes[best] === truth;
    const known = classes.includes(truth);
    const cell = element("td", "", { class: known ? (right ? "gift-right" : "gift-wrong") : "" });
    cell.append(element("span", classes[best]), element("small", ` ${percent(probabilities[best])}`));
    if (known) cell.prepend(element("span", right ? "✓ " : "✗ ", { "aria-label": right ? "right:" : "wrong:" }));
    return { cell, right };
  };
  const columns = (t) => [
    { title: "before", method: "", t: 0 }, ...told.methods.map(({ name, title }) => ({ title, method: name, t })),
  ];
  const tally = (right, n, column, j) => {
    const cell = element("td", `${right} of ${n}`);
    if (j !== null) {
      const row = column.t ? told.methods.find((m) => m.name === column.method).R[column.t - 1] : told.zero_shot;
      cell.append(element("small", ` (all ${told.tasks[j].tested}: ${Math.round(row[j])} %)`));
    }
    return cell;
  };

  const name = job("ask", async (progress, say) => {
    say("Loading …");
    const critics = await ask(progress), t = Number(find("task").value);
    const which = find("pictures").value, j = which === "drawn" ? null : Number(which);
    const items = j === null ? drawn : shown(j);
    if (!items.length) return say("Draw a picture first, or choose those of a task.");
    const body = items.map((item) => {
      const row = element("tr"), th = element("th", "", { scope: "row" });
      th.append(canvas(item.image, ""), element("span", item.name));
      row.append(th);
      return row;
    });
    const head = element("tr"), foot = element("tr");
    head.append(element("th", "picture", { scope: "col" }));
    foot.append(element("th", "right", { scope: "row" }));
    for (const column of columns(t)) {
      const clip = await critics.model(column.method, column.t, progress);
      let sum = 0;
      for (const group of new Set(items.map((i) => i.group))) {
        const mine = items.filter((i) => i.group === group);
        const p = await critics.name(clip, mine.map((i) => i.image), group);
        mine.forEach((item, i) => {
          const { cell, right } = verdict(p[i], group, item.name);
          body[items.indexOf(item)].append(cell);
          sum += right;
        });
      }
      head.append(element("th", column.title, { scope: "col" }));
      foot.append(tally(sum, items.length, column, j));
      await pause();
    }
    const table = element("table", "", { class: "gift-names" });
    table.append(element("thead"), element("tbody"), element("tfoot"));
    table.tHead.append(head), table.tBodies[0].append(...body), table.tFoot.append(foot);
    find("verdicts").replaceChildren(table);
    say(`${stage(t)} Each picture is named within the names of its own group, in percent of certainty.`);
  });
  const stage = (t) => (t ? `CLIP after task ${t}, ${told.tasks[t - 1].name}.` : "CLIP before any task: all columns are the same model.");

  // 3. Walk
  const spread = (n, k) => Array.from({ length: k }, (_, i) => Math.floor(((i + 0.5) * n) / k));
  const others = () => spread(groups.length, 8).map((g, i) => { // names of many groups, concepts among them
    const group = groups[i % 3 ? g : 0], name = group.classes[spread(group.classes.length, 8)[i]];
    return { group, name, prompt: promptOf(group, name) };
  });
  let batch = [];
  const drawBatch = async (say) => {
    const latest = drawn.filter((d, i) => drawn.findIndex((e) => e.prompt === d.prompt) === i).slice(0, 3);
    const items = [...latest, ...others().filter((o) => latest.every((d) => d.prompt !== o.prompt))].slice(0, 8);
    batch = [];
    for (const item of items) {
      say(`Drawing “${item.prompt}” (${batch.length + 1} of ${items.length})`);
      batch.push(item.image ? item : await paint(item, pause));
    }
  };

  const shade = (colours, x) => colours[Math.round(Math.min(1, Math.max(0, x)) * (colours.length - 1))];
  const panel = (place, title, M, look) => {
    const n = M.length, caption = `${title}: ${look.words(M)}`;
    if (place.dataset.batch !== batch.map((b) => b.prompt).join()) { // new pictures: lay the table out again
      place.dataset.batch = batch.map((b) => b.prompt).join();
      const grid = element("div", "", { class: "gift-grid", style: `--n:${n}`, role: "img" });
      grid.append(element("i"), ...batch.map((b) => element("span", b.name)));
      for (const item of batch) grid.append(canvas(item.image, ""), ...batch.map((b) => element("b", "", { title: `${item.name} / ${b.name}` })));
      const bar = element("div", "", { class: "gift-bar" });
      bar.append(element("span"), element("div"), element("span"));
      place.replaceChildren(element("h4"), grid, bar);
    }
    const [heading, grid, bar] = place.children;
    heading.textContent = title;
    grid.setAttribute("aria-label", caption);
    const cells = grid.querySelectorAll("b"), [low, high] = look.range;
    M.flat().forEach((v, i) => (cells[i].style.background = shade(look.colours, (v - low) / (high - low))));
    bar.children[0].textContent = low.toFixed(0);
    bar.children[2].textContent = high.toFixed(0);
    bar.children[1].style.background = `linear-gradient(to right, ${look.colours.join()})`;
  };
  const own = (M) => M.filter((row, i) => row[i] === Math.max(...row)).length;

  const walk = job("walk", async (progress, say) => {
    say("Loading …");
    const critics = await ask(progress);
    if (!batch.length) await drawBatch(say);
    const t = Math.max(1, Number(find("task-walk").value)), method = find("method").value;
    const images = batch.map((b) => b.image), prompts = batch.map((b) => b.prompt);
    const M = async (k) => critics.matrix(await critics.model(method, k, progress), images, prompts);
    const [first, teacher, student] = [await M(0), await M(t - 1), await M(t)];
    const values = first.flat(), change = student.map((row, i) => row.map((v, j) => v - teacher[i][j]));
    const all = { colours: told.colours, range: [Math.min(...values), Math.max(...values)] };
    all.words = (M) => `${own(M)} of ${M.length} pictures are closest to their own prompt`;
    const by = { colours: told.changes, range: [-10, 10], words: () => "how the matrix changed" };
    panel(find("teacher"), t > 1 ? `before task ${t}` : "before all tasks", teacher, all);
    panel(find("student"), `after ${told.tasks[t - 1].name}`, student, all);
    panel(find("change"), "change", change, by);
    const moved = gift.distillation(teacher, student, told.temperature);
    say(`Task ${t}, ${told.tasks[t - 1].name}: CD(teacher, student) = ${moved.toFixed(2)}. ` +
      `Closest to their own prompt: ${own(teacher)} of ${batch.length} pictures before the task, ${own(student)} after it.`);
  });
  const again = job("walk", async (progress, say) => {
    say("Loading …");
    await ready(progress);
    await drawBatch(say);
  });

  // Wire the controls up.
  find("group").append(...groups.map((g, i) => element("option", i ? `task ${i}: ${g.name}` : g.name, { value: i })));
  find("pictures").append(...told.tasks.map((t, j) => element("option", `test pictures of task ${j + 1}: ${t.name}`, { value: j })));
  find("method").append(...told.methods.toReversed().map((m) => element("option", m.title, { value: m.name })));
  for (const name of ["steps", "guidance", "seed"]) find(name).value = told[name];
  find("ran").textContent = `These models come from runs of “make live”. ${told.methods.map((m) => `${m.title}: ${m.run}.`).join(" ")}`;
  const sliders = [find("task"), find("task-walk")];
  for (const slider of sliders) slider.max = told.tasks.length;
  sliders[0].value = sliders[1].value = told.tasks.length;
  const place = (from) => {
    sliders[0].value = from.value;
    sliders[1].value = Math.max(1, from.value);
    for (const s of sliders) {
      const k = Number(s.value), text = k ? `${k} ${told.tasks[k - 1].name}` : "none";
      s.parentElement.querySelector("output").textContent = text;
      s.setAttribute("aria-valuetext", text);
    }
    hints();
  };
  for (const size of ["width", "height"]) find("picture")[size] = told.size;
  find("group").addEventListener("change", offer);
  for (const n of ["name", "guidance", "steps"]) find(n).addEventListener("input", preview);
  sliders.forEach((s) => s.addEventListener("input", () => place(s)));
  find("method").addEventListener("change", hints);
  find("draw").addEventListener("click", draw);
  find("ask").addEventListener("click", name);
  find("walk").addEventListener("click", walk);
  find("new").addEventListener("click", async () => (await again(), await walk()));
  // What was asked for once follows the controls.
  sliders[0].addEventListener("change", () => find("verdicts").childElementCount && name());
  find("pictures").addEventListener("change", () => critic && name());
  for (const n of ["task-walk", "method"]) find(n).addEventListener("change", () => batch.length && walk());
  offer();
  place(sliders[0]);
});
