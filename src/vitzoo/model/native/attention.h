// Softmax attention of one head at a time, all of it in the cache, for one element type T.
//
// As in FlashAttention (Dao et al. 2022) the weights are computed again in the backward pass, from two numbers a
// query. Products are of E elements, what one step of a dot product takes: one float32, or a pair of bf16 (STEP = 2).
// Axes: n images, t tokens (tp: rounded up to 16; tk: to STEPs), heads, w numbers of a head (a multiple of 16).

// c[m][j] = (or, with `add`, +=) the sum over p of a[m·am + p·ap] · b[p·ldb + j], for mr rows and nv vectors of columns held in registers
INLINE void F(tile)(const E *a, long am, long ap, const E *b, long ldb, float *c, long ldc, long k, const int mr,
                    const int nv, const int add) {
    v16 sums[MR][NV];
#pragma GCC unroll 6
    for (int m = 0; m < mr; m++)
#pragma GCC unroll 6
        for (int v = 0; v < nv; v++) sums[m][v] = add ? load_f32(c + m * ldc + 16 * v) : (v16){};
    for (long p = 0; p < k; p++) {
        EV row[NV];
#pragma GCC unroll 6
        for (int v = 0; v < nv; v++) row[v] = *(const EV *)(b + p * ldb + 16 * v);
#pragma GCC unroll 6
        for (int m = 0; m < mr; m++)
#pragma GCC unroll 6
            for (int v = 0; v < nv; v++) sums[m][v] = F(dot)(sums[m][v], a[m * am + p * ap], row[v]);
    }
#pragma GCC unroll 6
    for (int m = 0; m < mr; m++)
#pragma GCC unroll 6
        for (int v = 0; v < nv; v++) store_f32(c + m * ldc + 16 * v, sums[m][v]);
}

// rows of a, in tiles of MR and one of what is left
INLINE void F(strip)(const E *a, long am, long ap, const E *b, long ldb, float *c, long ldc, long rows, long k,
                     const int nv, const int add) {
    long i = 0;
    for (; i + MR <= rows; i += MR) F(tile)(a + i * am, am, ap, b, ldb, c + i * ldc, ldc, k, MR, nv, add);
    a += i * am, c += i * ldc;
    switch (rows - i) {
        case 5: F(tile)(a, am, ap, b, ldb, c, ldc, k, 5, nv, add); break;
        case 4: F(tile)(a, am, ap, b, ldb, c, ldc, k, 4, nv, add); break;
        case 3: F(tile)(a, am, ap, b, ldb, c, ldc, k, 3, nv, add); break;
        case 2: F(tile)(a, am, ap, b, ldb, c, ldc, k, 2, nv, add); break;
        case 1: F(tile)(a, am, ap, b, ldb, c, ldc, k, 1, nv, add); break;
    }
}

// columns of b, in strips of NV vectors and one of what is left
static void F(product)(const E *a, long am, long ap, const E *b, long ldb, float *c, long ldc, long rows, long columns,
                       long k, const int add) {
    long j = 0;
    for (; j + 16 * NV <= columns; j += 16 * NV) F(strip)(a, am, ap, b + j, ldb, c + j, ldc, rows, k, NV, add);
    switch ((columns - j) / 16) {
        case 3: F(strip)(a, am, ap, b + j, ldb, c + j, ldc, rows, k, 3, add); break;
        case 2: F(strip)(a, am, ap, b + j, ldb, c + j, ldc, rows, k, 2, add); break;
        case 1: F(strip)(a, am, ap, b + j, ldb, c + j, ldc, rows, k, 1, add); break;
    }
}

