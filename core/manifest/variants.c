/* A manifest file, and its variants: the base, those of `compare`, the cells of `sweep`. */
#include "manifest/variants.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"

#define MAX_BYTES ((size_t)16 << 20)
#define MAX_CELLS 10000
#define MAX_DEFINITIONS 4000

/* ---- opening ---- */

/* "runs/ridge.json" is named ridge. */
static const char *name_of_path(struct arena *a, const char *path) {
  const char *base = strrchr(path, '/');
  base = base != NULL ? base + 1 : path;
  size_t n = strlen(base);
  n -= n > 5 && strcmp(base + n - 5, ".json") == 0 ? 5 : 0;
  return arena_text_n(a, base, n);
}

/* The reader's text is "LINE:COLUMN: reason". */
static void add_syntax_error(struct diagnostics *d, const char *file) {
  int line = 0;
  int column = 0;
  int length = 0;
  const char *text = error_text();
  if (sscanf(text, "%d:%d: %n", &line, &column, &length) < 2) {
    length = 0;
  }
  diagnostics_add(d, SEVERITY_ERROR, file, line, column, "", "", "%s", text + length);
  error_clear();
}

static void count_cells(struct manifest_file *f) {
  const struct json *sweep = json_member(f->root, "sweep");
  f->cell_count = sweep != NULL && sweep->type == JSON_OBJECT && sweep->count > 0;
  for (size_t i = 0; f->cell_count > 0 && i < sweep->count; i++) {
    const struct json *values = sweep->items[i];
    size_t n = values->type == JSON_LIST ? values->count : 0;
    f->cell_count = n > 0 && f->cell_count > SIZE_MAX / n ? SIZE_MAX : f->cell_count * n;
  }
}

/* Definitions are followed by recursion, so their number is limited. */
static size_t count_definitions(const struct json *root) {
  static const char *const sections[] = {"data", "variables", "values", "objectives"};
  size_t count = 0;
  for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
    const struct json *section = json_member(root, sections[i]);
    count += section != NULL ? section->count : 0;
  }
  return count;
}

static int32_t check_root(struct manifest_file *f, struct diagnostics *d) {
  struct json *root = f->root;
  if (root->type != JSON_OBJECT) {
    diagnostics_add(d, SEVERITY_ERROR, root->file, root->line, root->column, "", "",
                    "a manifest is a JSON object { ... }");
    return TIER_E_INVALID;
  }
  count_cells(f);
  if (f->cell_count > MAX_CELLS) {
    const struct json *sweep = json_member(root, "sweep");
    diagnostics_add(d, SEVERITY_ERROR, root->file, sweep->line, sweep->column, "sweep", "",
                    "\"sweep\" has more than %d cells", MAX_CELLS);
    return TIER_E_INVALID;
  }
  if (count_definitions(root) > MAX_DEFINITIONS) {
    diagnostics_add(d, SEVERITY_ERROR, root->file, root->line, root->column, "", "",
                    "more than %d data, variables, values and objectives", MAX_DEFINITIONS);
    return TIER_E_INVALID;
  }
  return TIER_OK;
}

int32_t manifest_open_text(const char *name, const char *directory, const char *text, size_t size,
                           struct diagnostics *d, struct manifest_file **out) {
  struct arena *a = arena_new();
  struct manifest_file *f = arena_alloc(a, sizeof *f);
  *out = NULL;
  f->arena = a;
  f->path = arena_text(a, name);
  f->directory = arena_text(a, directory);
  f->name = name_of_path(a, name);
  error_clear();
  int32_t status = json_parse(a, f->path, text, size, &f->root);
  if (status < 0) {
    add_syntax_error(d, f->path);
  } else {
    status = check_root(f, d);
  }
  if (status < 0) {
    manifest_close(f);
    return status;
  }
  *out = f;
  return TIER_OK;
}

