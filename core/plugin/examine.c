/* Everything about a plugin that can be checked without running its code. */
#include <math.h>
#include <stdalign.h>
#include <string.h>

#include "base/error.h"
#include "plugin/kinds.h"
#include "plugin/loader.h"
#include "plugin/slot.h"

/* Sizes of version 1.0 of the ABI, which every plugin has at least. Later members are appended, so
 * these stay as they are for ever. */
#define END_OF(type, member) (uint32_t)(offsetof(type, member) + sizeof(((type *)0)->member))
#define SLOT_1_0 END_OF(tier_slot, maximum)
#define ENTRY_1_0 END_OF(tier_entry, slot_size)
#define COMPONENT_1_0 END_OF(tier_component, get)
#define PLUGIN_1_0 END_OF(tier_plugin, component_size)

#define MOST 4096 /* elements of a table: more is a broken plugin, not a large one */

static const uint32_t slot_flags = TIER_SLOT_REQUIRED | TIER_SLOT_DIFFERENTIABLE |
                                   TIER_SLOT_OPEN_MINIMUM | TIER_SLOT_OPEN_MAXIMUM |
                                   TIER_SLOT_LABELS | TIER_SLOT_FIELD;
static const uint32_t component_flags = TIER_ELEMENTWISE | TIER_PAIRS_ROWS | TIER_COMPARES |
                                        TIER_RANDOM | TIER_COLLECTION | TIER_IMPLICIT |
                                        TIER_NEEDS_STEP | TIER_NO_GRADIENT | TIER_FIXED_POINT |
                                        TIER_SYMMETRIC | TIER_SINGLE_LOOP | TIER_NO_PRECONDITIONER;

/* ---- words and lines ----------------------------------------------------------------------- */

/* [a-z][a-z0-9_]*, or with `dash` [a-z][a-z0-9-]* */
static int is_word(const char *text, size_t length, char joint) {
  if (length == 0 || text[0] < 'a' || text[0] > 'z') {
    return 0;
  }
  for (size_t i = 1; i < length; i++) {
    char c = text[i];
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == joint)) {
      return 0;
    }
  }
  return 1;
}

static int is_name(const char *text) {
  return text != NULL && is_word(text, strlen(text), '_');
}

/* Length of the UTF-8 sequence at p (RFC 3629), 0 if it is malformed. */
static size_t utf8_length(const unsigned char *p) {
  static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
  if (p[0] < 0x80) {
    return 1;
  }
  size_t length = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
  if (p[0] < 0xc2 || p[0] > 0xf4) {
    return 0;
  }
  uint32_t code = p[0] & (0x7fu >> length);
  for (size_t i = 1; i < length; i++) {
    if ((p[i] & 0xc0) != 0x80) {
      return 0;
    }
    code = code << 6 | (p[i] & 0x3fu);
  }
  int surrogate = code >= 0xd800 && code < 0xe000;
  return code < smallest[length] || code > 0x10ffff || surrogate ? 0 : length;
}

/* One line of UTF-8 without control characters; `empty`: may be empty. */
static int32_t check_line(const char *what, const char *text, int empty) {
  if (text == NULL || (text[0] == '\0' && !empty)) {
    return fail(TIER_E_PLUGIN, "%s is missing", what);
  }
  for (const unsigned char *p = (const unsigned char *)text; *p != '\0';) {
    size_t length = utf8_length(p);
    if (length == 0 || *p < 0x20) {
      return fail(TIER_E_PLUGIN, "%s is not one line of UTF-8 text", what);
    }
    p += length;
  }
  return TIER_OK;
}

/* ---- tables --------------------------------------------------------------------------------- */

/* Copies `count` elements of `stride` bytes to elements of `size` bytes: what is missing is zero,
 * what is too much is left out. Checks the stride against version 1.0's. */
static int32_t copy_table(struct arena *a, const char *what, const void *table, uint32_t count,
                          uint32_t stride, uint32_t smallest, size_t size, void **out) {
  *out = NULL;
  if (count == 0) {
    return TIER_OK;
  }
  if (table == NULL || (uintptr_t)table % alignof(void *) != 0) {
    return fail(TIER_E_PLUGIN, "the table of %s is missing or misaligned", what);
  }
  if (count > MOST) {
    return fail(TIER_E_PLUGIN, "%u %s are more than the %d allowed", count, what, MOST);
  }
  if (stride < smallest || stride % alignof(void *) != 0) {
    return fail(TIER_E_PLUGIN, "the size of its %s is %u bytes, which no version 1 of the ABI has",
                what, stride);
  }
  char *copy = arena_alloc(a, count * size);
  memset(copy, 0, count * size);
  for (uint32_t i = 0; i < count; i++) {
    memcpy(copy + i * size, (const char *)table + (size_t)i * stride,
           stride < size ? stride : size);
  }
  *out = copy;
  return TIER_OK;
}