// out[p][j] = element p of row j: [w / STEP][tp], zero beyond t
static void F(transpose)(const T *rows, long stride, E *out, long t, long tp, long w) {
    long width = w / STEP;
    for (long j = 0; j < tp; j += 16)
        for (long p = 0; p < width; p += 16) {
            if (width - p >= 16) {
                i16 block[16];
#pragma GCC unroll 16
                for (int r = 0; r < 16; r++)
                    block[r] = j + r < t ? *(const i16 *)((const E *)(rows + (j + r) * stride) + p) : (i16){};
                transpose_block(block);
#pragma GCC unroll 16
                for (int r = 0; r < 16; r++) *(i16 *)(out + (p + r) * tp + j) = block[r];
            } else {  // a head of 16 numbers in 8 pairs
                for (int r = 0; r < 16; r++)
                    for (long c = p; c < width; c++)
                        out[c * tp + j + r] = j + r < t ? ((const E *)(rows + (j + r) * stride))[c] : 0;
            }
        }
}

// out[p][c] = the STEP numbers of column c in rows STEP·p …: [tk][w], zero beyond t
static void F(interleave)(const T *rows, long stride, E *out, long t, long w) {
    for (long p = 0; STEP * p < t; p++, out += w)
        for (long c = 0; c < w; c += 16) F(join)(rows + STEP * p * stride + c, stride, t - STEP * p, out + c);
}

static void F(scale)(const float *from, float by, T *to, long n) {
    for (long i = 0; i < n; i += 16) F(store)(to + i, load_f32(from + i) * by);
}

#define QUERIES 12  // rows of weights at a time: whole tiles, and even, so that pairs of rows stay together

// Ask for the next image's numbers, one of `parts` equal parts of `size` numbers at a time: a head's numbers lie apart,
// which no processor foresees.
INLINE void F(ahead)(const T *next, long size, long part, long parts) {
    for (long i = size * part / parts; i < size * (part + 1) / parts; i += 64 / (long)sizeof(T))
        __builtin_prefetch(next + i, 0, 2);
}

// Bytes of scratch memory for the two kernels below.
long F(attention_scratch)(long t, long w) {
    long tp = (t + 15) / 16 * 16;
    return 4 * (3 * QUERIES * tp + (tp + QUERIES) * w + 5 * tp * w + 2 * tp * tp) + 1024;
}

// qkv [n][t][3][heads][w] to out [n][t][heads][w]; `stats` [n][heads][t][2] keeps what makes weights of scores.
void F(attention_forward)(const T *qkv, T *out, float *stats, char *scratch, long n, long t, long heads, long w) {
    const long tp = (t + 15) / 16 * 16, tk = (t + STEP - 1) / STEP, d = heads * w, row = 3 * d;
    const long blocks = (t + QUERIES - 1) / QUERIES;
    const float scale = LOG2E / sqrtf(w);
    float *scores = (float *)scratch, *mixed = scores + QUERIES * tp;
    E *keys = (E *)(mixed + QUERIES * w), *values = keys + w / STEP * tp;
    T *weights = (T *)(values + tk * w);
    for (long i = 0; i < n; i++, qkv += t * row, out += t * d)
        for (long h = 0; h < heads; h++, stats += 2 * t) {
            const T *q = qkv + h * w;
            F(transpose)(q + d, row, keys, t, tp, w);
            F(interleave)(q + 2 * d, row, values, t, w);
            for (long r = 0; r < t; r += QUERIES) {
                long m = t - r < QUERIES ? t - r : QUERIES;
                F(ahead)(qkv + t * row, t * row, h * blocks + r / QUERIES, heads * blocks);
                F(product)((const E *)(q + r * row), row / STEP, 1, keys, tp, scores, tp, m, tp, w / STEP, 0);
                for (long y = 0; y < m; y++) {
                    float *line = scores + y * tp;
                    v16 top = all(-INFINITY), sum = {};
                    for (long j = 0; j < t; j += 16) top = most(top, first(load_f32(line + j), t - j, top));
                    float highest = largest(top);
                    for (long j = 0; j < tp; j += 16) {
                        v16 e = first(power_of_2((load_f32(line + j) - highest) * scale), t - j, (v16){});
                        F(store)(weights + y * tp + j, e);
                        sum += e;
                    }
                    stats[2 * (r + y)] = highest, stats[2 * (r + y) + 1] = 1 / total(sum);
                }
                F(product)((const E *)weights, tp / STEP, 1, values, w, mixed, w, m, w, tk, 0);
                for (long y = 0; y < m; y++)
                    F(scale)(mixed + y * w, stats[2 * (r + y) + 1], out + (r + y) * d + h * w, w);
            }
        }
}

