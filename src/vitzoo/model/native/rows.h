// Kernels over rows of D numbers, for one element type T; D is a multiple of 16.
// Axes: k members, n rows of each member (its images' tokens), d numbers. Gains, shifts and biases are [k, d].

// y = (x - mean) / deviation · gain + shift (LayerNorm); `stats` [k, n, 2] keeps mean and 1 / deviation.
void F(norm_forward)(const T *x, const T *gain, const T *shift, T *y, float *stats, long k, long n, long d) {
    for (long m = 0; m < k; m++, gain += d, shift += d)
        for (long i = 0; i < n; i++, x += d, y += d, stats += 2) {
            v16 sum = {}, square = {};
            for (long j = 0; j < d; j += 16) sum += F(load)(x + j);
            float mean = total(sum) / d;
            for (long j = 0; j < d; j += 16) {
                v16 c = F(load)(x + j) - mean;
                square += c * c;
            }
            float scale = 1 / sqrtf(total(square) / d + 1e-6f);
            stats[0] = mean, stats[1] = scale;
            for (long j = 0; j < d; j += 16)
                F(store)(y + j, (F(load)(x + j) - mean) * scale * F(load)(gain + j) + F(load)(shift + j));
        }
}

// The same output again from `stats`, so that it need not be kept.
void F(norm_again)(const T *x, const T *gain, const T *shift, T *y, const float *stats, long k, long n, long d) {
    for (long m = 0; m < k; m++, gain += d, shift += d)
        for (long i = 0; i < n; i++, x += d, y += d, stats += 2)
            for (long j = 0; j < d; j += 16)
                F(store)(y + j, (F(load)(x + j) - stats[0]) * stats[1] * F(load)(gain + j) + F(load)(shift + j));
}

// dx = past + the gradient dy through the norm; dgain and dshift [k, d] are added to.
void F(norm_backward)(const T *dy, const T *x, const T *gain, const float *stats, const T *past, T *dx, float *dgain,
                      float *dshift, long k, long n, long d) {
    for (long m = 0; m < k; m++, gain += d, dgain += d, dshift += d)
        for (long i = 0; i < n; i++, dy += d, x += d, past += d, dx += d, stats += 2) {
            float mean = stats[0], scale = stats[1];
            v16 a = {}, b = {};
            for (long j = 0; j < d; j += 16) {
                v16 normal = (F(load)(x + j) - mean) * scale, g = F(load)(dy + j);
                store_f32(dgain + j, load_f32(dgain + j) + g * normal);
                store_f32(dshift + j, load_f32(dshift + j) + g);
                g *= F(load)(gain + j);
                a += g, b += g * normal;
            }
            float along = total(a) / d, across = total(b) / d;
            for (long j = 0; j < d; j += 16) {
                v16 normal = (F(load)(x + j) - mean) * scale, g = F(load)(dy + j) * F(load)(gain + j);
                F(store)(dx + j, F(load)(past + j) + scale * (g - along - normal * across));
            }
        }
}

// a = gelu(h + bias), and h becomes the derivative there: both are kept, because their exponential is what costs
void F(gelu_forward)(T *h, const T *bias, T *a, long k, long n, long d) {
    for (long m = 0; m < k; m++, bias += d)
        for (long i = 0; i < n; i++, h += d, a += d)
            for (long j = 0; j < d; j += 16) {
                v16 value, slope;
                gelu(F(load)(h + j) + F(load)(bias + j), &value, &slope);
                F(store)(a + j, value);
                F(store)(h + j, slope);
            }
}

// da becomes dh; dbias [k, d] is added to.
void F(gelu_backward)(const T *slope, T *da, float *dbias, long k, long n, long d) {
    for (long m = 0; m < k; m++, dbias += d)
        for (long i = 0; i < n; i++, slope += d, da += d)
            for (long j = 0; j < d; j += 16) {
                v16 dh = F(load)(da + j) * F(load)(slope + j);
                F(store)(da + j, dh);
                store_f32(dbias + j, load_f32(dbias + j) + dh);
            }
}

// out = x + keep · (y + bias); keep [k, images] is one factor for the t tokens of an image.
void F(residual_forward)(const T *x, const T *y, const T *bias, const float *keep, T *out, long k, long images, long t,
                         long d) {
    for (long m = 0; m < k; m++, bias += d)
        for (long i = 0; i < images * t; i++, x += d, y += d, out += d) {
            float factor = keep[m * images + i / t];
            for (long j = 0; j < d; j += 16)
                F(store)(out + j, F(load)(x + j) + factor * (F(load)(y + j) + F(load)(bias + j)));
        }
}

// dy = keep · dout; dbias [k, d] is added to.
void F(residual_backward)(const T *dout, const float *keep, T *dy, float *dbias, long k, long images, long t, long d) {
    for (long m = 0; m < k; m++, dbias += d)
        for (long i = 0; i < images * t; i++, dout += d, dy += d) {
            float factor = keep[m * images + i / t];
            for (long j = 0; j < d; j += 16) {
                v16 g = factor * F(load)(dout + j);
                F(store)(dy + j, g);
                store_f32(dbias + j, load_f32(dbias + j) + g);
            }
        }
}

// sums [k, d] is added to: the sum of x over the rows of each member.
void F(sum_rows)(const T *x, float *sums, long k, long n, long d) {
    for (long m = 0; m < k; m++, sums += d)
        for (long i = 0; i < n; i++, x += d)
            for (long j = 0; j < d; j += 16) store_f32(sums + j, load_f32(sums + j) + F(load)(x + j));
}
