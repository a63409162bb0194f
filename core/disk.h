/* disk.h: files and folders of the system that keymend runs on; internal to core/.
 *
 * One set of operations a system: core/offline (POSIX) and core/windows. Both backends that a system has use
 * it, so their tables hold these functions. Contracts: backend.h.
 */
#ifndef KM_DISK_H
#define KM_DISK_H

#include "backend.h"

#include <stdio.h>

/* ---- Files that are read by descriptor: hives, programs. The error's message is the system's words alone ---- */

/* The bytes of an open file. KM_UNSUPPORTED: it is no ordinary file. */
km_status km_disk_size(int fd, uint64_t *size, km_error *error);
/* When it was last written. */
km_status km_disk_written(int fd, km_time *written, km_error *error);
/* Reads exactly `size` bytes at `offset`; KM_IO, also when the file has become shorter. */
km_status km_disk_read_at(int fd, void *data, size_t size, uint64_t offset, km_error *error);
void km_disk_close(int fd);

/* Opens a file of this machine, not of a target, for reading; `path` is UTF-8. `operation` ("open the times file")
 * is for the message. Release: fclose. */
km_status km_disk_fopen(const char *path, const char *operation, FILE **out, km_error *error);

/* ---- The operations of a backend ---- */

/* How long what another process has open is tried again: 5 seconds unless told. POSIX has no such thing. */
void km_disk_patience(unsigned seconds);

/* KM_MISUSE unless `name` is one component as the operations take it. */
km_status km_disk_check_name(const char *name, km_error *error);

void km_disk_folder_close(km_folder *folder);
km_status km_disk_folder_list(km_folder *folder, km_listing **out, km_error *error);
km_status km_disk_listing_next(km_listing *listing, const char **name, size_t *length,
                               bool *is_folder, km_error *error);
void km_disk_listing_close(km_listing *listing);

km_status km_disk_file_info(km_folder *folder, const char *name, km_file_info *out,
                            km_error *error);
km_status km_disk_file_read(km_folder *folder, const char *name, size_t max, uint8_t **data,
                            size_t *size, km_file_info *info, km_error *error);
km_status km_disk_meta_read(km_folder *folder, const char *name, km_file_meta *out,
                            km_error *error);
km_status km_disk_meta_settable(km_folder *folder, const char *name, const km_file_meta *meta,
                                km_error *error);

km_status km_disk_volume_check(km_folder *folder, uint64_t need, km_error *error);
km_status km_disk_private_folder(km_folder *parent, const char *name, bool create, km_folder **out,
                                 km_error *error);
km_status km_disk_file_copy(km_folder *from, const char *name, km_folder *to, const char *new_name,
                            char sha256[KM_SHA256_TEXT], km_error *error);
km_status km_disk_file_link(km_folder *from, const char *name, km_folder *to, const char *new_name,
                            km_error *error);
km_status km_disk_file_rename(km_folder *from, const char *name, km_folder *to,
                              const char *new_name, bool replace, km_error *error);
km_status km_disk_file_rename_known(km_folder *from, const char *name, km_folder *to,
                                    const char *new_name, bool replace,
                                    const char sha256[KM_SHA256_TEXT], km_error *error);
km_status km_disk_file_remove(km_folder *folder, const char *name, km_error *error);
km_status km_disk_folder_remove(km_folder *parent, const char *name, km_error *error);
km_status km_disk_meta_write(km_folder *folder, const char *name, const km_file_meta *meta,
                             km_error *error);
km_status km_disk_folder_flush(km_folder *folder, km_error *error);
km_status km_disk_journal_create(km_folder *folder, const char *name, size_t size, km_file **out,
                                 km_error *error);
km_status km_disk_journal_open(km_folder *folder, const char *name, km_file **out, km_error *error);
km_status km_disk_journal_write(km_file *file, uint64_t offset, const void *data, size_t size,
                                km_error *error);
void km_disk_journal_close(km_file *file);

#endif