// dqkv [n][t][3][heads][w] from dout [n][t][heads][w]
void F(attention_backward)(const T *qkv, const T *dout, const float *stats, T *dqkv, char *scratch, long n, long t,
                           long heads, long w) {
    const long tp = (t + 15) / 16 * 16, tk = (t + STEP - 1) / STEP, d = heads * w, row = 3 * d;
    const long blocks = (t + QUERIES - 1) / QUERIES;
    const float root = 1 / sqrtf(w), scale = LOG2E / sqrtf(w);
    float *scores = (float *)scratch, *slopes = scores + QUERIES * tp, *mixed = slopes + QUERIES * tp;
    E *keys = (E *)(mixed + (tp + QUERIES) * w), *values = keys + w / STEP * tp;         // transposed
    E *k = values + w / STEP * tp, *q = k + tk * w, *g = q + tk * w;                      // interleaved
    E *weights = g + tk * w, *changes = weights + tk * tp;                                // interleaved, all queries
    T *lines = (T *)(changes + tk * tp);                                                  // weights, then changes
    for (long i = 0; i < n; i++, qkv += t * row, dqkv += t * row, dout += t * d)
        for (long h = 0; h < heads; h++, stats += 2 * t) {
            const T *query = qkv + h * w, *grad = dout + h * w;
            T *to = dqkv + h * w;
            F(transpose)(query + d, row, keys, t, tp, w);
            F(transpose)(query + 2 * d, row, values, t, tp, w);
            F(interleave)(query + d, row, k, t, w);
            F(interleave)(query, row, q, t, w);
            F(interleave)(grad, d, g, t, w);
            for (long r = 0; r < t; r += QUERIES) {
                long m = t - r < QUERIES ? t - r : QUERIES;
                F(ahead)(qkv + t * row, t * row, h * blocks + r / QUERIES, heads * blocks);
                F(ahead)(dout + t * d, t * d, h * blocks + r / QUERIES, heads * blocks);
                F(product)((const E *)(query + r * row), row / STEP, 1, keys, tp, scores, tp, m, tp, w / STEP, 0);
                F(product)((const E *)(grad + r * d), d / STEP, 1, values, tp, slopes, tp, m, tp, w / STEP, 0);
                for (long y = 0; y < m; y++) {
                    float *score = scores + y * tp, *slope = slopes + y * tp;
                    float highest = stats[2 * (r + y)], share = stats[2 * (r + y) + 1];
                    v16 sum = {};
                    for (long j = 0; j < tp; j += 16) {
                        v16 e = first(power_of_2((load_f32(score + j) - highest) * scale) * share, t - j, (v16){});
                        sum += e * load_f32(slope + j);
                        store_f32(score + j, e);
                        F(store)(lines + y * tp + j, e);
                    }
                    float mean = total(sum);
                    for (long j = 0; j < tp; j += 16)
                        F(store)(lines + (QUERIES + y) * tp + j,
                                 load_f32(score + j) * (load_f32(slope + j) - mean) * root);
                }
                F(product)((const E *)(lines + QUERIES * tp), tp / STEP, 1, k, w, mixed, w, m, w, tk, 0);
                for (long y = 0; y < m; y++) F(scale)(mixed + y * w, 1, to + (r + y) * row, w);
                F(interleave)(lines, tp, weights + r / STEP * tp, m, tp);
                F(interleave)(lines + QUERIES * tp, tp, changes + r / STEP * tp, m, tp);
            }
            F(product)(changes, 1, tp, q, w, mixed, w, t, w, tk, 0);
            for (long y = 0; y < t; y++) F(scale)(mixed + y * w, 1, to + y * row + d, w);
            F(product)(weights, 1, tp, g, w, mixed, w, t, w, tk, 0);
            for (long y = 0; y < t; y++) F(scale)(mixed + y * w, 1, to + y * row + 2 * d, w);
        }
}
