/* Chains of states: forward and backward, and the most probable path. See chains.py for the formulas.
 *
 * A line of numbers, one for each state, fills whole vectors: n_states rounded up to `width`. What is behind the last
 * state is 0, or -inf where lines hold logarithms.
 */

typedef struct {
    int64_t width;
    double *forth, *back;                 /* transitions, and transposed: a line for every state */
    double *log_forth, *log_back;         /* their logarithms */
    double *start, *log_start;            /* one line each */
    double *line, *other;                 /* one line each */
    double *sums;                         /* a line for every state */
    double *emissions, *forward, *states; /* a line for every step */
    double *scales;                       /* a number for every step */
} Desk;

/* Of what would be smaller the recursions take these, so that b and beta are never too small. */
#define SMALLEST_EMISSION 1e-300
#define SMALLEST_BACKWARD 1e-200
/* Where a step scales by less, or beta is larger, a sequence is computed again in logarithms. */
#define SMALLEST_SCALE 1e-150
#define LARGEST_BACKWARD 1e100
/* Of lower log-densities the density is 0. */
#define IMPOSSIBLE -1e300
#define STEPS_OF_A_BLOCK 64

static void put_table_of_states(double *to, const double *from, int64_t n, int64_t width, int transposed, double rest) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < width; j++)
            to[i * width + j] = j >= n ? rest : transposed ? from[j * n + i] : from[i * n + j];
}

/* The first or the second of two desks, which lie behind each other. */
static Desk desk_in(void *scratch, const fastgmm_chain *chain, int which) {
    const int64_t n = chain->n_states, width = (n + LANES - 1) / LANES * LANES, most = (n + 7) / 8 * 8;
    Desk desk = {.width = width};
    double *next = (double *)scratch + which * (most * (5 * n + 4 + 3 * chain->longest) + chain->longest);
#define LINES(name, n_lines) desk.name = next, next += (n_lines) * most
    LINES(forth, n);
    LINES(back, n);
    LINES(log_forth, n);
    LINES(log_back, n);
    LINES(start, 1);
    LINES(log_start, 1);
    LINES(line, 1);
    LINES(other, 1);
    LINES(sums, n);
    LINES(emissions, chain->longest);
    LINES(forward, chain->longest);
    LINES(states, chain->longest);
#undef LINES
    desk.scales = next;
    put_table_of_states(desk.forth, chain->transitions, n, width, 0, 0.0);
    put_table_of_states(desk.back, chain->transitions, n, width, 1, 0.0);
    put_table_of_states(desk.log_forth, chain->log_transitions, n, width, 0, -INFINITY);
    put_table_of_states(desk.log_back, chain->log_transitions, n, width, 1, -INFINITY);
    for (int64_t j = 0; j < width; j++) {
        desk.start[j] = j < n ? chain->start[j] : 0.0;
        desk.log_start[j] = j < n ? chain->log_start[j] : -INFINITY;
    }
    return desk;
}

INLINE double largest_in(Vector vector) {
    double lanes[LANES], largest;
    store(lanes, vector);
    largest = lanes[0];
    for (int64_t lane = 1; lane < LANES; lane++) largest = lanes[lane] > largest ? lanes[lane] : largest;
    return largest;
}

INLINE double sum_of(Vector vector) {
    double sum = 0;
    add_sum(&sum, vector);
    return sum;
}

INLINE Vector larger(Vector a, Vector b) { return where_less(a, b, b, a); }

/* The log-densities of a step as a line; the largest of them. Those of impossible states become -inf. */
INLINE double put_line(double *line, const double *joint, int64_t n, int64_t width) {
    Vector largest = broadcast(-INFINITY);
    const double *from = joint;
    if (n < width) {
        memcpy(line, joint, (size_t)n * sizeof *line);
        for (int64_t j = n; j < width; j++) line[j] = -INFINITY;
        from = line;
    }
    for (int64_t j = 0; j < width; j += LANES) {
        Vector b = load(from + j);
        b = where_less(b, broadcast(IMPOSSIBLE), broadcast(-INFINITY), b);
        store(line + j, b);
        largest = larger(largest, b);
    }
    return largest_in(largest);
}

