/* The products of cpu_narrow.c for one type REAL: included twice, so without a guard.
 *
 * A tile of C, up to ROWS rows of 1 or 2 vectors, stays in registers while k runs: each step loads
 * the vectors of one row of B and adds them, times one element of A, to each row of the tile.
 * Nothing is packed, but B where it is stored transposed. */

/* c (rows, vectors) = or += a (rows, k) b (k, vectors). Element (r, j) of a is a[r * lda + j], or
 * a[j * lda + r] where a is transposed. The last vector has `last` elements, 1 .. LANES. */
struct NAME(strip) {
  const REAL *a, *b;
  REAL *c;
  int64_t lda, ldb, ldc;
  int64_t k, last;
  int add;
};

static ALWAYS_INLINE void NAME(store_tile)(int rows, int vectors, const struct NAME(strip) * s,
                                           NAME(vector) sums[ROWS][VECTORS]) {
  int whole = s->last == NAME(LANES) ? vectors : vectors - 1;
  NAME(part) part = NAME(make_part)(s->last);
  UNROLL for (int r = 0; r < rows; r++) {
    REAL *c = s->c + r * s->ldc;
    UNROLL for (int v = 0; v < vectors; v++, c += NAME(LANES)) {
      NAME(vector) sum = sums[r][v];
      if (v < whole) {
        NAME(store)(c, s->add ? NAME(add)(NAME(load)(c), sum) : sum);
      } else {
        NAME(store_part)(c, part, s->add ? NAME(add)(NAME(load_part)(c, part), sum) : sum);
      }
    }
  }
}

/* `rows`, `vectors` and `ta` are constants where this is called. */
static ALWAYS_INLINE void NAME(tile)(int rows, int vectors, int ta, const struct NAME(strip) * s) {
  NAME(vector) sums[ROWS][VECTORS];
  const REAL *a[ROWS];
  const REAL *b = s->b;
  NAME(part) part = NAME(make_part)(s->last);
  UNROLL for (int r = 0; r < rows; r++) {
    a[r] = s->a + (ta ? r : r * s->lda);
    UNROLL for (int v = 0; v < vectors; v++) {
      sums[r][v] = NAME(splat)(0);
    }
  }
  for (int64_t j = 0; j < s->k; j++, b += s->ldb) {
    NAME(vector) row[VECTORS];
    int64_t at = ta ? j * s->lda : j;
    UNROLL for (int v = 0; v + 1 < vectors; v++) {
      row[v] = NAME(load)(b + v * NAME(LANES));
    }
    row[vectors - 1] = NAME(load_part)(b + (vectors - 1) * NAME(LANES), part);
    UNROLL for (int r = 0; r < rows; r++) {
      NAME(vector) x = NAME(splat)(a[r][at]);
      UNROLL for (int v = 0; v < vectors; v++) {
        sums[r][v] = NAME(fused)(x, row[v], sums[r][v]);
      }
    }
  }
  NAME(store_tile)(rows, vectors, s, sums);
}

#define TILE(rows)                                                         \
  static void NAME(tile_##rows##_1)(const struct NAME(strip) * s) {        \
    NAME(tile)(rows, 1, 0, s);                                             \
  }                                                                        \
  static void NAME(tile_##rows##_2)(const struct NAME(strip) * s) {        \
    NAME(tile)(rows, 2, 0, s);                                             \
  }                                                                        \
  static void NAME(tile_##rows##_1_turned)(const struct NAME(strip) * s) { \
    NAME(tile)(rows, 1, 1, s);                                             \
  }                                                                        \
  static void NAME(tile_##rows##_2_turned)(const struct NAME(strip) * s) { \
    NAME(tile)(rows, 2, 1, s);                                             \
  }
EACH_ROWS(TILE)
#undef TILE

