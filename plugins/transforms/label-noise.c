/* label-noise: replaces labels, with probability `rate`, by a uniformly drawn other class.
 *
 * Adds y_true (the label before), clean (1 where y is y_true) and wrong (1 - clean), all i32. Row i
 * depends on the stream and i only. Applied twice, y_true stays the first truth, and clean and
 * wrong compare with it. */
#include <stdlib.h>
#include <string.h>
#include <tier/dataset.h>
#include <tier/random.h>

struct noise {
  const tier_host *host;
  const tier_random_1 *random;
  tier_data *source;
  uint64_t stream;
  double rate;
  int64_t classes; /* of the source's y; TIER_CLASSES_UNKNOWN before open where a scan tells */
};

static const char *const added[] = {"y_true", "clean", "wrong"};

static int is_added(const char *field) {
  return strcmp(field, added[0]) == 0 || strcmp(field, added[1]) == 0 ||
         strcmp(field, added[2]) == 0;
}

/* The source's y must be a label of at least two classes, as far as is known. */
static int32_t check_labels(struct noise *n) {
  int32_t type = 0;
  TIER_TRY(n->source->api->field(n->source, "y", &type, NULL, NULL, &n->classes));
  if (type != TIER_I32 || n->classes == TIER_CLASSES_NONE) {
    return tier_failf(n->host, TIER_E_INVALID,
                      "field \"y\" holds no class labels, so there are none to replace");
  }
  if (n->classes == 1) {
    return tier_failf(n->host, TIER_E_INVALID, "field \"y\" has one class only, and no other");
  }
  return TIER_OK;
}

/* Every field of the source but those that this transform adds anew. */
static int32_t declare_others(tier_data *d, tier_fields *f) {
  int64_t count = d->api->field_count(d);
  for (int64_t i = 0; i < count; i++) {
    const char *name = d->api->field_name(d, i);
    int64_t dims[TIER_MAX_RANK];
    int64_t classes = 0;
    int64_t size[3];
    int32_t type = 0;
    int32_t rank = 0;
    if (is_added(name)) {
      continue;
    }
    TIER_TRY(d->api->field(d, name, &type, dims, &rank, &classes));
    TIER_TRY(f->api->field(f, name, type, dims, rank, classes));
    if (d->api->image(d, name, &size[0], &size[1], &size[2])) {
      TIER_TRY(f->api->image(f, name, size[0], size[1], size[2]));
    }
  }
  return TIER_OK;
}

static int32_t describe(void *self, tier_fields *f) {
  struct noise *n = self;
  TIER_TRY(check_labels(n));
  TIER_TRY(f->api->rows(f, n->source->api->rows(n->source)));
  TIER_TRY(declare_others(n->source, f));
  TIER_TRY(f->api->field(f, "y_true", TIER_I32, NULL, 0, n->classes));
  TIER_TRY(f->api->field(f, "clean", TIER_I32, NULL, 0, 2));
  return f->api->field(f, "wrong", TIER_I32, NULL, 0, 2);
}

static int32_t open_rows(void *self) {
  return check_labels(self);
}

/* The label of row `row`, which is `label` in the source. The k-th other class is k, or k + 1 from
 * the label itself on. */
static int32_t noisy(const struct noise *n, int64_t row, int32_t label) {
  double u[2];
  n->random->uniform(n->stream, (uint64_t)row, 0, 2, u);
  if (u[0] >= n->rate) {
    return label;
  }
  int32_t other = (int32_t)(u[1] * (double)(n->classes - 1));
  return other < label ? other : other + 1;
}

static int32_t read_noisy(struct noise *n, const int64_t *rows, int64_t count, int32_t *out) {
  TIER_TRY(n->source->api->read(n->source, "y", rows, count, out));
  for (int64_t i = 0; i < count; i++) {
    out[i] = noisy(n, rows[i], out[i]);
  }
  return TIER_OK;
}

static int32_t read_truth(struct noise *n, const int64_t *rows, int64_t count, int32_t *out) {
  const char *field = n->source->api->has_field(n->source, "y_true") ? "y_true" : "y";
  return n->source->api->read(n->source, field, rows, count, out);
}

/* out[i] <- `same` where y is y_true, else 1 - same. */
static int32_t read_comparison(struct noise *n, const int64_t *rows, int64_t count, int32_t same,
                               int32_t *out) {
  int32_t *truth = malloc((size_t)(count > 0 ? count : 1) * sizeof *truth);
  if (truth == NULL) {
    return tier_failf(n->host, TIER_E_MEMORY, "no memory for %lld labels", (long long)count);
  }
  int32_t status = read_truth(n, rows, count, truth);
  if (status >= 0) {
    status = read_noisy(n, rows, count, out);
  }
  for (int64_t i = 0; status >= 0 && i < count; i++) {
    out[i] = out[i] == truth[i] ? same : 1 - same;
  }
  free(truth);
  return status;
}

static int32_t read_rows(void *self, const char *field, const int64_t *rows, int64_t count,
                         void *out) {
  struct noise *n = self;
  if (strcmp(field, "y") == 0) {
    return read_noisy(n, rows, count, out);
  }
  if (strcmp(field, "y_true") == 0) {
    return read_truth(n, rows, count, out);
  }
  if (is_added(field)) {
    return read_comparison(n, rows, count, strcmp(field, "clean") == 0, out);
  }
  return n->source->api->read(n->source, field, rows, count, out);
}

static int32_t create(const tier_host *host, const tier_params *p, void **object) {
  const tier_random_1 *random = host->get(host, "tier.random/1");
  if (random == NULL) {
    return tier_failf(host, TIER_E_PLUGIN, "this host has no tier.random/1");
  }
  struct noise *n = calloc(1, sizeof *n);
  if (n == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  n->host = host;
  n->random = random;
  n->source = p->api->source(p);
  n->stream = p->api->stream(p);
  n->rate = tier_number(p, "rate");
  *object = n;
  return TIER_OK;
}

static const tier_dataset_1 dataset = {
    .struct_size = (uint32_t)sizeof(tier_dataset_1),
    .describe = describe,
    .open = open_rows,
    .read = read_rows,
};

static const void *get(void *self, const char *interface_id) {
  (void)self;
  return strcmp(interface_id, "tier.dataset/1") == 0 ? &dataset : NULL;
}

static const tier_slot slots[] = {
    {.name = "rate",
     .doc = "the probability with which a label is replaced by another one",
     .unit = "",
     .type = TIER_SLOT_NUMBER,
     .flags = TIER_SLOT_REQUIRED,
     .minimum = 0,
     .maximum = 1},
};

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .flags = TIER_RANDOM,
     .kind = "transform",
     .id = "label-noise",
     .summary = "Wrong labels on purpose, and which ones they are (y_true, clean, wrong).",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get},
};

TIER_PLUGIN("transforms-label-noise", "1.0", "MIT", components);
