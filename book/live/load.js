// Loads what the page needs, when it is asked for. Networks come as scripts with gzipped base64 in them, because a page
// that was opened from a disk may run scripts beside it but may not fetch anything.
(() => {
  const gift = (globalThis.giftLive ??= {});
  const base = globalThis.document?.currentScript ? new URL(".", document.currentScript.src).href : "";
  const arrived = new Map(), waiting = new Map(), packs = new Map();

  // Every script of a pack calls this with its part.
  gift.part = (pack, i, text) => arrived.set(`${pack}-${i}`, text);

  const script = (name) => new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = `${base}${name}.js`;
    element.onload = () => (element.remove(), resolve());
    element.onerror = () => (element.remove(), reject(new Error(`${name}.js is not beside this page`)));
    document.head.append(element);
  });

  const bytes = (base64) => {
    const text = atob(base64), found = new Uint8Array(text.length);
    for (let i = 0; i < found.length; i++) found[i] = text.charCodeAt(i);
    return found;
  };
  const unzipped = async (parts) => {
    const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };

  const fetchPack = async (name, told) => {
    const { parts, bytes: size, files } = gift.manifest.packs[name];
    const blobs = [];
    for (let i = 0; i < parts; i++) {
      await script(`${name}-${i}`);
      blobs.push(bytes(arrived.get(`${name}-${i}`)));
      arrived.delete(`${name}-${i}`);
      told(blobs[i].length);
    }
    const all = await unzipped(blobs), found = {};
    let at = 0;
    for (const [file, length] of files) found[file] = all.slice(at, (at += length));
    return found;
  };

  // How much is still to come for these packs.
  gift.missing = (names) => names.filter((n) => !packs.has(n)).reduce((sum, n) => sum + gift.manifest.packs[n].bytes, 0);

  // The files of packs, each loaded once; `progress` hears the share that has arrived.
  gift.load = async (names, progress = () => {}) => {
    const size = gift.missing(names);
    let done = 0;
    const told = (n) => progress((done += n) / size);
    const files = {};
    for (const name of names) {
      if (!packs.has(name)) {
        if (!waiting.has(name)) waiting.set(name, fetchPack(name, told));
        try {
          packs.set(name, await waiting.get(name));
        } finally {
          waiting.delete(name); // what failed can be tried again
        }
      }
      Object.assign(files, packs.get(name));
    }
    return files;
  };

  // onnxruntime-web from its pack. Modules cannot be imported from a disk by address, but from a blob they can.
  let ort;
  gift.runtime = async () => {
    if (ort) return ort;
    const files = await gift.load(["runtime"]);
    ort = await import(URL.createObjectURL(new Blob([files["ort.mjs"]], { type: "text/javascript" })));
    ort.env.wasm.numThreads = 1; // several need headers that a plain file server does not send
    ort.env.wasm.wasmBinary = files["ort.wasm"];
    return ort;
  };

  // fp16 to fp32, exactly: all 65536 values there are, computed once.
  let widened;
  const table = () => Float32Array.from({ length: 65536 }, (_, h) => {
    const sign = h & 0x8000 ? -1 : 1, exponent = (h >> 10) & 31, fraction = h & 1023;
    if (!exponent) return sign * fraction * 2 ** -24;
    return exponent === 31 ? (fraction ? NaN : sign * Infinity) : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
  gift.widen = (stored) => {
    widened ??= table();
    const halves = new Uint16Array(stored.buffer, stored.byteOffset, stored.length / 2);
    const wide = new Float32Array(halves.length);
    for (let i = 0; i < wide.length; i++) wide[i] = widened[halves[i]];
    return wide;
  };

  // A network ready to run: its graph and its weights.
  gift.session = async (graph, weights) => {
    const data = new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength);
    const { InferenceSession } = await gift.runtime();
    return InferenceSession.create(graph, {
      executionProviders: ["wasm"], externalData: [{ path: "weights", data }], logSeverityLevel: 3,
    });
  };

  gift.floats = (values, shape) => new ort.Tensor("float32", values, shape);
  gift.integers = (values, shape) => new ort.Tensor("int64", BigInt64Array.from(values, BigInt), shape);
})();
