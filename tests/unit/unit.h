/* unit.h: what cmocka needs before its header, in the order it wants. */
#ifndef KM_UNIT_H
#define KM_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