/* ---- slots ---------------------------------------------------------------------------------- */

static int32_t check_choices(const tier_slot *s) {
  if (s->type == TIER_SLOT_APPLICATION) {
    return s->choices != NULL && kind_index(s->choices) >= 0
               ? TIER_OK
               : fail(TIER_E_PLUGIN, "choices must be a kind, such as \"linear-solver\"");
  }
  if (s->choices == NULL) {
    return TIER_OK;
  }
  if (s->type != TIER_SLOT_TEXT && s->type != TIER_SLOT_TEXTS) {
    return fail(TIER_E_PLUGIN, "only texts have choices");
  }
  TIER_TRY(check_line("choices", s->choices, 0));
  size_t length = strlen(s->choices);
  if (s->choices[0] == '|' || s->choices[length - 1] == '|' || strstr(s->choices, "||") != NULL) {
    return fail(TIER_E_PLUGIN, "choices \"%s\" has an empty one", s->choices);
  }
  return TIER_OK;
}

static int32_t check_range(const tier_slot *s) {
  int none = s->minimum == 0 && s->maximum == 0;
  if (none && (s->flags & (TIER_SLOT_OPEN_MINIMUM | TIER_SLOT_OPEN_MAXIMUM)) != 0) {
    return fail(TIER_E_PLUGIN,
                "an open bound without a range: set minimum and maximum (INFINITY "
                "where there is none)");
  }
  if (!none && !slot_is_numeric(s->type)) {
    return fail(TIER_E_PLUGIN, "only numbers and integers have a range");
  }
  return none || s->minimum <= s->maximum
             ? TIER_OK
             : fail(TIER_E_PLUGIN, "its minimum is above its maximum, or one is NaN");
}

static int32_t check_flags(const tier_slot *s) {
  uint32_t unknown = s->flags & ~slot_flags;
  if (unknown != 0) {
    return fail(TIER_E_PLUGIN, "unknown flags 0x%x", unknown);
  }
  if ((s->flags & TIER_SLOT_DIFFERENTIABLE) != 0 && s->type != TIER_SLOT_NUMBER) {
    return fail(TIER_E_PLUGIN, "only a number can be DIFFERENTIABLE");
  }
  if ((s->flags & TIER_SLOT_LABELS) != 0 && !slot_is_expression(s->type)) {
    return fail(TIER_E_PLUGIN, "only an expression can be LABELS");
  }
  if ((s->flags & TIER_SLOT_FIELD) != 0 && s->type != TIER_SLOT_TEXT) {
    return fail(TIER_E_PLUGIN, "only a text can be a FIELD");
  }
  return TIER_OK;
}

static int32_t check_fallback(struct arena *a, const tier_slot *s) {
  struct value v;
  if (s->fallback == NULL) {
    return TIER_OK;
  }
  if ((s->flags & TIER_SLOT_REQUIRED) != 0) {
    return fail(TIER_E_PLUGIN, "REQUIRED, and yet has a fallback");
  }
  TIER_TRY(slot_read_json(a, s->fallback, &v));
  if (slot_is_expression(s->type) || s->type == TIER_SLOT_DATA_LIST) {
    return TIER_OK; /* the manifest layer reads it */
  }
  if (s->type == TIER_SLOT_APPLICATION || s->type == TIER_SLOT_DATA) {
    int application = v.kind == VALUE_NESTED || (v.kind == VALUE_TEXTS && !v.list);
    return application ? TIER_OK : fail(TIER_E_INVALID, "must be an application");
  }
  if (s->type == TIER_SLOT_BOOLEAN && v.kind == VALUE_NUMBERS) {
    return fail(TIER_E_INVALID, "must be true or false");
  }
  return slot_check(s, &v);
}

