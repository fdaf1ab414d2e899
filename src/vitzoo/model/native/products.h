// The gradient of a linear map's weights, for one element type T: a product over all rows, as long as it is narrow.
//
// Rows are taken in pieces that stay in the cache, where neighbours are joined into the pairs that bf16 is multiplied in.

#define ROWS 512

// Bytes of scratch memory for the kernel below.
long F(weights_scratch)(long o, long i) { return 4 * (ROWS / STEP * (o + i) + o * i) + 1024; }

// dw [k][o][i] = the sum over n rows of dy [k][n][o] times x [k][n][i]; o and i are multiples of 16
void F(weights_backward)(const T *dy, const T *x, T *dw, char *scratch, long k, long n, long o, long i) {
    float *sums = (float *)scratch;
    E *left = (E *)(sums + o * i), *right = left + ROWS / STEP * o;
    for (long m = 0; m < k; m++, dw += o * i) {
        memset(sums, 0, 4 * o * i);
        for (long r = 0; r < n; r += ROWS) {
            long rows = n - r < ROWS ? n - r : ROWS;
            F(interleave)(dy, o, left, rows, o);
            F(interleave)(x, i, right, rows, i);
            F(product)(left, 1, o, right, i, sums, i, o, i, (rows + STEP - 1) / STEP, 1);
            dy += rows * o, x += rows * i;
        }
        F(scale)(sums, 1, dw, o * i);
    }
}
