#include "histograms.h"

HISTOGRAM_DIVERGENCE("kl",
                     "Kullback-Leibler divergence of histograms in nats; infinite off support",
                     histogram_kl);
