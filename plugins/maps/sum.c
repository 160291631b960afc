#include "fold.h"

FOLD_MAP("sum", "the sum of the operands, element by element", "the terms", tier_add);
