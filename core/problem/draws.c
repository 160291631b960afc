#include "problem/draws.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/profile.h"
#include "base/random.h"
#include "problem/sources.h"

void context_all(const struct problem *p, struct arena *arena, struct context *c) {
  c->data = arena_alloc(arena, (p->m->data_count + 1) * sizeof *c->data);
  for (size_t i = 0; i < p->m->data_count; i++) {
    c->data[i] = (struct rows){.source = (int)i};
  }
}

static int64_t batch_of(const struct manifest_level *level, int data) {
  int64_t rows = BATCH_ALL;
  for (size_t i = 0; i < level->batch_count; i++) {
    if (level->batches[i].data == data || level->batches[i].data < 0) {
      rows = level->batches[i].rows;
      if (level->batches[i].data == data) {
        break;
      }
    }
  }
  return rows;
}

int32_t context_of_level(struct problem *p, const struct manifest_level *level, int64_t batch,
                         struct context *c) {
  context_all(p, p->arena, c);
  for (size_t i = 0; i < p->m->data_count; i++) {
    int64_t rows = batch > 0 ? batch : batch_of(level, (int)i);
    if (rows == BATCH_PARENT) {
      return fail(TIER_E_UNSUPPORTED, "level \"%s\": batch \"parent\" is not supported yet",
                  level->name);
    }
    if (rows > INT32_MAX) {
      return fail(TIER_E_INVALID, "level \"%s\": a batch of %lld rows is more than %d", level->name,
                  (long long)rows, INT32_MAX);
    }
    if (rows != BATCH_ALL) {
      c->data[i].count = rows;
      c->data[i].indexed = 1;
    }
  }
  return TIER_OK;
}

static int32_t batch_too_large(const struct held_data *held, int64_t count) {
  return fail(TIER_E_INVALID, "batch of %lld rows from data \"%s\", which has %lld",
              (long long)count, held->declared->name, (long long)held->rows);
}

int32_t context_check(const struct problem *p, const struct builder *reads) {
  for (size_t i = 0; i < reads->input_count; i++) {
    const struct input *in = &reads->inputs[i];
    if (in->kind == INPUT_FIELD || in->kind == INPUT_ROWS) {
      const struct rows *rows = &reads->context->data[in->index];
      const struct held_data *held = &p->data[rows->source];
      if (rows->indexed && !held->rows_unknown && held->rows >= 0 && rows->count > held->rows) {
        return batch_too_large(held, rows->count);
      }
    }
  }
  return TIER_OK;
}

/* ---- bindings ---- */

static int32_t prepare_data(struct problem *p, struct binding *b, int index) {
  struct rows *rows = &b->context->data[index];
  struct held_data *held = &p->data[rows->source];
  struct drawn *d = &b->data[index];
  if (d->fields != NULL) {
    return TIER_OK;
  }
  d->fields = memory_alloc(held->field_count, sizeof *d->fields);
  d->owned = rows->indexed;
  if (rows->indexed) {
    d->index = memory_alloc((size_t)rows->count, sizeof *d->index);
  }
  return TIER_OK;
}

static int32_t prepare_field(struct problem *p, struct binding *b, int index, int field) {
  struct rows *rows = &b->context->data[index];
  struct held_data *held = &p->data[rows->source];
  struct held_field *f = &held->fields[field];
  struct drawn *d = &b->data[index];
  TIER_TRY(prepare_data(p, b, index));
  profile_begin(p->options.profile, "read data", held->declared->name);
  int32_t status = sources_hold(p, held, field);
  profile_end(p->options.profile);
  TIER_TRY(status);
  if (!rows->indexed) {
    d->fields[field] = f->values;
  } else if (d->fields[field] == NULL) {
    TIER_TRY(rows_alloc(rows->count, f->row_size, f->element_bytes, "a batch", &d->fields[field]));
  }
  return TIER_OK;
}

