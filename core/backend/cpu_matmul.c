/* out (B, m, n) = op(a) op(b), with a (B, m, k) or stored (B, k, m), b (B, k, n) or (B, n, k);
 * where the instruction accumulates, the product is added to out.
 *
 * The output is cut into chunks of rows or columns by its shape; each chunk is one single-threaded
 * call of BLAS or of our own kernels (cpu_narrow.h). */
#include <string.h>

#include "backend/blas.h"
#include "backend/cpu.h"
#include "backend/cpu_narrow.h"

/* Which of the two, by shape. On Zen 4, with one side up to 64 and AVX-512, our own kernels are 1.0
 * to 2 times as fast as OpenBLAS 0.3.21, which is not loaded for small products; with AVX2 and one
 * side up to 32, 0.9 to 1.9 times, and slower above. Few columns leave most of a vector empty;
 * turning B takes rows to pay. */
#define BLAS_LEAST INT64_C(8192) /* multiplications from which BLAS is called (and loaded) */
#define NARROW_SIDE 32
#define NARROW_SIDE_AVX512 64
#define FEWEST_COLUMNS 5
#define FEWEST_ROWS 16
#define CHUNK_MULTIPLICATIONS (INT64_C(1) << 22) /* aimed at in a chunk: about 0.1 ms */
#define MOST_CHUNKS 16
#define CHUNK_MULTIPLE 16 /* of rows or columns: a multiple of the kernels' own blocks */

/* ---- one chunk, with BLAS ---- */

/* y (n) += op(M) x, M row-major (n, k), or stored (k, n). Always adds: some versions of gemv do not
 * clear a NaN in y where they put the product there. */
static void add_vector(const struct call *call, const char *matrix, int64_t ld, int stored,
                       const char *x, char *y, int64_t n, int64_t k) {
  const struct blas *blas = blas_get();
  const char *t = stored ? "N" : "T";
  blas_int rows = (blas_int)(stored ? n : k);
  blas_int columns = (blas_int)(stored ? k : n);
  blas_int leading = (blas_int)ld;
  blas_int one = 1;
  if (call->dtype == DTYPE_F32) {
    const float unit = 1.0F;
    blas->sgemv(t, &rows, &columns, &unit, (const void *)matrix, &leading, (const void *)x, &one,
                &unit, (void *)y, &one);
  } else {
    const double unit = 1.0;
    blas->dgemv(t, &rows, &columns, &unit, (const void *)matrix, &leading, (const void *)x, &one,
                &unit, (void *)y, &one);
  }
}

/* Row-major C = A B is column-major C^T = B^T A^T. */
static void multiply_matrix(const struct call *call, const struct product *p) {
  const struct blas *blas = blas_get();
  const char *ta = p->ta ? "T" : "N";
  const char *tb = p->tb ? "T" : "N";
  blas_int m = (blas_int)p->m;
  blas_int n = (blas_int)p->n;
  blas_int k = (blas_int)p->k;
  blas_int lda = (blas_int)p->lda;
  blas_int ldb = (blas_int)p->ldb;
  blas_int ldc = (blas_int)p->ldc;
  if (call->dtype == DTYPE_F32) {
    const float one = 1.0F;
    const float beta = p->accumulate ? 1.0F : 0.0F;
    blas->sgemm(tb, ta, &n, &m, &k, &one, (const void *)p->b, &ldb, (const void *)p->a, &lda, &beta,
                (void *)p->c, &ldc);
  } else {
    const double one = 1.0;
    const double beta = p->accumulate ? 1.0 : 0.0;
    blas->dgemm(tb, ta, &n, &m, &k, &one, (const void *)p->b, &ldb, (const void *)p->a, &lda, &beta,
                (void *)p->c, &ldc);
  }
}

static void multiply_with_blas(const struct call *call, const struct product *p) {
  int column = p->n == 1 && p->ldb == (p->tb ? p->k : 1) && p->ldc == 1;
  int row = p->m == 1 && p->lda == (p->ta ? 1 : p->k);
  if (!column && !row) {
    multiply_matrix(call, p);
    return;
  }
  if (!p->accumulate) {
    memset(p->c, 0, (size_t)(p->m * p->n) * dtype_size(call->dtype));
  }
  if (column) {
    add_vector(call, p->a, p->lda, p->ta, p->b, p->c, p->m, p->k);
  } else {
    add_vector(call, p->b, p->ldb, !p->tb, p->a, p->c, p->n, p->k);
  }
}

/* ---- one chunk, with our own kernels ---- */

static const struct product_kernels *product_kernels(void) {
#ifdef TIER_KERNELS_X86
  int level = cpu_level();
  return level == CPU_AVX512 ? &products_avx512
         : level == CPU_AVX2 ? &products_avx2
                             : &products_plain;
#else
  return &products_plain;
#endif
}

/* Rows of A times rows of B stored transposed; A has one row, or B is one. In f64. */
static void multiply_dots(const struct call *call, const struct product *p) {
  int64_t element = (int64_t)dtype_size(call->dtype);
  for (int64_t i = 0; i < p->m * p->n; i++) {
    int64_t row = p->n == 1 ? i : 0;
    int64_t column = p->n == 1 ? 0 : i;
    double total =
        call->kernels->dot(p->k, p->a + row * p->lda * element, p->b + column * p->ldb * element);
    char *c = p->c + (row * p->ldc + column) * element;
    if (p->accumulate) {
      call->kernels->accumulate(1, &total, c);
    }
    call->kernels->round(1, c, &total);
  }
}

