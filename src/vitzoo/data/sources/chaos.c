// The chaos game of render.py for one CPU core: an image's walkers go side by side, and nothing leaves the cache.
// Every rounding is render.py's: a product and a sum are one operation where it has one (fmaf) and two where it has
// two, so that the compiler must neither contract nor reorder.
#include <math.h>
#include <stdint.h>
#include <string.h>

#define MAPS 8
#define CHUNK 1024

// Draw the points of an image, [2, kept, walkers]; `now` holds x and y, `box` low and high of them, of every walker.
static void walk(const float *maps, const float *edges, float shift, const float *restrict choices, long burn_in,
                 long kept, long walkers, float *restrict now, float *restrict box, float *restrict track) {
    float m[6 * MAPS], ends[MAPS - 1];  // of known size, so that all of it may be read before it is chosen from
    memcpy(m, maps, sizeof m);
    memcpy(ends, edges, sizeof ends);
    float *x = now, *y = now + walkers;
    float *low_x = box, *low_y = box + walkers, *high_x = box + 2 * walkers, *high_y = box + 3 * walkers;
    for (long w = 0; w < walkers; w++) {
        x[w] = y[w] = 0;
        low_x[w] = low_y[w] = INFINITY;
        high_x[w] = high_y[w] = -INFINITY;
    }
    for (long step = -burn_in; step < kept; step++, choices += walkers) {
        for (long w = 0; w < walkers; w++) {
            float chance = choices[w] + shift;
            chance -= truncf(chance);
            float a = m[0], b = m[1], c = m[2], d = m[3], e = m[4], f = m[5];
#pragma GCC unroll 8  // or else compilers do not see that the walkers are independent
            for (int j = 1; j < MAPS; j++) {
                int beyond = chance >= ends[j - 1];
                a = beyond ? m[6 * j] : a;
                b = beyond ? m[6 * j + 1] : b;
                c = beyond ? m[6 * j + 2] : c;
                d = beyond ? m[6 * j + 3] : d;
                e = beyond ? m[6 * j + 4] : e;
                f = beyond ? m[6 * j + 5] : f;
            }
            float old = x[w];
            x[w] = fmaf(b, y[w], fmaf(a, old, e));
            y[w] = fmaf(d, y[w], fmaf(c, old, f));
        }
        if (step < 0) continue;
        float *xs = track + step * walkers, *ys = xs + kept * walkers;
        for (long w = 0; w < walkers; w++) {
            xs[w] = x[w];
            ys[w] = y[w];
            low_x[w] = x[w] < low_x[w] ? x[w] : low_x[w];
            low_y[w] = y[w] < low_y[w] ? y[w] : low_y[w];
            high_x[w] = x[w] > high_x[w] ? x[w] : high_x[w];
            high_y[w] = y[w] > high_y[w] ? y[w] : high_y[w];
        }
    }
}

static float least(const float *p, long n) {
    float found = p[0];
    for (long i = 1; i < n; i++) found = p[i] < found ? p[i] : found;
    return found;
}

static float most(const float *p, long n) {
    float found = p[0];
    for (long i = 1; i < n; i++) found = p[i] > found ? p[i] : found;
    return found;
}

// Add what coordinates across or down contribute to pixels that are `step` apart, from the other end if mirrored.
static void place(const float *p, long n, float low, float scale, float margin, long size, int mirrored, int step,
                  int32_t *pixel) {
    for (long i = 0; i < n; i++) {
        int32_t line = (int32_t)(((p[i] - low) * scale + margin) * (float)size);
        line = line > size - 1 ? size - 1 : line;
        pixel[i] += step * (mirrored ? (int32_t)size - 1 - line : line);
    }
}

// Count the points in every pixel of images, int32 [batch, size, size], zero before. maps: [batch, MAPS, 6]; edges:
// [batch, MAPS - 1]; shift: [batch]; flips: [2, batch]; choices: [burn_in + kept, walkers]; space: (6 + 2·kept)·walkers.
void chaos_count(long batch, const float *maps, const float *edges, const float *shift, const float *flips,
                 const float *choices, long burn_in, long kept, long walkers, long size, double margin, float *space,
                 int32_t *counts) {
    float *box = space + 2 * walkers, *track = space + 6 * walkers;
    long points = kept * walkers;
    for (long image = 0; image < batch; image++, counts += size * size) {
        walk(maps + image * MAPS * 6, edges + image * (MAPS - 1), shift[image], choices, burn_in, kept, walkers, space,
             box, track);
        float low[2], scale[2];
        for (int k = 0; k < 2; k++) {
            low[k] = least(box + k * walkers, walkers);
            float wide = most(box + (2 + k) * walkers, walkers) - low[k];
            scale[k] = 1 / (wide < 1e-6f ? 1e-6f : wide);
            scale[k] *= (float)(1 - 2 * margin);
        }
        for (long begin = 0; begin < points; begin += CHUNK) {
            long n = points - begin < CHUNK ? points - begin : CHUNK;
            int32_t pixel[CHUNK] = {0};
            for (int k = 0; k < 2; k++)
                place(track + k * points + begin, n, low[k], scale[k], (float)margin, size, flips[k * batch + image] > 0,
                      k ? (int)size : 1, pixel);
            for (long i = 0; i < n; i++) counts[pixel[i]]++;
        }
    }
}

// Look up the colours of images by how often a pixel was hit. palette: [batch, entries]. out: colours are `plane` bytes
// apart and pixels `step` bytes: [batch, 3, pixels] for (pixels, 1), [batch, pixels, 3] for (1, 3).
void chaos_colour(long batch, long pixels, const int32_t *counts, const uint32_t *palette, long entries, long plane,
                  long step, uint8_t *restrict out) {
    for (long image = 0; image < batch; image++, counts += pixels, palette += entries, out += 3 * pixels)
        for (long begin = 0; begin < pixels; begin += CHUNK) {
            long n = pixels - begin < CHUNK ? pixels - begin : CHUNK;
            uint32_t packed[CHUNK];
            uint8_t *first = out + begin * step;
            for (long i = 0; i < n; i++) packed[i] = palette[counts[begin + i]];
            for (int k = 0; step == 1 && k < 3; k++)
                for (long i = 0; i < n; i++) first[k * plane + i] = (uint8_t)(packed[i] >> (8 * k));
            for (long i = 0; step != 1 && i < n; i++)
                for (int k = 0; k < 3; k++) first[k * plane + i * step] = (uint8_t)(packed[i] >> (8 * k));
        }
}
