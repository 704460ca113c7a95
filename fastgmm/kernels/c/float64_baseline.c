#define SINGLE 0
#define AVX512 0
#define AVX2 0
#define INSTANCE float64_baseline
#include "body.h"
