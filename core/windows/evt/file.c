/* file.c: stands in for libbfio's files, which libevt and libevtx name and keymend never opens on Windows
 *
 * All reading goes through the handle of core/offline/eventlog.c.
 */
#include <libbfio.h>

int libbfio_file_initialize(libbfio_handle_t **handle, libbfio_error_t **error) {
  (void)handle;
  (void)error;
  return -1;
}

int libbfio_file_set_name(libbfio_handle_t *handle, const char *name, size_t length,
                          libbfio_error_t **error) {
  (void)handle;
  (void)name;
  (void)length;
  (void)error;
  return -1;
}
