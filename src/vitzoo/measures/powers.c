/* Sums of powers of many numbers, in float64, in as many lanes as hide the latency of additions. */

#define LANES 32

/* out[k] = sum of (x[i] - pivot)^(k + 1) for k = 0..3 */
void power_sums(const float *x, long n, double pivot, double *out)
{
    double s1[LANES] = {0}, s2[LANES] = {0}, s3[LANES] = {0}, s4[LANES] = {0};
    long i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) {
            double y = x[i + k] - pivot, y2 = y * y;
            s1[k] += y;
            s2[k] += y2;
            s3[k] += y2 * y;
            s4[k] += y2 * y2;
        }
    for (; i < n; i++) {
        double y = x[i] - pivot, y2 = y * y;
        s1[0] += y;
        s2[0] += y2;
        s3[0] += y2 * y;
        s4[0] += y2 * y2;
    }
    for (int k = 1; k < LANES; k++) {
        s1[0] += s1[k];
        s2[0] += s2[k];
        s3[0] += s3[k];
        s4[0] += s4[k];
    }
    out[0] = s1[0];
    out[1] = s2[0];
    out[2] = s3[0];
    out[3] = s4[0];
}

/* d = x - y; returns the sum of squares of d */
double difference(const float *x, const float *y, long n, float *d)
{
    double s[LANES] = {0};
    long i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) {
            float own = x[i + k] - y[i + k];
            d[i + k] = own;
            s[k] += (double)own * own;
        }
    for (; i < n; i++) {
        d[i] = x[i] - y[i];
        s[0] += (double)d[i] * d[i];
    }
    for (int k = 1; k < LANES; k++)
        s[0] += s[k];
    return s[0];
}
