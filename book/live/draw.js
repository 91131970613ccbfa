// Draws pictures: text to tokens, noise to latents, latents to pixels. The steps are those of diffusers' pipeline.
(() => {
  const gift = (globalThis.giftLive ??= {});

  // The tokenizer: CLIP's byte-level BPE. Every byte has a printable letter, pairs of pieces are merged by rank.
  const letters = () => {
    const plain = (b) => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    let other = 256;
    return Array.from({ length: 256 }, (_, b) => String.fromCharCode(plain(b) ? b : other++));
  };

  gift.tokenizer = (told) => {
    const letter = letters(), rank = new Map(told.merges.map((pair, i) => [pair, i]));
    const words = new RegExp(told.words, "gu"), utf8 = new TextEncoder();
    const escaped = Object.keys(told.special).map((s) => s.replace(/[|\\{}()[\]^$+*?.]/g, "\\$&"));
    const special = new RegExp(`(${escaped.join("|")})`);

    const pieces = (word) => {
      let p = Array.from(utf8.encode(word), (b) => letter[b]);
      p[p.length - 1] += told.suffix;
      while (p.length > 1) {
        const ranks = p.slice(1).map((_, i) => rank.get(`${p[i]} ${p[i + 1]}`) ?? Infinity);
        const best = Math.min(...ranks);
        if (best === Infinity) break;
        const [a, b] = told.merges[best].split(" ");
        const merged = [];
        for (let i = 0; i < p.length; i++) {
          if (p[i] === a && p[i + 1] === b) merged.push(a + p[++i]);
          else merged.push(p[i]);
        }
        p = merged;
      }
      return p;
    };
    const plain = (text) => {
      const clean = text.normalize("NFC").replace(/\s+/g, " ").toLowerCase();
      return (clean.match(words) ?? []).flatMap(pieces).map((piece) => told.vocab[piece]);
    };
    return (text) => {
      const inside = text.split(special).flatMap((part) => (part in told.special ? [told.special[part]] : plain(part)));
      const ids = [told.start, ...inside.slice(0, told.length - 2), told.end];
      return [...ids, ...Array(told.length - ids.length).fill(told.pad)];
    };
  };

  // DPM-Solver++ of second order (Lu et al. 2022) over the training's noise schedule, as diffusers sets it up.
  const even = (x) => (x % 1 === 0.5 ? 2 * Math.round(x / 2) : Math.round(x)); // numpy rounds halves to even numbers
  gift.timesteps = (alphas, steps) => {
    const last = alphas.length - 1;
    return Array.from({ length: steps }, (_, k) => even((last * (steps - k)) / steps));
  };

  gift.solver = ({ alphas, prediction }, steps) => {
    const t = gift.timesteps(alphas, steps);
    const noise = [...t.map((i) => Math.sqrt((1 - alphas[i]) / alphas[i])), 0];
    const alpha = noise.map((s) => 1 / Math.sqrt(s * s + 1)), sigma = noise.map((s, i) => s * alpha[i]);
    const lambda = noise.map((_, i) => Math.log(alpha[i]) - Math.log(sigma[i]));
    let before = null;

    // The clean latents that the network believes in.
    const clean = (x, y, k) => x.map((v, i) => (prediction === "epsilon"
      ? (v - sigma[k] * y[i]) / alpha[k]
      : alpha[k] * v - sigma[k] * y[i]));
    // One step: from latents x and the network's answer y to less noise.
    const step = (x, y, k) => {
      const m = clean(x, y, k), h = lambda[k + 1] - lambda[k], gain = alpha[k + 1] * (1 - Math.exp(-h));
      const first = before === null || k === steps - 1;
      const slope = first ? 0 : (0.5 * h) / (lambda[k] - lambda[k - 1]);
      const next = x.map((v, i) => (sigma[k + 1] / sigma[k]) * v + gain * (m[i] + (first ? 0 : slope * (m[i] - before[i]))));
      before = m;
      return { x: next, clean: m };
    };
    return { t, step };
  };

  // Latents in [-1, 1] times pixels to bytes: red, green, blue, opaque.
  const toPixels = (y, size) => {
    const pixels = new Uint8ClampedArray(4 * size * size).fill(255), plane = size * size;
    for (let p = 0; p < plane; p++)
      for (let c = 0; c < 3; c++) pixels[4 * p + c] = 255 * Math.min(1, Math.max(0, y[c * plane + p] / 2 + 0.5));
    return new ImageData(pixels, size, size);
  };

  // A painter with its networks. `show` gets the picture as it looks after each step.
  gift.painter = async (progress) => {
    const files = await gift.load(["runtime", "draw"], progress);
    const told = JSON.parse(new TextDecoder().decode(files["settings.json"]));
    const tokens = gift.tokenizer(told.tokenizer), { latents: shape, size } = gift.manifest;
    const of = (name) => gift.session(files[`${name}.graph`], gift.widen(files[`${name}.weights`]));
    const [text, unet, vae] = [await of("text"), await of("unet"), await of("vae")];
    const count = shape.reduce((a, b) => a * b);

    const decode = async (x) => toPixels((await vae.run({ x0: gift.floats(x, [1, ...shape]) })).y.data, size);
    const draw = async ({ prompt, seed, steps, guidance }, show = () => {}) => {
      const pair = ["", prompt].map(tokens);
      const words = (await text.run({ x0: gift.integers(pair.flat(), [2, pair[0].length]) })).y;
      const { t, step } = gift.solver(told.schedule, steps);
      let x = gift.randn(count, seed), picture;
      await show(await decode(x), 0);
      for (let k = 0; k < steps; k++) {
        const twice = new Float32Array(2 * count);
        twice.set(x);
        twice.set(x, count);
        const y = (await unet.run({ x0: gift.floats(twice, [2, ...shape]), x1: gift.floats([t[k]], []), x2: words })).y.data;
        // Up to 1 guidance is off, as in diffusers: only the prompt counts.
        const guided = x.map((_, i) => (guidance > 1 ? y[i] + guidance * (y[count + i] - y[i]) : y[count + i]));
        const moved = step(x, guided, k);
        x = moved.x;
        picture = await decode(moved.clean);
        await show(picture, k + 1);
      }
      return picture;
    };
    return { draw, tokens };
  };
})();
