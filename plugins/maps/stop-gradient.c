#include "elementwise.h"

ELEMENTWISE_MAP("stop-gradient", "each element as it is, taken as constant by every derivative",
                tier_stop_gradient);
