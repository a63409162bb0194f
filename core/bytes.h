/* bytes.h: numbers of the formats of Windows, little endian at any address; internal to core/. */
#ifndef KM_BYTES_H
#define KM_BYTES_H

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

#endif
