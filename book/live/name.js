// Names pictures: CLIP's two towers with the weights before the tasks, or after any of them under any method.
(() => {
  const gift = (globalThis.giftLive ??= {});

  // A stored difference, in rows of 8-bit numbers with a scale for each, put on the pre-trained weights.
  gift.changed = (before, stored, rows) => {
    const count = rows.reduce((sum, [n]) => sum + n, 0);
    const scales = new Float32Array(stored.slice(0, 4 * count).buffer);
    const numbers = new Int8Array(stored.buffer, stored.byteOffset + 4 * count);
    const after = Float32Array.from(before);
    let row = 0, at = 0;
    for (const [n, length] of rows)
      for (let r = 0; r < n; r++, row++) for (let c = 0; c < length; c++, at++) after[at] += scales[row] * numbers[at];
    return after;
  };

  const normalise = (v) => {
    const norm = Math.hypot(...v);
    return v.map((x) => x / norm);
  };
  const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
  gift.softmax = (logits) => {
    const top = Math.max(...logits), e = logits.map((x) => Math.exp(x - top)), sum = e.reduce((a, b) => a + b);
    return e.map((x) => x / sum);
  };

  // M = scale * I T^t, pictures down, texts across.
  gift.similarity = (images, texts) => images.map((i) => texts.map((t) => gift.manifest.clip.scale * dot(i, t)));
  const transposed = (M) => M[0].map((_, j) => M.map((row) => row[j]));
  // Contrastive distillation as in gift_lib.losses: T^2 KL(teacher || student) over rows and over columns.
  const rowLoss = (teacher, student, T) => {
    const losses = teacher.map((row, i) => {
      const p = gift.softmax(row.map((x) => x / T)), q = gift.softmax(student[i].map((x) => x / T));
      return p.reduce((sum, x, j) => sum + (x ? x * Math.log(x / q[j]) : 0), 0);
    });
    return (T * T * losses.reduce((a, b) => a + b)) / losses.length;
  };
  gift.distillation = (teacher, student, T) =>
    rowLoss(teacher, student, T) + rowLoss(transposed(teacher), transposed(student), T);

  // A picture's pixels as CLIP reads them: planes, centred and scaled. `pixels` has a stride of 4 bytes.
  const planes = (pictures, { size, mean, std }) => {
    const x = new Float32Array(pictures.length * 3 * size * size), plane = size * size;
    pictures.forEach(({ data }, n) => {
      for (let p = 0; p < plane; p++)
        for (let c = 0; c < 3; c++) x[(3 * n + c) * plane + p] = (data[4 * p + c] / 255 - mean[c]) / std[c];
    });
    return x;
  };
  const rowsOf = ({ data, dims: [n, d] }) => Array.from({ length: n }, (_, i) => Array.from(data.slice(i * d, (i + 1) * d)));

  // CLIP after task `t` of a method; t = 0 is the pre-trained one, whatever the method.
  gift.critic = async (tokens, progress) => {
    const files = await gift.load(["runtime", "clip"], progress), told = gift.manifest;
    const before = gift.widen(files["clip.weights"]), models = new Map();

    const load = async (method, t, progress) => {
      const weights = t ? gift.changed(before, (await gift.load([`${method}-${t}`], progress)).difference, told.rows) : before;
      const of = (name) => gift.session(files[`${name}.graph`], weights);
      return { images: await of("images"), texts: await of("texts"), named: new Map() };
    };
    const model = async (method, t, progress) => {
      const key = t ? `${method}-${t}` : "before";
      if (!models.has(key)) {
        models.set(key, await load(method, t, progress));
        for (const old of [...models.keys()].slice(0, Math.max(0, models.size - 5))) { // a phone has little memory
          if (old === "before") continue;
          const { images, texts } = models.get(old);
          models.delete(old);
          await images.release(), await texts.release();
        }
      }
      return models.get(key);
    };

    const embed = async ({ images }, pictures) => {
      const x = planes(pictures, told.clip), shape = [pictures.length, 3, told.clip.size, told.clip.size];
      return rowsOf((await images.run({ x0: gift.floats(x, shape) })).y);
    };
    const read = async ({ texts }, prompts) => {
      const ids = prompts.map(tokens);
      return rowsOf((await texts.run({ x0: gift.integers(ids.flat(), [ids.length, ids[0].length]) })).y);
    };
    // One row per class: the mean over templates, normalised again.
    const classifier = async (clip, group) => {
      if (!clip.named.has(group)) {
        const { classes, templates } = group, n = templates.length;
        const rows = await read(clip, classes.flatMap((c) => templates.map((t) => t.replaceAll("{c}", c))));
        clip.named.set(group, classes.map((_, i) => normalise(rows[0].map((_, d) =>
          rows.slice(n * i, n * (i + 1)).reduce((sum, row) => sum + row[d], 0) / n))));
      }
      return clip.named.get(group);
    };
    // Probabilities of a group's names for each picture.
    const name = async (clip, pictures, group) => {
      const texts = await classifier(clip, group);
      return gift.similarity(await embed(clip, pictures), texts).map(gift.softmax);
    };
    const matrix = async (clip, pictures, prompts) => gift.similarity(await embed(clip, pictures), await read(clip, prompts));
    return { model, name, matrix, pictures: files.pictures };
  };
})();
