#ifndef BOURSE_CCRYPTO_H
#define BOURSE_CCRYPTO_H
#include <stddef.h>
#include <stdint.h>
#endif