int32_t manifest_open(const char *path, struct diagnostics *d, struct manifest_file **out) {
  char *data = NULL;
  size_t size = 0;
  *out = NULL;
  error_clear();
  int32_t status = file_read(path, MAX_BYTES, &data, &size);
  if (status < 0) {
    diagnostics_add(d, SEVERITY_ERROR, path, 0, 0, "", "", "%s", error_text());
    error_clear();
    return status;
  }
  const char *slash = strrchr(path, '/');
  size_t n = slash != NULL ? (size_t)(slash - path) : 0;
  char *directory = slash == NULL ? memory_copy_text(".")
                    : n == 0      ? memory_copy_text("/")
                                  : memory_format("%.*s", (int)n, path);
  status = manifest_open_text(path, directory, data, size, d, out);
  free(directory);
  free(data);
  return status;
}

void manifest_close(struct manifest_file *f) {
  if (f != NULL) {
    arena_free(f->arena);
  }
}

/* ---- variants ---- */

static const struct json *compare_of(const struct manifest_file *f) {
  const struct json *compare = json_member(f->root, "compare");
  return compare != NULL && compare->type == JSON_OBJECT ? compare : NULL;
}

static size_t compare_count(const struct manifest_file *f) {
  const struct json *compare = compare_of(f);
  return compare != NULL ? compare->count : 0;
}

size_t manifest_variant_count(const struct manifest_file *f) {
  return 1 + compare_count(f) + f->cell_count;
}

/* The value of path `i` in a cell: the last path varies fastest. */
static struct json *cell_value(const struct json *sweep, size_t cell, size_t i) {
  for (size_t k = sweep->count - 1; k > i; k--) {
    cell /= sweep->items[k]->count;
  }
  return sweep->items[i]->items[cell % sweep->items[i]->count];
}

static const char *cell_name(const struct manifest_file *f, size_t cell) {
  const struct json *sweep = json_member(f->root, "sweep");
  struct text name = {0};
  for (size_t i = 0; i < sweep->count; i++) {
    const struct json *value = cell_value(sweep, cell, i);
    text_format(&name, "%s%s=", i > 0 ? "," : "", sweep->items[i]->key);
    if (value->type == JSON_STRING) {
      text_add(&name, value->text);
    } else {
      json_write(value, 0, 0, &name);
    }
  }
  const char *text = arena_text(f->arena, text_get(&name));
  text_free(&name);
  return text;
}

const char *manifest_variant_name(const struct manifest_file *f, size_t index) {
  size_t compared = compare_count(f);
  if (index == 0) {
    return "base";
  }
  return index <= compared ? compare_of(f)->items[index - 1]->key
                           : cell_name(f, index - 1 - compared);
}

int64_t manifest_variant_find(const struct manifest_file *f, const char *name) {
  for (size_t i = 0; i < manifest_variant_count(f); i++) {
    if (strcmp(manifest_variant_name(f, i), name) == 0) {
      return (int64_t)i;
    }
  }
  return -1;
}

/* ---- their overrides ---- */

static struct override make_override(struct arena *a, const char *path, const struct json *value,
                                     const struct json *key) {
  struct override o = {.path = path, .value = json_copy(a, value)};
  o.value->key = path;
  o.value->key_line = key->key_line;
  o.value->key_column = key->key_column;
  return o;
}

size_t variant_overrides(const struct manifest_file *f, size_t variant, struct arena *a,
                         struct override **out) {
  size_t compared = compare_count(f);
  const struct json *from = NULL;
  if (variant > 0) {
    from = variant <= compared ? compare_of(f)->items[variant - 1] : json_member(f->root, "sweep");
  }
  size_t count = from != NULL && from->type == JSON_OBJECT ? from->count : 0;
  *out = arena_alloc(a, (count + 1) * sizeof **out);
  for (size_t i = 0; i < count; i++) {
    const struct json *item = from->items[i];
    const struct json *value =
        variant <= compared ? item : cell_value(from, variant - 1 - compared, i);
    (*out)[i] = make_override(a, item->key, value, item);
  }
  return count;
}
