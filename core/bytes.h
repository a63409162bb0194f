/* bytes.h: numbers of the formats of Windows, little endian at any address, and zeros; internal to core/. */
#ifndef KM_BYTES_H
#define KM_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline uint32_t km_u16(const uint8_t *at) {
  return at[0] | (uint32_t)at[1] << 8;
}

static inline uint32_t km_u32(const uint8_t *at) {
  return km_u16(at) | km_u16(at + 2) << 16;
}

static inline uint64_t km_u64(const uint8_t *at) {
  return km_u32(at) | (uint64_t)km_u32(at + 4) << 32;
}

static inline bool km_all_zero(const uint8_t *data, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (data[i] != 0)
      return false;
  }
  return true;
}

#endif
