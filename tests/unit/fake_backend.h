/* fake_backend.h: a volume in memory behind the backend table, with faults and crashes on order
 *
 * Only what a transaction needs is there. Every writing operation is counted; one of them can be
 * made to fail, and from one of them on the volume can be "dead": nothing is changed any more and
 * every call fails, which for what stands on the volume is the same as a kill.
 */
#ifndef FAKE_BACKEND_H
#define FAKE_BACKEND_H

#include "backend.h"

typedef struct fake_volume fake_volume;

typedef struct fake_plan_of_faults {
  unsigned fail_at; /* number of the writing operation that fails; 0: none */
  km_status fail_status;
  unsigned die_at; /* number of the operation that is the first not to happen; 0: none */
  bool torn;       /* a journal write that dies leaves its first half */
  bool no_links;   /* the file system has no hard links */
  bool
      tunnel; /* as on a live NTFS: a rename into the store changes creation time and archive bit */
  bool ntfs_3g;     /* a replacing rename fails while "<name>.ntfs-3g-0000000001" is in its way */
  bool busy;        /* another process has the lock */
  km_status volume; /* what volume_check says */
  uint64_t space;   /* bytes that are free; 0: enough */
  bool unclean_unknown; /* the driver cannot tell whether the volume is clean */
  bool dirty_hive;      /* the machine GUID cannot be written */
  const char *foreign;  /* a file whose owner the caller may not give to a copy */
  /* another process: called before every writing operation with its words, "create 0.copy" */
  void (*meddle)(fake_volume *volume, const char *operation, void *user);
  void *meddle_user;
} fake_plan_of_faults;

fake_volume *fake_new(void);
void fake_free(fake_volume *volume);

/* The target on it; valid as long as the volume. */
km_target *fake_target(fake_volume *volume);
fake_plan_of_faults *fake_faults(fake_volume *volume);
unsigned fake_operations(const fake_volume *volume); /* writing ones since fake_restart */
void fake_restart(fake_volume *volume); /* counters and faults to zero, lock released */

/* A service of the volume's Windows, which runs once there is one. Behaviour is what a stop or start of it gives. */
typedef struct fake_service {
  const char *name;
  bool runs;
  int32_t start;                     /* start type; 2 automatic, 3 manual, 4 disabled */
  km_status stop_status;             /* what a stop gives; it has stopped only with KM_OK */
  km_status start_status;            /* what a start gives; it runs only with KM_OK */
  uint32_t exit_code, specific_code; /* told when it does not run */
  volatile int *interrupts;          /* set to 1 while it is being stopped, or NULL */
} fake_service;

/* Adds a service, stopped or running; all others of its behaviour are KM_OK. Valid as long as the volume. */
fake_service *fake_add_service(fake_volume *volume, const char *name, bool runs, int32_t start);
fake_service *fake_find_service(fake_volume *volume, const char *name);

/* What was done, one line each: "stop W3SVC", "start IISADMIN", "report 1", and every writing operation in its words. */
const char *fake_log(const fake_volume *volume);
/* Why this process may not change the target; NULL: it may. */
void fake_set_rights(fake_volume *volume, const char *refusal);

#define FAKE_STORE "store"
#define FAKE_APP_DATA "app"

/* Files by folder path with '/': "store", "app/keymend/<id>". */
void fake_put(fake_volume *volume, const char *folder, const char *name, const char *content,
              km_time written);
void fake_put_bytes(fake_volume *volume, const char *folder, const char *name, const void *data,
                    size_t size);
void fake_link(fake_volume *volume, const char *folder, const char *name, const char *new_name);
void fake_drop(fake_volume *volume, const char *folder, const char *name);
bool fake_has(fake_volume *volume, const char *folder, const char *name);
void fake_folder(fake_volume *volume, const char *folder, const char *name, bool private_one);
void fake_make_odd(fake_volume *volume, const char *folder, const char *name); /* a reparse point */
km_file_meta *fake_meta(fake_volume *volume, const char *folder, const char *name);
uint64_t fake_identity(fake_volume *volume, const char *folder, const char *name);
/* The bytes of a file, to read or to harm. */
uint8_t *fake_bytes(fake_volume *volume, const char *folder, const char *name, size_t *size);

/* What the registry holds as machine GUID, whatever the target saw; "" for none. */
void fake_set_guid(fake_volume *volume, const char *guid);
/* The same text; NULL: the hive itself is not there. */
const char *fake_guid(fake_volume *volume);

/* Every name of the store with bytes, metadata and link count, and of the hive's folder once it was asked for, as text;
 * free(). */
char *fake_snapshot(fake_volume *volume);
/* Whether a file with this content stands anywhere in the store or below the keymend folder. */
bool fake_somewhere(fake_volume *volume, const char *content);
/* Every writing operation's name and object, for messages. */
const char *fake_last_operation(const fake_volume *volume);

/* The step of a plan that retires the file `name` of the store, or gives it the name `to`, as it is now. */
km_step fake_step(fake_volume *v, const char *name, const char *to);

#endif
