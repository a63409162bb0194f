/* version.c: the version of a file of Windows, from its version resource. */
#include "version.h"

#include "bytes.h"
#include "disk.h"

#include <string.h>

enum {
  DOS_HEADER = 64,
  PE_HEADER = 24, /* with "PE\0\0", without the optional header */
  OPTIONAL_MOST = 112 + 3 * 8,
  SECTION = 40,
  DIRECTORY = 16,
  ENTRY = 8,
  ENTRIES_AT_ONCE = 32,
  FIXED = 40, /* offset of VS_FIXEDFILEINFO in the resource */
  FIXED_SIZE = 52,
  RESOURCE = FIXED + FIXED_SIZE,
};

#define PE32 0x10Bu
#define PE32_PLUS 0x20Bu
#define TYPE_VERSION 16u
#define NAME_VERSION 1u
#define ANY_ENTRY UINT32_MAX
#define IS_DIRECTORY 0x80000000u
#define FIXED_SIGNATURE 0xFEEF04BDu

/* A range of memory addresses, and where its bytes stand in the file. */
typedef struct section {
  uint32_t address, size, offset;
} section;

typedef struct program {
  const km_version_source *source;
  section sections[KM_MAX_PROGRAM_SECTIONS];
  uint32_t section_count;
  uint32_t resources; /* address of the first resource directory */
} program;

static km_status damaged(km_error *error, const char *problem) {
  return km_fail(error, KM_DAMAGED, 0, "%s", problem);
}

/* ---- Headers ---- */

/* Reads bytes of the file; `what` they are, for the message when they lie outside it. */
static km_status read_at(const program *file, void *data, size_t size, uint64_t offset,
                         const char *what, km_error *error) {
  const km_version_source *source = file->source;
  if (offset > source->size || size > source->size - offset)
    return km_fail(error, KM_DAMAGED, 0, "%s (offset %llu) lies outside the file", what,
                   (unsigned long long)offset);
  return source->read(source->user, data, size, offset, error);
}

static km_status read_sections(program *file, uint64_t offset, uint32_t count, km_error *error) {
  uint8_t bytes[KM_MAX_PROGRAM_SECTIONS * SECTION];
  if (count == 0 || count > KM_MAX_PROGRAM_SECTIONS)
    return km_fail(error, KM_DAMAGED, 0, "its number of sections (%lu) is none that Windows takes",
                   (unsigned long)count);
  km_status status =
      read_at(file, bytes, (size_t)count * SECTION, offset, "its section table", error);
  if (status != KM_OK)
    return status;
  for (uint32_t i = 0; i < count; i++) {
    const uint8_t *row = bytes + (size_t)i * SECTION;
    file->sections[i] = (section){km_u32(row + 12), km_u32(row + 16), km_u32(row + 20)};
  }
  file->section_count = count;
  return KM_OK;
}

/* Takes the address of the resources from the optional header, of which `size` bytes are there. */
static km_status take_resources(program *file, const uint8_t *header, uint32_t size,
                                km_error *error) {
  uint32_t magic = size >= 2 ? km_u16(header) : 0;
  if (magic != PE32 && magic != PE32_PLUS)
    return damaged(error, "its optional header is neither that of PE32 nor of PE32+");
  uint32_t directories = magic == PE32 ? 96 : 112;
  if (size < directories + 3 * 8 || km_u32(header + directories - 4) < 3)
    return damaged(error, "it has no resources, so no version");
  file->resources = km_u32(header + directories + 2 * 8);
  return file->resources != 0 ? KM_OK : damaged(error, "it has no resources, so no version");
}