#define TILES(rows)                                \
  {{NAME(tile_##rows##_1), NAME(tile_##rows##_2)}, \
   {NAME(tile_##rows##_1_turned), NAME(tile_##rows##_2_turned)}},
/* [rows - 1][ta][vectors - 1] */
static void (*const NAME(tiles)[ROWS][2][VECTORS])(const struct NAME(strip) *) = {EACH_ROWS(TILES)};
#undef TILES

#define PANEL (VECTORS * NAME(LANES)) /* columns of a tile */

/* What fits the caches, of b not transposed. Tiles of rows, of nearly equal heights; the tiles
 * across share their rows of a. */
static void NAME(multiply_block)(const struct product *p) {
  int64_t most = p->ta ? ROWS : ROWS_ASIDE;
  int64_t tiles = (p->m + most - 1) / most;
  for (int64_t t = 0; t < tiles; t++) {
    int64_t first = p->m * t / tiles;
    int64_t rows = p->m * (t + 1) / tiles - first;
    struct NAME(strip) s = {.lda = p->lda, .ldb = p->ldb, .ldc = p->ldc, .k = p->k};
    s.a = (const REAL *)(const void *)p->a + first * (p->ta ? 1 : p->lda);
    s.add = p->accumulate;
    for (int64_t column = 0; column < p->n; column += PANEL) {
      int64_t width = p->n - column < PANEL ? p->n - column : PANEL;
      int64_t vectors = (width + NAME(LANES) - 1) / NAME(LANES);
      s.b = (const REAL *)(const void *)p->b + column;
      s.c = (REAL *)(void *)p->c + first * p->ldc + column;
      s.last = width - (vectors - 1) * NAME(LANES);
      NAME(tiles)[rows - 1][p->ta][vectors - 1](&s);
    }
  }
}

/* b is not transposed: block of columns by block, so that all tiles of rows find the block's part
 * of b in the second-level cache. */
static void NAME(multiply_straight)(const struct product *p) {
  int64_t most = CACHE / (p->k * (int64_t)sizeof(REAL)) / PANEL * PANEL;
  most = most < PANEL ? PANEL : most;
  for (int64_t column = 0; column < p->n; column += most) {
    struct product q = *p;
    q.n = p->n - column < most ? p->n - column : most;
    q.b = p->b + column * (int64_t)sizeof(REAL);
    q.c = p->c + column * (int64_t)sizeof(REAL);
    NAME(multiply_block)(&q);
  }
}

/* Four rows of four, turned. */
typedef REAL NAME(four) __attribute__((vector_size(4 * sizeof(REAL))));
static ALWAYS_INLINE void NAME(turn_four)(const REAL *x, int64_t ldx, NAME(four) out[4]) {
  NAME(four) in[4];
  UNROLL for (int r = 0; r < 4; r++) {
    memcpy(&in[r], x + r * ldx, sizeof in[r]);
  }
  NAME(four) low_02 = __builtin_shufflevector(in[0], in[2], 0, 4, 1, 5);
  NAME(four) low_13 = __builtin_shufflevector(in[1], in[3], 0, 4, 1, 5);
  NAME(four) high_02 = __builtin_shufflevector(in[0], in[2], 2, 6, 3, 7);
  NAME(four) high_13 = __builtin_shufflevector(in[1], in[3], 2, 6, 3, 7);
  out[0] = __builtin_shufflevector(low_02, low_13, 0, 4, 1, 5);
  out[1] = __builtin_shufflevector(low_02, low_13, 2, 6, 3, 7);
  out[2] = __builtin_shufflevector(high_02, high_13, 0, 4, 1, 5);
  out[3] = __builtin_shufflevector(high_02, high_13, 2, 6, 3, 7);
}

/* y (n, m) = or += the transpose of x (m, n). */
static void NAME(turn)(const REAL *x, int64_t ldx, int64_t m, int64_t n, int add, REAL *y,
                       int64_t ldy) {
  int64_t whole_m = m / 4 * 4;
  int64_t whole_n = n / 4 * 4;
  for (int64_t j = 0; j < whole_n; j += 4) {
    for (int64_t i = 0; i < whole_m; i += 4) {
      NAME(four) block[4];
      NAME(turn_four)(x + i * ldx + j, ldx, block);
      UNROLL for (int r = 0; r < 4; r++) {
        REAL *to = y + (j + r) * ldy + i;
        NAME(four) before;
        memcpy(&before, to, sizeof before);
        block[r] = add ? before + block[r] : block[r];
        memcpy(to, &block[r], sizeof before);
      }
    }
  }
  for (int64_t j = 0; j < n; j++) {
    for (int64_t i = j < whole_n ? whole_m : 0; i < m; i++) {
      y[j * ldy + i] = (add ? y[j * ldy + i] : 0) + x[i * ldx + j];
    }
  }
}

/* b transposed: turned into a small array, block of columns by block. */
static void NAME(multiply_turned)(const struct product *p) {
  REAL turned[TURNED];
  int64_t most = TURNED / p->k / PANEL * PANEL;
  for (int64_t column = 0; column < p->n; column += most) {
    struct product q = *p;
    q.n = p->n - column < most ? p->n - column : most;
    q.ldb = q.n;
    q.b = (const char *)turned;
    q.c = p->c + column * (int64_t)sizeof(REAL);
    q.tb = 0;
    const REAL *b = (const REAL *)(const void *)p->b + column * p->ldb;
    NAME(turn)(b, p->ldb, q.n, p->k, 0, turned, q.n);
    NAME(multiply_block)(&q);
  }
}

/* A transposed, with few columns in B: C^T = B^T A has full vectors, along the rows of A as they
 * are stored. Panel by panel, it is turned into C. */
static void NAME(multiply_swapped)(const struct product *p) {
  REAL turned[NARROW * PANEL];
  for (int64_t first = 0; first < p->m; first += PANEL) {
    int64_t width = p->m - first < PANEL ? p->m - first : PANEL;
    struct product q = {.m = p->n, .n = width, .k = p->k, .lda = p->ldb, .ldb = p->lda};
    q.a = p->b;
    q.b = p->a + first * (int64_t)sizeof(REAL);
    q.c = (char *)turned;
    q.ldc = PANEL;
    q.ta = !p->tb;
    NAME(multiply_block)(&q);
    REAL *c = (REAL *)(void *)p->c + first * p->ldc;
    NAME(turn)(turned, PANEL, p->n, width, p->accumulate, c, p->ldc);
  }
}

/* The most steps of k at once. */
static int64_t NAME(depth)(const struct product *p) {
  int64_t depth = p->tb ? TURNED / (4 * PANEL) : p->n <= NARROW ? 1024 : 512;
  if (p->ta) { /* rows of A, which tiles walk down, stay in the second-level cache */
    int64_t rows = CACHE / (p->lda * (int64_t)sizeof(REAL));
    depth = rows < 64 ? 64 : rows < depth ? rows : depth;
  }
  return depth;
}

static void NAME(multiply)(const struct product *p) {
  int64_t element = (int64_t)sizeof(REAL);
  int64_t blocks = (p->k + NAME(depth)(p) - 1) / NAME(depth)(p);
  int64_t padded = (p->n + NAME(LANES) - 1) / NAME(LANES) * NAME(LANES);
  int swap =
      p->ta && p->n <= NARROW && 5 * p->n < 4 * padded && p->m > NARROW && p->k >= SWAP_LEAST;
  for (int64_t block = 0; block < blocks; block++) {
    int64_t first = p->k * block / blocks;
    struct product q = *p;
    q.k = p->k * (block + 1) / blocks - first;
    q.a += first * (p->ta ? p->lda : 1) * element;
    q.b += first * (p->tb ? 1 : p->ldb) * element;
    q.accumulate = p->accumulate || block > 0;
    if (swap) {
      NAME(multiply_swapped)(&q);
    } else if (p->tb) {
      NAME(multiply_turned)(&q);
    } else {
      NAME(multiply_straight)(&q);
    }
  }
}

#undef PANEL
