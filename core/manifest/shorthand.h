/* Writing out the shorthand: afterwards every application is { id: { slot: value, ... } }, every
 * list is a list, and an estimator named by its linear solver is { "implicit": ... }. With `fill`
 * the defaults are added, too (as nodes without a position).
 *
 * Doing it twice changes nothing. What cannot be read is left as it is; in the pass that has
 * diagnostics it is reported and marked broken. */
#ifndef MANIFEST_SHORTHAND_H
#define MANIFEST_SHORTHAND_H

#include "manifest/reader.h"

/* ---- nodes ---- */

/* Gives the replacement j's key and place, and returns it. */
struct json *node_in_place_of(struct json *replacement, const struct json *j);
/* { key: j } in the place of j. */
struct json *node_wrap(struct reader *r, struct json *j, const char *key);
/* [ j ] in the place of j, unless it is a list. */
struct json *node_listed(struct reader *r, struct json *j);

/* Reads j and returns the node to stand in its place. */
typedef struct json *reading(struct reader *r, struct json *j);
/* Read one member, all members of an object, all elements of a list, where they stand; other types
 * are left alone. The last two return their argument. */
void read_member(struct reader *r, struct json *object, const char *key, reading *read);
struct json *read_members(struct reader *r, struct json *object, reading *read);
struct json *read_elements(struct reader *r, struct json *list, reading *read);
/* With `fill`: sets a member that is absent. */
void fill_in(struct reader *r, struct json *object, const char *key, struct json *value);

/* ---- applications ---- */

/* Writes out the arguments of { id: arguments }, in place. */
void write_out_arguments(struct reader *r, const struct callee *c, struct json *node);
/* Each is a `reading`. `kind`: NULL, or the only kind that is legal. */
struct json *write_application(struct reader *r, struct json *j, enum position position,
                               const char *kind);
struct json *write_expression(struct reader *r, struct json *j);
struct json *write_source(struct reader *r, struct json *j);
struct json *write_estimator(struct reader *r, struct json *j);
/* "cg" as { "cg": {} }; NULL, with an error, if j is neither that nor a one-key object. */
struct json *as_application(struct reader *r, struct json *j, const char *noun);

#endif