/* to[s] = lines[s] * table, sums over the lines of the table, for one or two lines and `n_vectors` vectors from j on. */
INLINE void times_panel(double *const *to, const double *const *lines, const int n_lines, const double *table,
                        int64_t n, int64_t width, int64_t j, const int n_vectors) {
    Vector sums[2][2] = {{broadcast(0), broadcast(0)}, {broadcast(0), broadcast(0)}};
    for (int64_t i = 0; i < n; i++) {
        UNROLLED
        for (int v = 0; v < n_vectors; v++) {
            const Vector entries = load(table + i * width + j + v * LANES);
            UNROLLED
            for (int s = 0; s < n_lines; s++) sums[s][v] = fma_(broadcast(lines[s][i]), entries, sums[s][v]);
        }
    }
    UNROLLED
    for (int s = 0; s < n_lines; s++)
        UNROLLED
        for (int v = 0; v < n_vectors; v++) store(to[s] + j + v * LANES, sums[s][v]);
}

INLINE void times(double *const *to, const double *const *lines, const int n_lines, const double *table, int64_t n,
                  int64_t width) {
    int64_t j = 0;
    for (; j + 2 * LANES <= width; j += 2 * LANES) times_panel(to, lines, n_lines, table, n, width, j, 2);
    if (j < width) times_panel(to, lines, n_lines, table, n, width, j, 1);
}

/* Emissions in units of the largest of each step; the sum of the logarithms of these. Exponentials are a loop of their
 * own, in which many are on their way at a time. */
OUTLINE double scaled_emissions(const Desk *desk, const double *joint, int64_t n_steps, int64_t n) {
    const int64_t width = desk->width, end = n_steps * width;
    const Vector smallest = broadcast(SMALLEST_EXPONENT), floor = broadcast(SMALLEST_EMISSION);
    double total = 0;
    for (int64_t t = 0; t < n_steps; t++) {
        double *line = desk->emissions + t * width;
        const double largest = put_line(line, joint + t * n, n, width);
        if (!(largest > -INFINITY)) return -INFINITY;
        total += largest;
        for (int64_t j = 0; j < width; j += LANES) store(line + j, load(line + j) - broadcast(largest));
    }
    for (int64_t at = 0; at < end; at += LANES)
        store(desk->emissions + at, larger(exponential(load(desk->emissions + at), smallest), floor));
    return total;
}

INLINE void scale_line(double *line, double scale, int64_t width) {
    for (int64_t j = 0; j < width; j += LANES) store(line + j, load(line + j) * broadcast(scale));
}

/* How far a recursion has come: what the last step has yet to be multiplied by, and the logarithm of all scales. */
typedef struct {
    double inverse, product, total;
    Vector largest;
} Progress;

/* alpha of a step, of which the sums over states before are there; the one before is scaled when this one has begun,
 * which need not wait for its sum then. Whether the scale is not too small. */
INLINE int forward_step(const Desk *desk, int64_t t, Progress *progress) {
    const int64_t width = desk->width;
    double *line = desk->forward + t * width;
    const double *emissions = desk->emissions + t * width;
    const double inverse = progress->inverse;
    if (t)
        scale_line(line - width, inverse, width);
    else
        memcpy(line, desk->start, (size_t)width * sizeof *line);
    Vector sums = broadcast(0);
    for (int64_t j = 0; j < width; j += LANES) {
        const Vector joint = load(line + j) * load(emissions + j) * broadcast(inverse);
        store(line + j, joint);
        sums = sums + joint;
    }
    const double scale = sum_of(sums);
    if (!(scale >= SMALLEST_SCALE)) return 0;
    desk->scales[t] = progress->inverse = 1 / scale;
    progress->product *= scale;
    if (progress->product < SMALLEST_SCALE) progress->total += log(progress->product), progress->product = 1;
    return 1;
}

