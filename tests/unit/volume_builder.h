/* volume_builder.h: folders of a made-up Windows volume for the unit tests. */
#ifndef KM_VOLUME_BUILDER_H
#define KM_VOLUME_BUILDER_H

#include <stddef.h>

/* A new empty folder in $TMPDIR or /tmp; release it with volume_remove. */
char *volume_new(void);

/* Removes the folder and all in it. */
void volume_remove(char *root);

/* Makes a folder beneath the root and those above it ("WINNT/system32/config"). */
void volume_folder(const char *root, const char *path);

/* The host path of something beneath the root; free(). */
char *volume_path(const char *root, const char *path);

/* Writes a file beneath the root; its folder is made where it is missing. */
void volume_file(const char *root, const char *path, const void *data, size_t size);

#endif
