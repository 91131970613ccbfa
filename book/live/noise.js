// The noise that a picture starts from: the very numbers that torch draws from the same seed, bit by bit.
(() => {
  const gift = (globalThis.giftLive ??= {});

  // SHA-256 of a text, as 64 hex digits. A page that was opened from a disk may have no crypto.subtle.
  const PRIMES = [];
  for (let n = 2; PRIMES.length < 64; n++) if (PRIMES.every((p) => n % p)) PRIMES.push(n);
  const bits = (x) => Math.floor((x - Math.floor(x)) * 2 ** 32);
  const K = PRIMES.map((p) => bits(Math.cbrt(p)));
  const H = PRIMES.slice(0, 8).map((p) => bits(Math.sqrt(p)));
  const turn = (x, n) => (x >>> n) | (x << (32 - n));

  const block = (h, view, at) => {
    const w = new Int32Array(64);
    for (let i = 0; i < 16; i++) w[i] = view.getInt32(at + 4 * i);
    for (let i = 16; i < 64; i++) {
      const s0 = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ (w[i - 15] >>> 3);
      const s1 = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ (w[i - 2] >>> 10);
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    let [a, b, c, d, e, f, g, k] = h;
    for (let i = 0; i < 64; i++) {
      const t1 = (k + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const t2 = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [k, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
    }
    return [a, b, c, d, e, f, g, k].map((x, i) => (x + h[i]) | 0);
  };

  gift.sha256 = (text) => {
    const bytes = new TextEncoder().encode(text);
    const padded = new Uint8Array(64 * Math.ceil((bytes.length + 9) / 64));
    padded.set(bytes);
    padded[bytes.length] = 0x80;
    const view = new DataView(padded.buffer);
    view.setBigUint64(padded.length - 8, BigInt(8 * bytes.length));
    let h = H.map((x) => x | 0);
    for (let at = 0; at < padded.length; at += 64) h = block(h, view, at);
    return h.map((x) => (x >>> 0).toString(16).padStart(8, "0")).join("");
  };

  // The seed of the k-th picture of a prompt (gift_lib.generate.draws): 60 bits, as 15 hex digits. JSON.stringify
  // writes whole numbers and text as gift_lib.files.canonical_json does.
  gift.seedOf = (base, prompt, k) => gift.sha256(`[${base},${JSON.stringify(prompt)},${k}]`).slice(0, 15);

  // Mersenne Twister with 32 bits. torch takes the low half of a seed, the last 8 hex digits.
  gift.Twister = class {
    constructor(seed) {
      this.state = new Uint32Array(624);
      this.state[0] = seed;
      for (let i = 1; i < 624; i++) {
        const before = this.state[i - 1];
        this.state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
      }
      this.at = 624;
    }

    twist() {
      const s = this.state;
      for (let i = 0; i < 624; i++) {
        const y = (s[i] & 0x80000000) | (s[(i + 1) % 624] & 0x7fffffff);
        s[i] = s[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      this.at = 0;
    }

    next() {
      if (this.at === 624) this.twist();
      let y = this.state[this.at++];
      y ^= y >>> 11;
      y ^= (y << 7) & 0x9d2c5680;
      y ^= (y << 15) & 0xefc60000;
      return (y ^ (y >>> 18)) >>> 0;
    }

    single() { return (this.next() & 0xffffff) / 2 ** 24; }

    double() {
      const high = this.next(), low = this.next();
      return ((high & 0x1fffff) * 2 ** 32 + low) / 2 ** 53;
    }
  };

  // Logarithm, sine and cosine in single precision as torch computes them with AVX2: the polynomials of the Cephes
  // library, a product and a sum rounded once. Math.log and the like would differ in the last bit of every third number.
  const f = Math.fround;
  const single = new Float32Array(1), pattern = new Int32Array(single.buffer);
  const fma = (a, b, c) => f(a * b + c); // a product of two floats is exact in a double
  const polynomial = (coefficients, x) => coefficients.reduce((y, c) => fma(y, x, c));
  const LOG = [7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1].map(f);
  const COS = [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2].map(f);
  const SIN = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1].map(f);
  const QUARTER = [-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8].map(f); // - pi / 4, in three parts
  const TWO_PI = f(2 * Math.PI);

  const log = (value) => {
    single[0] = value;
    let e = (pattern[0] >> 23) - 126;
    pattern[0] = (pattern[0] & 0x7fffff) | 0x3f000000;
    let x = single[0];
    if (x < f(Math.SQRT1_2)) {
      e -= 1;
      x = f(f(x - 1) + x);
    } else x = f(x - 1);
    const z = f(x * x);
    const y = fma(f(polynomial(LOG, x) * x), z, f(e * f(-2.1219444e-4)));
    return fma(e, 0.693359375, f(x + f(y - f(z * 0.5))));
  };

  const sincos = (angle) => {
    const octant = (Math.trunc(f(angle * f(1.27323954473516))) + 1) & ~1;
    const x = QUARTER.reduce((rest, part) => fma(octant, part, rest), angle);
    const z = f(x * x);
    const c = f(fma(f(polynomial(COS, z) * z), z, -f(z * 0.5)) + 1);
    const s = fma(f(polynomial(SIN, z) * z), x, x);
    const [sine, cosine] = octant & 2 ? [c, s] : [s, c];
    return [octant & 4 ? -sine : sine, ~(octant - 2) & 4 ? -cosine : cosine];
  };

  // Box and Muller: eight pairs of uniform numbers become sixteen normal ones.
  const sixteen = (x, at) => {
    for (let j = at; j < at + 8; j++) {
      const radius = f(Math.sqrt(f(-2 * log(f(1 - x[j])))));
      const [sine, cosine] = sincos(f(TWO_PI * x[j + 8]));
      x[j] = f(radius * cosine);
      x[j + 8] = f(radius * sine);
    }
  };

  // torch.randn(n) on a CPU. Below 16 numbers it goes another way, in double precision.
  gift.randn = (n, seed) => {
    const random = new gift.Twister(parseInt(seed.slice(-8), 16));
    const x = new Float32Array(n);
    if (n < 16) return few(x, random);
    for (let i = 0; i < n; i++) x[i] = random.single();
    for (let i = 0; i + 16 <= n; i += 16) sixteen(x, i);
    if (n % 16) { // the last sixteen are drawn again as a whole
      for (let i = n - 16; i < n; i++) x[i] = random.single();
      sixteen(x, n - 16);
    }
    return x;
  };

  const few = (x, random) => {
    for (let i = 0; i < x.length; i += 2) {
      const angle = 2 * Math.PI * random.double(), radius = Math.sqrt(-2 * Math.log1p(-random.double()));
      x[i] = radius * Math.cos(angle);
      if (i + 1 < x.length) x[i + 1] = radius * Math.sin(angle);
    }
    return x;
  };
})();
