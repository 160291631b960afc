/* The items of compare --estimators: "dense,cg:iterations=5,neumann:terms=20:step={...}". */
#ifndef CLI_ITEMS_H
#define CLI_ITEMS_H

#include "manifest/json.h"

struct item {
  const char *text;         /* as written */
  const char *id;           /* "cg" */
  struct json *application; /* "cg", or {"cg": {"iterations": 5}} */
};

/* Splits at commas outside brackets and quotes; each item is an id, or ID:PARAM=JSON:PARAM=JSON,
 * where a value that is not JSON is a text. TIER_E_INVALID names the item that is neither. */
int32_t items_parse(struct arena *a, const char *list, struct item **out, size_t *count);
/* The first `separator` in text outside brackets and quotes, or its end. */
const char *item_end(const char *text, char separator);
/* A value (JSON, else a text) at a path of an item's parameters: "terms", "solver.cg.tolerance". */
struct item_change {
  const char *path, *value;
};
/* The item with these changes, written out. A bare item that `own` (the manifest's application on
 * the edge, with its defaults; or NULL) applies, or applies in a slot, starts from what is there.
 */
struct item item_vary(struct arena *a, const struct item *item, const struct json *own,
                      const struct item_change *changes, size_t count);
/* The application with one more parameter. */
struct json *item_with(struct arena *a, const struct item *item, const char *parameter,
                       struct json *value);

#endif