/* b * beta of the next step, in its scale, over the emissions. */
INLINE void scale_ahead(const Desk *desk, int64_t t) {
    double *next = desk->emissions + (t + 1) * desk->width;
    const Vector scale = broadcast(desk->scales[t + 1]);
    for (int64_t j = 0; j < desk->width; j += LANES) store(next + j, load(next + j) * load(desk->line + j) * scale);
}

/* beta of a step, of which the sums over states after are there, and gamma into `states`. */
INLINE void backward_step(const Desk *desk, int64_t t, Progress *progress) {
    double *beta = desk->line;
    const int64_t at = t * desk->width;
    for (int64_t j = 0; j < desk->width; j += LANES) {
        const Vector held = larger(load(beta + j), broadcast(SMALLEST_BACKWARD));
        store(beta + j, held);
        progress->largest = larger(progress->largest, held);
        store(desk->states + at + j, load(desk->forward + at + j) * held);
    }
}

/* A sequence, whose joint log-densities become the logarithms of gamma. */
typedef struct {
    double *joint;
    int64_t n_steps;
    double log_likelihood;
} Sequence;

/* alpha of two sequences, each step's numbers summing to 1. The steps of one wait for each other, not for those of the
 * other. A log-likelihood is NaN where a step was scaled by too little. */
OUTLINE void scaled_forward(const Desk desks[2], Sequence sequences[2], int64_t n) {
    Progress progress[2] = {{1, 1, 0, broadcast(0)}, {1, 1, 0, broadcast(0)}};
    int64_t ends[2] = {0, 0};
    const int64_t width = desks[0].width;
    for (int s = 0; s < 2; s++)
        if (sequences[s].log_likelihood > -INFINITY) ends[s] = sequences[s].n_steps;
    for (int64_t t = 0; t < ends[0] || t < ends[1]; t++) {
        double *const to[2] = {desks[0].forward + t * width, desks[1].forward + t * width};
        const double *const before[2] = {to[0] - width, to[1] - width};
        if (t && t < ends[0] && t < ends[1])
            times(to, before, 2, desks[0].forth, n, width);
        else if (t)
            times(to + (t >= ends[0]), before + (t >= ends[0]), 1, desks[0].forth, n, width);
        for (int s = 0; s < 2; s++)
            if (t < ends[s] && !forward_step(&desks[s], t, &progress[s])) ends[s] = 0, progress[s].total = NAN;
    }
    for (int s = 0; s < 2; s++) {
        sequences[s].log_likelihood += progress[s].total + log(progress[s].product);
        if (ends[s]) scale_line(desks[s].forward + (ends[s] - 1) * width, progress[s].inverse, width);
    }
}

/* beta of two sequences. A log-likelihood becomes NaN where it did not stay small. */
OUTLINE void scaled_backward(const Desk desks[2], Sequence sequences[2], int64_t n) {
    Progress progress[2] = {{0, 0, 0, broadcast(0)}, {0, 0, 0, broadcast(0)}};
    int64_t steps[2] = {0, 0};
    const int64_t width = desks[0].width;
    double *const beta[2] = {desks[0].line, desks[1].line};
    for (int s = 0; s < 2; s++) {
        if (!(sequences[s].log_likelihood > -INFINITY)) continue;
        const int64_t last = (sequences[s].n_steps - 1) * width;
        steps[s] = sequences[s].n_steps - 1;
        for (int64_t j = 0; j < width; j++) desks[s].line[j] = 1;
        memcpy(desks[s].states + last, desks[s].forward + last, (size_t)width * sizeof(double));
    }
    while (steps[0] > 0 || steps[1] > 0) {
        const double *const next[2] = {desks[0].emissions + steps[0] * width, desks[1].emissions + steps[1] * width};
        const int alone = steps[0] <= 0;
        for (int s = 0; s < 2; s++)
            if (steps[s] > 0) scale_ahead(&desks[s], steps[s] - 1);
        if (steps[0] > 0 && steps[1] > 0)
            times(beta, next, 2, desks[0].back, n, width);
        else
            times(beta + alone, next + alone, 1, desks[0].back, n, width);
        for (int s = 0; s < 2; s++)
            if (steps[s] > 0) backward_step(&desks[s], --steps[s], &progress[s]);
    }
    for (int s = 0; s < 2; s++)
        if (!(largest_in(progress[s].largest) <= LARGEST_BACKWARD)) sequences[s].log_likelihood = NAN;
}

