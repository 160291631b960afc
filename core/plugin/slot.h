/* Values of slots, and whether a slot takes them. */
#ifndef PLUGIN_SLOT_H
#define PLUGIN_SLOT_H

#include <tier/params.h>

#include "base/memory.h"

enum value_kind {
  VALUE_NONE,
  VALUE_NUMBERS,  /* numbers; integers and booleans (0, 1) set by the host, too */
  VALUE_BOOLEANS, /* true and false in JSON text; `numbers` holds 1 and 0 */
  VALUE_TEXTS,
  VALUE_DATA,
  VALUE_INSTANCE,
  VALUE_GIVEN,  /* an expression stands here */
  VALUE_NESTED, /* JSON text that only the manifest layer can read: an application */
};

struct value {
  enum value_kind kind;
  int list; /* written as a list */
  size_t count;
  double *numbers;
  char **texts;
  tier_data **data;
  const tier_instance *instance;
};

/* Reads a fallback's JSON text into the arena: a number, text, true or false, or a list of one of
 * these; anything else that is JSON is VALUE_NESTED. TIER_E_INVALID if it is not JSON. */
int32_t slot_read_json(struct arena *a, const char *json, struct value *out);
/* Type, range and choices. TIER_E_INVALID with a text that starts with the slot's name. */
int32_t slot_check(const tier_slot *s, const struct value *v);
const char *slot_type_name(int32_t type); /* "an integer"; NULL if there is no such type */
int slot_is_numeric(int32_t type);        /* NUMBER(S), INTEGER(S) */
int slot_is_expression(int32_t type);     /* EXPRESSION(S) */

#endif