int32_t binding_prepare(struct problem *p, struct binding *b, struct context *c,
                        const struct builder *reads) {
  if (b->data == NULL) {
    b->data = memory_alloc(p->m->data_count, sizeof *b->data);
  }
  b->context = c;
  b->serial = ++p->serial;
  for (size_t i = 0; i < reads->input_count; i++) {
    const struct input *in = &reads->inputs[i];
    if (in->kind == INPUT_FIELD) {
      TIER_TRY(prepare_field(p, b, in->index, in->part));
    } else if (in->kind == INPUT_ROWS) {
      TIER_TRY(prepare_data(p, b, in->index));
    }
  }
  return TIER_OK;
}

void binding_free(struct problem *p, struct binding *b) {
  for (size_t i = 0; b->data != NULL && i < p->m->data_count; i++) {
    struct drawn *d = &b->data[i];
    if (d->owned && d->fields != NULL) {
      const struct held_data *held = &p->data[b->context->data[i].source];
      for (size_t f = 0; f < held->field_count; f++) {
        large_free(d->fields[f]);
      }
    }
    free(d->fields);
    free(d->index);
    free(d->permutation);
  }
  free(b->data);
  *b = (struct binding){0};
}

/* Rows of draw number `draw`: a slice of the permutation of its epoch. Data without an end give
 * fresh rows each time. */
static int32_t choose_rows(const struct held_data *held, struct drawn *d, int64_t count,
                           uint64_t stream, int64_t draw) {
  if (held->rows == TIER_ROWS_ENDLESS) {
    for (int64_t i = 0; i < count; i++) {
      d->index[i] = (int32_t)((draw * count + i) % INT32_MAX);
    }
    return TIER_OK;
  }
  if (count > held->rows) {
    return batch_too_large(held, count);
  }
  int64_t batches = held->rows / count;
  if (d->permutation == NULL || d->epoch != draw / batches || d->stream != stream) {
    if (d->permutation == NULL) {
      d->permutation = memory_alloc((size_t)held->rows, sizeof *d->permutation);
    }
    d->epoch = draw / batches;
    d->stream = stream;
    random_permutation(stream, (uint64_t)d->epoch, held->rows, d->permutation);
  }
  for (int64_t i = 0; i < count; i++) {
    d->index[i] = (int32_t)d->permutation[draw % batches * count + i];
  }
  return TIER_OK;
}

static int32_t gather(struct problem *p, const struct held_data *held, struct drawn *d,
                      int64_t count) {
  for (size_t f = 0; f < held->field_count; f++) {
    const struct held_field *field = &held->fields[f];
    size_t row_bytes = (size_t)field->row_size * field->element_bytes;
    if (d->fields[f] == NULL) {
      continue;
    }
    for (int64_t i = 0; i < count; i++) {
      char *to = (char *)d->fields[f] + (size_t)i * row_bytes;
      int64_t row = d->index[i];
      if (field->values != NULL) {
        memcpy(to, (const char *)field->values + (size_t)row * row_bytes, row_bytes);
      } else {
        TIER_TRY(sources_read(p, held, (int)f, &row, 1, to));
      }
    }
  }
  return TIER_OK;
}

int32_t binding_draw(struct problem *p, struct binding *b, const char *stream, int64_t draw) {
  uint64_t key = random_stream(stream, p->seed);
  b->noise = random_derive(key, "noise");
  b->noise_draw = (uint64_t)draw;
  b->serial = ++p->serial;
  for (size_t i = 0; i < p->m->data_count; i++) {
    const struct rows *rows = &b->context->data[i];
    const struct held_data *held = &p->data[rows->source];
    if (rows->indexed && b->data[i].fields != NULL) {
      uint64_t of_data = random_derive(key, held->declared->name);
      TIER_TRY(choose_rows(held, &b->data[i], rows->count, of_data, draw));
      profile_begin(p->options.profile, "gather rows", held->declared->name);
      int32_t status = gather(p, held, &b->data[i], rows->count);
      profile_end(p->options.profile);
      TIER_TRY(status);
    }
  }
  return TIER_OK;
}
