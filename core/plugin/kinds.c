/* Kinds of components, and the positions of a manifest in which they stand. */
#include "plugin/kinds.h"

#include <string.h>

static const struct {
  const char *kind;
  enum position position;
} kinds[] = {
    {"dataset", POSITION_DATA},        {"transform", POSITION_DATA},
    {"model", POSITION_MODEL},         {"loss", POSITION_FUNCTION},
    {"map", POSITION_FUNCTION},        {"metric", POSITION_FUNCTION},
    {"evaluator", POSITION_FUNCTION},  {"optimizer", POSITION_OPTIMIZER},
    {"estimator", POSITION_ESTIMATOR}, {"linear-solver", POSITION_ESTIMATOR},
    {"solver", POSITION_SOLVER},       {"set", POSITION_SET},
    {"writer", POSITION_WRITER},
};

int kind_index(const char *kind) {
  for (int i = 0; i < (int)TIER_COUNT(kinds); i++) {
    if (strcmp(kinds[i].kind, kind) == 0) {
      return i;
    }
  }
  return -1;
}

enum position position_of_kind(const char *kind) {
  int i = kind_index(kind);
  return i < 0 ? POSITION_COUNT : kinds[i].position;
}

const char *position_name(enum position p) {
  static const char *const names[POSITION_COUNT] = {
      [POSITION_DATA] = "dataset or transform",
      [POSITION_MODEL] = "model",
      [POSITION_FUNCTION] = "function",
      [POSITION_OPTIMIZER] = "optimizer",
      [POSITION_ESTIMATOR] = "estimator or linear solver",
      [POSITION_SOLVER] = "solver",
      [POSITION_SET] = "set",
      [POSITION_WRITER] = "writer",
  };
  return p < POSITION_COUNT ? names[p] : "component";
}
