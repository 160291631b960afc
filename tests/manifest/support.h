/* What the manifest tests share: the worked manifests, and binding from a text. */
#ifndef TESTS_MANIFEST_SUPPORT_H
#define TESTS_MANIFEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "fake_registry.h"
#include "manifest/manifest.h"

#include <cmocka.h> /* last: it defines a macro named fail */

/* A file, its registry, and what was said about it. */
struct opened {
  struct registry *r;
  struct manifest_file *f;
  struct diagnostics d;
};

static inline struct opened open_text(const char *text, int later) {
  struct opened o = {.r = fake_registry(later)};
  int32_t status = manifest_open_text("m.json", "/data", text, strlen(text), &o.d, &o.f);
  if (status < 0) {
    diagnostics_print(&o.d, stderr);
  }
  assert_int_equal(status, 0);
  return o;
}

static inline char *worked_text(const char *name) {
  char *path = path_join(WORKED, name);
  char *data = NULL;
  size_t size = 0;
  assert_int_equal(file_read(path, 1 << 20, &data, &size), 0);
  free(path);
  return data;
}

static inline struct opened open_worked(const char *name, int later) {
  char *text = worked_text(name);
  struct opened o = open_text(text, later);
  free(text);
  return o;
}

static inline void close_opened(struct opened *o) {
  manifest_close(o->f);
  diagnostics_free(&o->d);
  fake_registry_free(o->r);
}

/* Binds without any error; the sets are a list that ends with NULL, or NULL. */
static inline struct manifest *bind(struct opened *o, size_t variant, const char *const *items,
                                    struct text *skipped) {
  struct manifest *m = NULL;
  struct manifest_sets sets = {items, 0};
  while (items != NULL && items[sets.count] != NULL) {
    sets.count++;
  }
  int32_t status = manifest_bind(o->f, o->r, variant, &sets, &o->d, skipped, &m);
  if (status < 0) {
    diagnostics_print(&o->d, stderr);
  }
  assert_int_equal(status, 0);
  assert_non_null(m);
  return m;
}

/* All that is said, a line each; free() it. */
static inline char *said(const struct diagnostics *d) {
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  diagnostics_print(d, out);
  (void)fclose(out);
  return text;
}

static const char *const worked[] = {"01-ridge.json",
                                     "02-hyper-cleaning-digits.json",
                                     "03-hyper-cleaning-mnist.json",
                                     "04-per-weight-l2.json",
                                     "05-learning-rate.json",
                                     "06-three-levels.json",
                                     "07-vae-auto-evaluator.json",
                                     "08-wgan.json",
                                     "09-discogan.json",
                                     "10-unrolled-gan.json",
                                     "11-maml-sinusoid.json",
                                     "12-self-tuning.json",
                                     "13-ewc.json",
                                     "14-pgd-training.json",
                                     "15-influence.json",
                                     "16-poisoning.json",
                                     "17-adjustor.json",
                                     "18-sam.json"};
#define WORKED_COUNT (sizeof worked / sizeof *worked)

#endif
