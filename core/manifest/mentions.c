/* What bound things mention: a walk over expressions, applications and sources. */
#include "manifest/reader.h"

static void mentions_of_arguments(const struct argument *a, size_t count, mention_fn *f,
                                  void *context) {
  for (size_t i = 0; i < count; i++) {
    for (size_t k = 0; k < a[i].expr_count; k++) {
      mentions_of_expr(a[i].exprs[k], f, context);
    }
    for (size_t k = 0; k < a[i].source_count; k++) {
      mentions_of_source(a[i].sources[k], f, context);
    }
    if (a[i].application != NULL) {
      mentions_of_application(a[i].application, f, context);
    }
    if (a[i].index >= 0 && a[i].slot != NULL) {
      struct mention m = {
          .kind = a[i].slot->type == TIER_SLOT_LEVEL       ? NAME_LEVEL
                  : a[i].slot->type == TIER_SLOT_OBJECTIVE ? NAME_OBJECTIVE
                                                           : NAME_VARIABLE,
          .index = a[i].index,
          .value = 1,
      };
      f(context, &m);
    }
  }
}

void mentions_of_application(const struct application *a, mention_fn *f, void *context) {
  mentions_of_arguments(a->arguments, a->argument_count, f, context);
}

void mentions_of_source(const struct source *s, mention_fn *f, void *context) {
  if (s->data >= 0) {
    struct mention m = {.kind = NAME_DATA, .index = s->data, .value = 1};
    f(context, &m);
  }
  if (s->first != NULL) {
    mentions_of_application(s->first, f, context);
  }
  for (size_t i = 0; i < s->transform_count; i++) {
    mentions_of_application(s->transforms[i], f, context);
  }
}

static void mention(const struct expr *e, enum name_kind kind, mention_fn *f, void *context) {
  struct mention m = {.kind = kind, .index = e->index, .value = e->with == NULL, .expr = e};
  f(context, &m);
}

void mentions_of_expr(const struct expr *e, mention_fn *f, void *context) {
  switch (e->kind) {
    case EXPR_NUMBER:
    case EXPR_NUMBERS:
      break;
    case EXPR_FIELD:
      mention(e, NAME_DATA, f, context);
      break;
    case EXPR_VARIABLE:
    case EXPR_ALL:
    case EXPR_GRADIENT:
      mention(e, NAME_VARIABLE, f, context);
      break;
    case EXPR_VALUE:
      mention(e, NAME_VALUE, f, context);
      break;
    case EXPR_OBJECTIVE:
      mention(e, NAME_OBJECTIVE, f, context);
      break;
    case EXPR_LEVEL:
      mention(e, NAME_LEVEL, f, context);
      break;
    case EXPR_APPLY:
      mentions_of_application(e->application, f, context);
      break;
    case EXPR_CALL:
      mention(e, NAME_VARIABLE, f, context);
      mentions_of_arguments(e->arguments, e->argument_count, f, context);
      if (e->with != NULL) {
        mentions_of_expr(e->with, f, context);
      }
      break;
    default: /* EXPR_MENTIONS, EXPR_UNKNOWN */
      mentions_of_arguments(e->arguments, e->argument_count, f, context);
      f(context, &(struct mention){.kind = (enum name_kind) - 1, .index = -1, .expr = e});
  }
}