/* sums[i][j] += sum over steps of alpha(i) of one and b(j) beta(j) of the next, for n_lines states from i on. */
INLINE void add_pairs(const Desk *desk, int64_t begin, int64_t end, int64_t i, const int n_lines) {
    const int64_t width = desk->width;
    for (int64_t j = 0; j < width; j += LANES) {
        Vector sums[4];
        UNROLLED
        for (int line = 0; line < n_lines; line++) sums[line] = load(desk->sums + (i + line) * width + j);
        for (int64_t t = begin; t < end; t++) {
            const Vector next = load(desk->emissions + (t + 1) * width + j);
            const double *forward = desk->forward + t * width + i;
            UNROLLED
            for (int line = 0; line < n_lines; line++) sums[line] = fma_(broadcast(forward[line]), next, sums[line]);
        }
        UNROLLED
        for (int line = 0; line < n_lines; line++) store(desk->sums + (i + line) * width + j, sums[line]);
    }
}

OUTLINE void scaled_pairs(const Desk *desk, int64_t n_steps, int64_t n) {
    memset(desk->sums, 0, (size_t)(n * desk->width) * sizeof(double));
    for (int64_t begin = 0; begin < n_steps - 1; begin += STEPS_OF_A_BLOCK) {
        const int64_t end = smaller(begin + STEPS_OF_A_BLOCK, n_steps - 1);
        int64_t i = 0;
        for (; i + 4 <= n; i += 4) add_pairs(desk, begin, end, i, 4);
        for (; i < n; i++) add_pairs(desk, begin, end, i, 1);
    }
    for (int64_t at = 0; at < n * desk->width; at += LANES)
        store(desk->sums + at, load(desk->sums + at) * load(desk->forth + at));
}

/* The logarithms of gamma in the place of joint log-densities. */
OUTLINE void put_logarithms(const Desk *desk, double *joint, int64_t n_steps, int64_t n) {
    const int64_t width = desk->width, end = n_steps * width;
    const Vector smallest = broadcast(SMALLEST_EMISSION), nothing = broadcast(-INFINITY);
    double *to = n == width ? joint : desk->states;
    for (int64_t at = 0; at < end; at += LANES) {
        const Vector gamma = load(desk->states + at);
        store(to + at, where_less(gamma, smallest, nothing, logarithm(larger(gamma, smallest))));
    }
    for (int64_t t = 0; n < width && t < n_steps; t++)
        memcpy(joint + t * n, desk->states + t * width, (size_t)n * sizeof *joint);
}

/* log of the sum over the lines of exp(line[i] + table[i][j]), the numbers from j on. */
INLINE Vector log_sum(const double *line, const double *table, int64_t n, int64_t width, int64_t j) {
    Vector largest = broadcast(-INFINITY), sum = broadcast(0);
    for (int64_t i = 0; i < n; i++) largest = larger(largest, broadcast(line[i]) + load(table + i * width + j));
    /* Where all are -inf the difference from a number is, too. */
    const Vector from = larger(largest, broadcast(IMPOSSIBLE));
    for (int64_t i = 0; i < n; i++)
        sum = sum + exponential(broadcast(line[i]) + load(table + i * width + j) - from, broadcast(SMALLEST_EXPONENT));
    return where_less(sum, broadcast(0.5), broadcast(-INFINITY), from + logarithm(larger(sum, broadcast(0.5))));
}

