#include "elementwise.h"

ELEMENTWISE_MAP("softplus", "log(1 + exp(x)) of each element", tier_softplus);
