#include "fold.h"

FOLD_MAP("times", "the product of the operands, element by element", "the factors", tier_multiply);