static void multiply_own(const struct call *call, const struct product *p) {
  int row_a = p->m == 1 && (!p->ta || p->lda == 1);   /* a is one row without gaps */
  int column_b = p->n == 1 && (p->tb || p->ldb == 1); /* b is one column without gaps */
  struct product q = *p;
  if ((row_a && p->tb) || (column_b && !p->ta)) {
    multiply_dots(call, p);
    return;
  }
  if (column_b && p->ldc == 1) { /* c^T = b^T A: along the rows of what is stored for a */
    q = (struct product){.a = p->b, .b = p->a, .c = p->c, .m = 1, .n = p->m, .k = p->k};
    q.accumulate = p->accumulate;
    q.lda = p->k;
    q.ldb = p->lda;
    q.ldc = p->m;
  }
  if (call->dtype == DTYPE_F32) {
    product_kernels()->f32(&q);
  } else {
    product_kernels()->f64(&q);
  }
}

/* ---- chunks ---- */

/* Unit u: batch u / chunks, and in it the rows or columns of chunk u % chunks. */
static void run_units(const struct call *call, int64_t begin, int64_t end) {
  const struct cpu_plan *plan = call->code->plan;
  int64_t element = (int64_t)dtype_size(call->dtype);
  int64_t extent = plan->split_columns ? plan->n : plan->m;
  int64_t chunks = (extent + plan->grain - 1) / plan->grain;
  for (int64_t u = begin; u < end; u++) {
    struct product p = {.m = plan->m, .n = plan->n, .k = plan->k, .ldc = plan->n};
    int64_t batch = u / chunks;
    int64_t first = u % chunks * plan->grain;
    int64_t count = extent - first < plan->grain ? extent - first : plan->grain;
    p.ta = call->code->ints[0] != 0;
    p.tb = call->code->ints[1] != 0;
    p.accumulate = call->code->accumulate;
    p.lda = p.ta ? p.m : p.k;
    p.ldb = p.tb ? p.k : p.n;
    p.a = (const char *)call_in(call, 0) + batch * p.m * p.k * element;
    p.b = (const char *)call_in(call, 1) + batch * p.k * p.n * element;
    p.c = (char *)call_out(call) + batch * p.m * p.n * element;
    if (plan->split_columns) {
      p.b += first * (p.tb ? p.k : 1) * element;
      p.c += first * element;
      p.n = count;
    } else {
      p.a += first * (p.ta ? 1 : p.k) * element;
      p.c += first * p.n * element;
      p.m = count;
    }
    if (plan->use_blas && blas_get() != NULL) {
      multiply_with_blas(call, &p);
    } else {
      multiply_own(call, &p);
    }
  }
}

static int32_t run(const struct call *call, struct threads *threads) {
  const struct cpu_plan *plan = call->code->plan;
  if (plan->batch * plan->m * plan->n == 0) {
    return TIER_OK;
  }
  if (plan->k == 0) {
    if (!call->code->accumulate) {
      memset(call_out(call), 0,
             (size_t)(plan->batch * plan->m * plan->n) * dtype_size(call->dtype));
    }
    return TIER_OK;
  }
  int64_t extent = plan->split_columns ? plan->n : plan->m;
  int64_t chunks = (extent + plan->grain - 1) / plan->grain;
  int64_t unit = plan->m * plan->n * plan->k / chunks;
  int64_t together =
      unit < CHUNK_MULTIPLICATIONS / 16 ? CHUNK_MULTIPLICATIONS / 16 / (unit + 1) : 1;
  cpu_run_chunks(threads, call, plan->batch * chunks, together > 0 ? together : 1, run_units);
  return TIER_OK;
}

/* Rows (or columns, where there are more of them) a chunk. */
static void split(struct cpu_plan *plan) {
  plan->split_columns = plan->n > plan->m;
  int64_t extent = plan->split_columns ? plan->n : plan->m;
  int64_t chunks = plan->m * plan->n * plan->k / CHUNK_MULTIPLICATIONS;
  chunks = chunks < 1 ? 1 : chunks > MOST_CHUNKS ? MOST_CHUNKS : chunks;
  int64_t grain = (extent + chunks - 1) / chunks;
  grain = (grain + CHUNK_MULTIPLE - 1) / CHUNK_MULTIPLE * CHUNK_MULTIPLE;
  plan->grain = grain > 0 ? grain : 1;
}

static int is_for_blas(const struct instruction *i, const struct cpu_plan *plan) {
  int64_t m = plan->m;
  int64_t n = plan->n;
  int64_t k = plan->k;
  int ta = i->ints[0] != 0;
  int tb = i->ints[1] != 0;
  int fits = m <= INT32_MAX && n <= INT32_MAX && k <= INT32_MAX;
  int64_t side = cpu_level() == CPU_AVX512 ? NARROW_SIDE_AVX512 : NARROW_SIDE;
  int narrow = m <= side || n <= side || k <= side;
  int weak = n == 1 || (n < FEWEST_COLUMNS && !ta) || (m < FEWEST_ROWS && tb);
  return fits && m * n * k >= BLAS_LEAST && (!narrow || weak);
}

int32_t cpu_prepare_matmul(struct instruction *i, int32_t dtype, struct cpu_plan *plan) {
  const struct view *a = &i->inputs[0];
  int32_t rank = i->out.rank;
  (void)dtype;
  plan->m = i->out.dims[rank - 2];
  plan->n = i->out.dims[rank - 1];
  plan->k = a->dims[rank - 1 - (i->ints[0] != 0)];
  plan->batch = 1;
  for (int32_t j = 0; j < rank - 2; j++) {
    plan->batch *= i->out.dims[j];
  }
  split(plan);
  plan->run = run;
  plan->use_blas = is_for_blas(i, plan);
  return plan->use_blas ? blas_load() : TIER_OK;
}
