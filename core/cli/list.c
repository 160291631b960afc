/* tier list: the components that manifests can name. */
#include <string.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/session.h"

static int is_wanted(const struct options *o, const struct component *c) {
  return o->operands.count == 0 || strcmp(o->operands.items[0], c->c.kind) == 0;
}

static void print_document(const struct session *s) {
  struct arena *a = arena_new();
  struct json *document = json_make(a, JSON_OBJECT);
  struct json *list = json_make(a, JSON_LIST);
  const struct component *c = NULL;
  for (size_t i = 0; (c = registry_component(s->registry, i)) != NULL; i++) {
    if (is_wanted(s->options, c)) {
      struct json *j = json_make(a, JSON_OBJECT);
      put_text(a, j, "kind", c->c.kind);
      put_text(a, j, "id", c->c.id);
      put_text(a, j, "summary", c->c.summary);
      put_text(a, j, "plugin", c->plugin->name);
      put_text(a, j, "file", c->plugin->path);
      json_append(a, list, j);
    }
  }
  json_set(a, document, "components", list);
  print_json(document);
  arena_free(a);
}

static void print_list(const struct session *s) {
  const struct component *c = NULL;
  const char *kind = "";
  for (size_t i = 0; (c = registry_component(s->registry, i)) != NULL; i++) {
    if (is_wanted(s->options, c)) {
      if (strcmp(kind, c->c.kind) != 0) {
        (void)printf("%s%s\n", kind[0] != '\0' ? "\n" : "", c->c.kind);
        kind = c->c.kind;
      }
      (void)printf("  %-22s %s\n", c->c.id, c->c.summary);
    }
  }
}

/* Is the operand the kind of any component? */
static int is_kind(const struct session *s) {
  const struct component *c = NULL;
  const char *kinds[64];
  size_t count = 0;
  for (size_t i = 0; (c = registry_component(s->registry, i)) != NULL; i++) {
    if (is_wanted(s->options, c)) {
      return 1;
    }
    if (count < 64 && (count == 0 || strcmp(kinds[count - 1], c->c.kind) != 0)) {
      kinds[count++] = c->c.kind;
    }
  }
  int64_t nearest = text_nearest(s->options->operands.items[0], kinds, count);
  (void)fprintf(stderr, "tier: no component is of kind \"%s\"", s->options->operands.items[0]);
  if (nearest >= 0) {
    (void)fprintf(stderr, "; did you mean \"%s\"?", kinds[nearest]);
  }
  (void)fprintf(stderr, "\n");
  return 0;
}

int verb_list(const struct options *o) {
  struct session s;
  int code = 0;
  int32_t status = session_open(o, &s);
  if (status != TIER_OK) {
    code = print_failure(status);
  } else if (o->operands.count > 0 && !is_kind(&s)) {
    code = EXIT_USAGE;
  } else if (o->json) {
    print_document(&s);
  } else {
    print_list(&s);
  }
  session_close(&s);
  return code;
}
