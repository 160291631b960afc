#include "elementwise.h"

ELEMENTWISE_MAP("log", "the natural logarithm of each element", tier_log);
