#include "elementwise.h"

ELEMENTWISE_MAP("square", "the square of each element", tier_square);