static km_status read_headers(program *file, km_error *error) {
  uint8_t dos[DOS_HEADER], pe[PE_HEADER], optional[OPTIONAL_MOST];
  if (file->source->size < DOS_HEADER)
    return damaged(error, "it is too short for a program file");
  km_status status = read_at(file, dos, sizeof dos, 0, "its header", error);
  if (status != KM_OK)
    return status;
  if (memcmp(dos, "MZ", 2) != 0)
    return damaged(error, "it does not begin as a program file does (MZ)");
  uint64_t at = km_u32(dos + 60);
  status = read_at(file, pe, sizeof pe, at, "its PE header", error);
  if (status != KM_OK)
    return status;
  if (memcmp(pe, "PE\0\0", 4) != 0)
    return damaged(error, "it has no PE header; programs of MS-DOS and 16-bit Windows have none");
  uint32_t whole = km_u16(pe + 20), size = whole < OPTIONAL_MOST ? whole : OPTIONAL_MOST;
  status = read_at(file, optional, size, at + PE_HEADER, "its optional header", error);
  if (status == KM_OK)
    status = take_resources(file, optional, size, error);
  return status == KM_OK ? read_sections(file, at + PE_HEADER + whole, km_u16(pe + 6), error)
                         : status;
}

/* ---- Resources ---- */

/* Reads bytes that Windows would have at a memory address; a section has to hold them all. */
static km_status read_address(const program *file, void *data, size_t size, uint64_t address,
                              const char *what, km_error *error) {
  for (uint32_t i = 0; i < file->section_count; i++) {
    const section *row = &file->sections[i];
    uint64_t into = address - row->address;
    if (address >= row->address && into <= row->size && size <= row->size - into)
      return read_at(file, data, size, row->offset + into, what, error);
  }
  return km_fail(error, KM_DAMAGED, 0, "%s (address %llu) lies in no section", what,
                 (unsigned long long)address);
}

/* Finds the entry with an id in entries first .. end - 1 of a directory; KM_NOT_FOUND. */
static km_status find_id(const program *file, uint64_t directory, uint32_t first, uint32_t end,
                         uint32_t id, uint32_t *value, km_error *error) {
  uint8_t bytes[ENTRIES_AT_ONCE * ENTRY];
  while (first < end) {
    uint32_t count = end - first < ENTRIES_AT_ONCE ? end - first : ENTRIES_AT_ONCE;
    uint64_t at = directory + DIRECTORY + (uint64_t)first * ENTRY;
    km_status status =
        read_address(file, bytes, (size_t)count * ENTRY, at, "a resource directory", error);
    if (status != KM_OK)
      return status;
    for (uint32_t i = 0; i < count; i++) {
      if (id == ANY_ENTRY || km_u32(bytes + (size_t)i * ENTRY) == id) {
        *value = km_u32(bytes + (size_t)i * ENTRY + 4);
        return KM_OK;
      }
    }
    first += count;
  }
  return KM_NOT_FOUND;
}

/* Finds an entry of the directory at `offset` from the first one; *value is its offset and top bit. */
static km_status find_entry(const program *file, uint32_t offset, uint32_t id, uint32_t *value,
                            km_error *error) {
  uint8_t head[DIRECTORY];
  uint64_t directory = (uint64_t)file->resources + offset;
  km_status status =
      read_address(file, head, sizeof head, directory, "a resource directory", error);
  if (status != KM_OK)
    return status;
  uint32_t names = km_u16(head + 12), count = names + km_u16(head + 14);
  if (count > KM_MAX_RESOURCE_ENTRIES)
    return km_fail(error, KM_LIMIT, 0,
                   "a resource directory has %lu entries; keymend looks through %d at most",
                   (unsigned long)count, KM_MAX_RESOURCE_ENTRIES);
  status = find_id(file, directory, id == ANY_ENTRY ? 0 : names, count, id, value, error);
  return status == KM_NOT_FOUND ? damaged(error, "it has no version resource") : status;
}

