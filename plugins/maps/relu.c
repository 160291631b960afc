#include "elementwise.h"

ELEMENTWISE_MAP("relu", "the greater of 0 and each element; its derivative at 0 is 0", tier_relu);