static int32_t check_slot(struct arena *a, const tier_slot *s) {
  if (slot_type_name(s->type) == NULL) {
    return fail(TIER_E_PLUGIN, "unknown type %d", s->type);
  }
  if (strcmp(s->name, "stream") == 0) {
    return fail(TIER_E_PLUGIN, "\"stream\" is reserved by the manifest");
  }
  TIER_TRY(check_line("its doc", s->doc, 0));
  if (s->unit != NULL) {
    TIER_TRY(check_line("its unit", s->unit, 1));
  }
  TIER_TRY(check_flags(s));
  TIER_TRY(check_range(s));
  TIER_TRY(check_choices(s));
  int32_t status = check_fallback(a, s);
  return status < 0 ? error_context(TIER_E_PLUGIN, "fallback %s", s->fallback) : TIER_OK;
}

static int32_t examine_slots(struct arena *a, const void *table, uint32_t count, uint32_t stride,
                             const tier_slot **out) {
  void *copy = NULL;
  TIER_TRY(copy_table(a, "slots", table, count, stride, SLOT_1_0, sizeof(tier_slot), &copy));
  const tier_slot *slots = copy;
  for (uint32_t i = 0; i < count; i++) {
    if (!is_name(slots[i].name)) {
      return fail(TIER_E_PLUGIN, "slot %u: its name is not [a-z][a-z0-9_]*", i);
    }
    for (uint32_t j = 0; j < i; j++) {
      if (strcmp(slots[i].name, slots[j].name) == 0) {
        return fail(TIER_E_PLUGIN, "two slots are called \"%s\"", slots[i].name);
      }
    }
    if (check_slot(a, &slots[i]) < 0) {
      return error_context(TIER_E_PLUGIN, "slot \"%s\"", slots[i].name);
    }
  }
  *out = slots;
  return TIER_OK;
}

/* ---- entries -------------------------------------------------------------------------------- */

/* "mean log_variance": names, each once, with one space between. */
static int32_t check_outputs(const char *outputs) {
  for (const char *p = outputs; p != NULL;) {
    size_t length = strcspn(p, " ");
    if (!is_word(p, length, '_')) {
      return fail(TIER_E_PLUGIN, "outputs \"%s\" are not names with one space between", outputs);
    }
    for (const char *q = outputs; q < p; q += strcspn(q, " ") + 1) {
      if (strcspn(q, " ") == length && strncmp(p, q, length) == 0) {
        return fail(TIER_E_PLUGIN, "outputs \"%s\" name one twice", outputs);
      }
    }
    p = p[length] == ' ' ? p + length + 1 : NULL;
  }
  return TIER_OK;
}

static int32_t examine_entry(struct arena *a, tier_entry *e) {
  TIER_TRY(check_line("its doc", e->doc, 0));
  TIER_TRY(check_outputs(e->outputs));
  TIER_TRY(examine_slots(a, e->slots, e->slot_count, e->slot_size, &e->slots));
  e->slot_size = (uint32_t)sizeof(tier_slot);
  for (uint32_t i = 0; i < e->slot_count; i++) {
    if (!slot_is_expression(e->slots[i].type) || strcmp(e->slots[i].name, "with") == 0) {
      return fail(TIER_E_PLUGIN,
                  "slot \"%s\": an entry takes expressions only, and none is "
                  "called \"with\"",
                  e->slots[i].name);
    }
  }
  return TIER_OK;
}

static int32_t examine_entries(struct arena *a, tier_component *c) {
  void *copy = NULL;
  int model = strcmp(c->kind, "model") == 0;
  if (model != (c->entry_count > 0)) {
    return fail(TIER_E_PLUGIN, model ? "a model needs at least one entry (\"forward\")"
                                     : "only models have entries");
  }
  TIER_TRY(copy_table(a, "entries", c->entries, c->entry_count, c->entry_size, ENTRY_1_0,
                      sizeof(tier_entry), &copy));
  tier_entry *entries = copy;
  for (uint32_t i = 0; i < c->entry_count; i++) {
    if (!is_name(entries[i].name)) {
      return fail(TIER_E_PLUGIN, "entry %u: its name is not [a-z][a-z0-9_]*", i);
    }
    for (uint32_t j = 0; j < i; j++) {
      if (strcmp(entries[i].name, entries[j].name) == 0) {
        return fail(TIER_E_PLUGIN, "two entries are called \"%s\"", entries[i].name);
      }
    }
    if (examine_entry(a, &entries[i]) < 0) {
      return error_context(TIER_E_PLUGIN, "entry \"%s\"", entries[i].name);
    }
  }
  c->entries = entries;
  c->entry_size = (uint32_t)sizeof(tier_entry);
  return TIER_OK;
}

/* ---- components ------------------------------------------------------------------------------ */