/* Goes down type, name and language to the data entry; no file makes it go further. */
static km_status find_version(const program *file, uint32_t *data_entry, km_error *error) {
  static const uint32_t ids[] = {TYPE_VERSION, NAME_VERSION, ANY_ENTRY};
  uint32_t at = IS_DIRECTORY;
  for (size_t level = 0; level < sizeof ids / sizeof *ids; level++) {
    if ((at & IS_DIRECTORY) == 0)
      return damaged(error, "its resource directories are fewer than three levels");
    km_status status = find_entry(file, at & ~IS_DIRECTORY, ids[level], &at, error);
    if (status != KM_OK)
      return status;
  }
  if ((at & IS_DIRECTORY) != 0)
    return damaged(error, "its resource directories are more than three levels");
  *data_entry = at;
  return KM_OK;
}

static bool is_version_info(const uint8_t *bytes) {
  static const char key[] = "VS_VERSION_INFO";
  for (size_t i = 0; i < sizeof key; i++) {
    if (km_u16(bytes + 6 + 2 * i) != (uint8_t)key[i])
      return false;
  }
  return km_u16(bytes) >= RESOURCE && km_u16(bytes + 2) >= FIXED_SIZE &&
         km_u32(bytes + FIXED) == FIXED_SIGNATURE;
}

static km_status read_version(const program *file, uint32_t data_entry, uint16_t part[4],
                              km_error *error) {
  uint8_t entry[16], bytes[RESOURCE];
  km_status status = read_address(file, entry, sizeof entry, (uint64_t)file->resources + data_entry,
                                  "the entry of its version resource", error);
  if (status != KM_OK)
    return status;
  if (km_u32(entry + 4) < RESOURCE)
    return damaged(error, "its version resource is too short");
  status = read_address(file, bytes, sizeof bytes, km_u32(entry), "its version resource", error);
  if (status != KM_OK)
    return status;
  if (!is_version_info(bytes))
    return damaged(error, "its version resource is damaged");
  for (size_t i = 0; i < 4; i++) /* 32-bit words, the higher half first */
    part[i] = (uint16_t)km_u16(bytes + FIXED + 8 + 4 * (i / 2) + (i % 2 == 0 ? 2 : 0));
  return KM_OK;
}

km_status km_version_parse(const km_version_source *source, uint16_t part[4], km_error *error) {
  program file = {.source = source};
  uint32_t data_entry = 0;
  memset(part, 0, 4 * sizeof *part);
  if (source->size > KM_MAX_PROGRAM_FILE)
    return km_fail(error, KM_LIMIT, 0, "it has %llu bytes; keymend looks into files up to %lu MiB",
                   (unsigned long long)source->size, (unsigned long)(KM_MAX_PROGRAM_FILE >> 20));
  km_status status = read_headers(&file, error);
  if (status == KM_OK)
    status = find_version(&file, &data_entry, error);
  return status == KM_OK ? read_version(&file, data_entry, part, error) : status;
}

/* ---- Files of a target ---- */

static km_status read_descriptor(void *user, void *data, size_t size, uint64_t offset,
                                 km_error *error) {
  const int *fd = user;
  return km_disk_read_at(*fd, data, size, offset, error);
}

km_status km_version_stat(int fd, km_version_info *out, km_error *error) {
  km_status status = km_disk_size(fd, &out->size, error);
  if (status == KM_UNSUPPORTED)
    return damaged(error, "it is not an ordinary file");
  return status == KM_OK ? km_disk_written(fd, &out->written, error) : status;
}

km_status km_version_of_file(int fd, km_version_info *out, km_error *error) {
  km_status status = km_version_stat(fd, out, error);
  const km_version_source source = {read_descriptor, &fd, out->size};
  return status == KM_OK ? km_version_parse(&source, out->part, error) : status;
}

km_status km_file_version(km_target *target, const char *path, km_version_info *out,
                          km_error *error) {
  memset(out, 0, sizeof *out);
  if (path == NULL || *path == '\0')
    return km_fail(error, KM_MISUSE, 0, "read a file's version: its path is missing");
  if (target->backend->file_version == NULL)
    return km_fail(error, KM_UNSUPPORTED, 0,
                   "read the version of %s: this target's files cannot be read by their path",
                   path);
  return target->backend->file_version(target, path, out, error);
}