INLINE double log_sum_of_line(const double *line, int64_t width) {
    Vector largest = broadcast(-INFINITY), sum = broadcast(0);
    for (int64_t j = 0; j < width; j += LANES) largest = larger(largest, load(line + j));
    const double from = largest_in(largest);
    if (!(from > IMPOSSIBLE)) return -INFINITY;
    for (int64_t j = 0; j < width; j += LANES)
        sum = sum + exponential(load(line + j) - broadcast(from), broadcast(SMALLEST_EXPONENT));
    return from + log(sum_of(sum));
}

/* The same recursions on logarithms; the log-likelihood, -inf where the sequence cannot be. */
OUTLINE double logarithmic_forward(const Desk *desk, const double *joint, int64_t n_steps, int64_t n) {
    const int64_t width = desk->width;
    double total = 0;
    for (int64_t t = 0; t < n_steps; t++) {
        double *emissions = desk->emissions + t * width, *line = desk->forward + t * width;
        put_line(emissions, joint + t * n, n, width);
        for (int64_t j = 0; j < width; j += LANES) {
            const Vector before =
                t ? log_sum(line - width, desk->log_forth, n, width, j) : load(desk->log_start + j);
            store(line + j, before + load(emissions + j));
        }
        const double scale = log_sum_of_line(line, width);
        if (!(scale > IMPOSSIBLE)) return -INFINITY;
        for (int64_t j = 0; j < width; j += LANES) store(line + j, load(line + j) - broadcast(scale));
        desk->scales[t] = scale;
        total += scale;
    }
    return total;
}

OUTLINE void logarithmic_backward(const Desk *desk, double *joint, int64_t n_steps, int64_t n) {
    const int64_t width = desk->width;
    double *beta = desk->line;
    memset(desk->sums, 0, (size_t)(n * width) * sizeof(double));
    memset(beta, 0, (size_t)width * sizeof *beta);
    for (int64_t t = n_steps - 1; t >= 0; t--) {
        const double *forward = desk->forward + t * width;
        if (t < n_steps - 1) {
            double *next = desk->emissions + (t + 1) * width;
            const Vector scale = broadcast(desk->scales[t + 1]);
            for (int64_t j = 0; j < width; j += LANES) store(next + j, load(next + j) + load(beta + j) - scale);
            for (int64_t j = 0; j < width; j += LANES) store(beta + j, log_sum(next, desk->log_back, n, width, j));
            for (int64_t i = 0; i < n; i++)
                for (int64_t j = 0; j < width; j += LANES) {
                    const int64_t at = i * width + j;
                    const Vector pair = broadcast(forward[i]) + load(desk->log_forth + at) + load(next + j);
                    store(desk->sums + at, load(desk->sums + at) + exponential(pair, broadcast(SMALLEST_EXPONENT)));
                }
        }
        for (int64_t j = 0; j < n; j++) joint[t * n + j] = forward[j] + beta[j];
    }
}

/* What is left once alpha and beta are known, or are to be found in logarithms. */
static void finish_sequence(const Desk *desk, Sequence *sequence, int64_t n, double *slot) {
    const int64_t n_steps = sequence->n_steps;
    double *joint = sequence->joint;
    if (sequence->log_likelihood > -INFINITY) {
        scaled_pairs(desk, n_steps, n);
        put_logarithms(desk, joint, n_steps, n);
    } else {
        sequence->log_likelihood = logarithmic_forward(desk, joint, n_steps, n);
        if (!(sequence->log_likelihood > -INFINITY)) {
            for (int64_t at = 0; at < n_steps * n; at++) joint[at] = -log((double)n);
            return;
        }
        logarithmic_backward(desk, joint, n_steps, n);
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) slot[i * n + j] += desk->sums[i * desk->width + j];
}

