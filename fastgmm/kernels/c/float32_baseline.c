#define SINGLE 1
#define AVX512 0
#define AVX2 0
#define INSTANCE float32_baseline
#include "body.h"
