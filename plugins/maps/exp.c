#include "elementwise.h"

ELEMENTWISE_MAP("exp", "e to the power of each element", tier_exp);