static void NAME(posteriors, chain)(const fastgmm_chain *chain, const fastgmm_share *share) {
    /* A sequence alone may be long, and has room for one desk. */
    const Desk desks[2] = {desk_in(share->scratch, chain, 0), desk_in(share->scratch, chain, chain->n_sequences > 1)};
    const int64_t n = chain->n_states;
    for (int64_t chunk = take_chunk(share, -1); chunk < chain->n_chunks; chunk = take_chunk(share, chunk))
        for (int64_t first = chain->chunks[chunk]; first < chain->chunks[chunk + 1]; first += 2) {
            const int n_sequences = (int)smaller(2, chain->chunks[chunk + 1] - first);
            Sequence sequences[2] = {{NULL, 0, -INFINITY}, {NULL, 0, -INFINITY}};
            for (int s = 0; s < n_sequences; s++) {
                const int64_t begin = chain->offsets[first + s], n_steps = chain->offsets[first + s + 1] - begin;
                double *joint = chain->joint + begin * n;
                sequences[s] = (Sequence){joint, n_steps, scaled_emissions(&desks[s], joint, n_steps, n)};
            }
            scaled_forward(desks, sequences, n);
            scaled_backward(desks, sequences, n);
            for (int s = 0; s < n_sequences; s++) {
                finish_sequence(&desks[s], &sequences[s], n, chain->pairs + chunk * n * n);
                chain->log_likelihoods[first + s] = sequences[s].log_likelihood;
            }
        }
}

/* delta(j) = b(j) + the largest of delta(i) + log A(i, j) before; that i into the step's line of `states`. */
INLINE void follow_best(const Desk *desk, const double *delta, double *next, double *from, int64_t n) {
    const int64_t width = desk->width;
    for (int64_t j = 0; j < width; j += LANES) {
        Vector best = broadcast(-INFINITY), which = broadcast(0);
        for (int64_t i = 0; i < n; i++) {
            const Vector candidate = broadcast(delta[i]) + load(desk->log_forth + i * width + j);
            which = where_less(best, candidate, broadcast((double)i), which);
            best = larger(best, candidate);
        }
        store(from + j, which);
        store(next + j, best);
    }
}

static double path_of_sequence(const Desk *desk, const double *joint, int64_t n_steps, int64_t n, int64_t *path) {
    const int64_t width = desk->width;
    double *delta = desk->line, *next = desk->other, *swap;
    memcpy(delta, desk->log_start, (size_t)width * sizeof *delta);
    for (int64_t t = 0; t < n_steps; t++) {
        double *emissions = desk->emissions;
        put_line(emissions, joint + t * n, n, width);
        if (t) {
            follow_best(desk, delta, next, desk->states + t * width, n);
            swap = delta, delta = next, next = swap;
        }
        for (int64_t j = 0; j < width; j += LANES) store(delta + j, load(delta + j) + load(emissions + j));
    }
    int64_t best = 0;
    for (int64_t j = 1; j < n; j++) best = delta[j] > delta[best] ? j : best;
    const double log_probability = delta[best];
    for (int64_t t = n_steps - 1; t >= 0; t--) {
        path[t] = best;
        if (t) best = (int64_t)desk->states[t * width + best];
    }
    return log_probability;
}

static void NAME(decode, chain)(const fastgmm_chain *chain, const fastgmm_share *share) {
    const Desk desk = desk_in(share->scratch, chain, 0);
    const int64_t n = chain->n_states;
    for (int64_t chunk = take_chunk(share, -1); chunk < chain->n_chunks; chunk = take_chunk(share, chunk))
        for (int64_t s = chain->chunks[chunk]; s < chain->chunks[chunk + 1]; s++) {
            const int64_t first = chain->offsets[s], n_steps = chain->offsets[s + 1] - first;
            chain->log_likelihoods[s] =
                path_of_sequence(&desk, chain->joint + first * n, n_steps, n, chain->states + first);
        }
}

const fastgmm_chain_kernels NAME(kernels, of_chains) = {NAME(posteriors, chain), NAME(decode, chain)};