/* The words of the manifest's grammar, as in manifest/names.c: a layer above, which says the same
 * of names. */
static int is_reserved(const char *id) {
  static const char *const reserved[] = {"per",   "shape", "init",   "model",   "within",
                                         "all",   "value", "on",     "after",   "each",
                                         "every", "with",  "stream", "gradient"};
  for (size_t i = 0; i < TIER_COUNT(reserved); i++) {
    if (strcmp(id, reserved[i]) == 0) {
      return 1;
    }
  }
  return 0;
}

static int32_t check_identity(const tier_component *c) {
  if (c->id == NULL || !is_word(c->id, strlen(c->id), '-')) {
    return fail(TIER_E_PLUGIN, "its id is not [a-z][a-z0-9-]*");
  }
  if (is_reserved(c->id)) {
    return fail(TIER_E_PLUGIN, "this id is reserved by the manifest");
  }
  if (c->kind == NULL || kind_index(c->kind) < 0) {
    return fail(TIER_E_PLUGIN, "unknown kind \"%s\"", c->kind != NULL ? c->kind : "");
  }
  return check_line("its summary", c->summary, 0);
}

static int32_t examine_component(struct arena *a, tier_component *c, uint32_t stride) {
  if (c->struct_size < COMPONENT_1_0 || c->struct_size > stride) {
    return fail(TIER_E_PLUGIN, "its struct_size is %u, but must be %u to %u", c->struct_size,
                COMPONENT_1_0, stride);
  }
  TIER_TRY(check_identity(c));
  uint32_t unknown = c->flags & ~component_flags;
  if (unknown != 0) {
    return fail(TIER_E_PLUGIN, "unknown flags 0x%x", unknown);
  }
  if (c->create == NULL || c->get == NULL) {
    return fail(TIER_E_PLUGIN, "it has no function \"%s\"", c->create == NULL ? "create" : "get");
  }
  TIER_TRY(examine_slots(a, c->slots, c->slot_count, c->slot_size, &c->slots));
  TIER_TRY(examine_entries(a, c));
  c->slot_size = (uint32_t)sizeof(tier_slot);
  c->struct_size = (uint32_t)sizeof(tier_component);
  return TIER_OK;
}

/* ---- the plugin ------------------------------------------------------------------------------ */

static int32_t check_header(const tier_plugin *p) {
  if (p->magic != TIER_PLUGIN_MAGIC) {
    return fail(TIER_E_PLUGIN, "its magic is 0x%x, not 0x%x: not a plugin of tier", p->magic,
                TIER_PLUGIN_MAGIC);
  }
  if (p->struct_size < PLUGIN_1_0) {
    return fail(TIER_E_PLUGIN, "its struct_size is %u, but version 1 has at least %u",
                p->struct_size, PLUGIN_1_0);
  }
  if (p->abi_major != TIER_ABI_MAJOR) {
    return fail(TIER_E_PLUGIN, "it is built for ABI %u, and this tier has ABI %u: rebuild it",
                p->abi_major, TIER_ABI_MAJOR);
  }
  if (p->abi_minor > TIER_ABI_MINOR) {
    return fail(TIER_E_PLUGIN, "it needs ABI %u.%u, and this tier has %u.%u: use a newer tier",
                p->abi_major, p->abi_minor, TIER_ABI_MAJOR, TIER_ABI_MINOR);
  }
  TIER_TRY(check_line("its name", p->name, 0));
  TIER_TRY(check_line("its version", p->version, 0));
  TIER_TRY(check_line("its licence", p->licence, 0));
  return p->component_count > 0 ? TIER_OK : fail(TIER_E_PLUGIN, "it has no components");
}

int32_t plugin_examine(struct arena *a, const tier_plugin *entry, struct plugin_tables *out) {
  void *copy = NULL;
  TIER_TRY(check_header(entry));
  TIER_TRY(copy_table(a, "components", entry->components, entry->component_count,
                      entry->component_size, COMPONENT_1_0, sizeof(tier_component), &copy));
  tier_component *components = copy;
  for (uint32_t i = 0; i < entry->component_count; i++) {
    if (examine_component(a, &components[i], entry->component_size) < 0) {
      return components[i].id != NULL
                 ? error_context(TIER_E_PLUGIN, "component \"%s\"", components[i].id)
                 : error_context(TIER_E_PLUGIN, "component %u", i);
    }
  }
  *out = (struct plugin_tables){entry, components, entry->component_count};
  return TIER_OK;
}
