/* What the component "everything" of sample.c saw in create. */
#ifndef TESTS_SAMPLE_H
#define TESTS_SAMPLE_H

#include <tier/params.h>

struct seen {
  int32_t rate_given;
  double rate;
  int64_t count;
  int64_t size_count;
  int64_t sizes[4];
  double weight;
  int64_t name_count;
  char last_name[32];
  int32_t deep;
  char shape[32];
  int32_t file_given;
  const char *file;
  tier_data *data;
  const tier_instance *solver;
  int32_t of_given;
  uint64_t stream;
};

#endif
