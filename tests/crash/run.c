/* run.c: runs keymend over a written-out tree, under the shim or not */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const char *verb_name(verb v) {
  static const char *const names[] = {"apply", "undo", "recover"};
  return names[v];
}

/* ---- running ---- */

static void set_shim(const bench *b, const order *o) {
  static const order no_order = {0, NULL};
  char number[16];
  if (o == NULL)
    o = &no_order;
  setenv("LD_PRELOAD", b->shim, 1);
  setenv("KM_CRASH_ROOT", b->root, 1);
  setenv("KM_CRASH_TRACE", b->trace, 1);
  if (o->at == 0)
    return;
  snprintf(number, sizeof number, "%u", o->at);
  setenv("KM_CRASH_AT", number, 1);
  setenv("KM_CRASH_HOW", o->how, 1);
}

static _Noreturn void become(const bench *b, verb v, const order *o, bool straced) {
  const char *arguments[32];
  size_t n = 0;
  char preload[1200], root[1200], traced[1200];
  if (straced) { /* the shim is for keymend alone */
    snprintf(preload, sizeof preload, "LD_PRELOAD=%s", b->shim);
    snprintf(root, sizeof root, "KM_CRASH_ROOT=%s", b->root);
    snprintf(traced, sizeof traced, "KM_CRASH_TRACE=%s", b->trace);
    const char *const words[] = {
        "strace", "-f",    "-y", "-qq", "-s", "8",   "-o", b->strace, "-e", "trace=%file,%desc",
        "-E",     preload, "-E", root,  "-E", traced};
    for (; n < sizeof words / sizeof *words; n++)
      arguments[n] = words[n];
  } else if (o != NULL || b->no_links) {
    set_shim(b, o);
  }
  if (b->no_links)
    setenv("KM_CRASH_NO_LINKS", "1", 1);
  bool script = v == VERB_APPLY && b->script;
  const char *const words[] = {b->keymend, script ? "run" : verb_name(v), "--root", b->root};
  for (size_t i = 0; i < 4; i++)
    arguments[n++] = words[i];
  if (script) {
    arguments[n++] = "--write";
    arguments[n++] = b->policy;
  } else if (v == VERB_APPLY) {
    const char *const more[] = {"--yes", "--policy", b->policy, "--times", b->times};
    for (size_t i = 0; i < 5; i++)
      arguments[n++] = more[i];
  }
  arguments[n] = NULL;
  int log = open(b->log, O_WRONLY | O_CREAT | O_TRUNC, 0600), none = open("/dev/null", O_RDONLY);
  if (log < 0 || none < 0 || dup2(none, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
    _exit(126);
  char **words_for_exec;
  const char **words_as_they_are = arguments;
  memcpy(&words_for_exec, &words_as_they_are, sizeof words_for_exec); /* exec's type lacks const */
  execvp(arguments[0], words_for_exec);
  _exit(127);
}

static int run(const bench *b, verb v, const order *o, bool straced) {
  int status = 0;
  unlink(b->trace);
  pid_t child = fork();
  if (child < 0)
    broken("fork");
  if (child == 0)
    become(b, v, o, straced);
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      broken("wait");
  int result = WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
  if (result == 126 || result == 127)
    broken("cannot run %s", b->keymend);
  return result;
}

int run_verb(const bench *b, const tree *t, verb v, const order *o) {
  tree_write(t, b->root);
  return run(b, v, o, false);
}

int run_again(const bench *b, verb v, const order *o) {
  return run(b, v, o, false);
}

int run_straced(const bench *b, const tree *t, verb v) {
  tree_write(t, b->root);
  return run(b, v, NULL, true);
}

/* ---- what strace saw ---- */

/* System calls that change something, and the shim's word for each; NULL: keymend must not use it.
 */
static const struct mutation {
  const char *call, *op;
} mutations[] = {
    {"write", "write"},
    {"pwrite64", "write"},
    {"ftruncate", "truncate"},
    {"fsync", "fsync"},
    {"fdatasync", "fdatasync"},
    {"rename", "rename"},
    {"renameat", "rename"},
    {"renameat2", "rename"},
    {"link", "link"},
    {"linkat", "link"},
    {"unlink", "unlink"},
    {"rmdir", "rmdir"},
    {"mkdir", "mkdir"},
    {"mkdirat", "mkdir"},
    {"fchmod", "chmod"},
    {"fchown", "chown"},
    {"utimensat", "times"},
    {"fsetxattr", "setxattr"},
    {"fremovexattr", "removexattr"},
    {"writev", NULL},
    {"pwritev", NULL},
    {"pwritev2", NULL},
    {"truncate", NULL},
    {"fallocate", NULL},
    {"symlink", NULL},
    {"symlinkat", NULL},
    {"mknod", NULL},
    {"mknodat", NULL},
    {"chmod", NULL},
    {"fchmodat", NULL},
    {"fchmodat2", NULL},
    {"chown", NULL},
    {"lchown", NULL},
    {"fchownat", NULL},
    {"utime", NULL},
    {"utimes", NULL},
    {"futimesat", NULL},
    {"setxattr", NULL},
    {"lsetxattr", NULL},
    {"removexattr", NULL},
    {"lremovexattr", NULL},
    {"copy_file_range", NULL},
    {"sendfile", NULL},
    {"splice", NULL},
    {"io_uring_setup", NULL},
    {"sync_file_range", NULL},
};

/* The shim's word for a line of strace, "" for a line that changes nothing, "!call" for a forbidden
 * one. */
static void word_of(const char *line, const char *root, char word[64]) {
  const char *call = line + strspn(line, "0123456789 ");
  size_t length = strcspn(call, "(");
  word[0] = '\0';
  if (strstr(line, root) == NULL)
    return;
  if (length == 8 && strncmp(call, "unlinkat", 8) == 0) {
    snprintf(word, 64, "%s", strstr(line, "AT_REMOVEDIR") != NULL ? "rmdir" : "unlink");
    return;
  }
  if (length >= 4 && (strncmp(call, "open", 4) == 0 || strncmp(call, "creat", 5) == 0)) {
    bool makes = strstr(line, "O_CREAT") != NULL || strstr(line, "O_TMPFILE") != NULL;
    snprintf(word, 64, "%s", makes ? "create" : strstr(line, "O_TRUNC") != NULL ? "trunc" : "");
    return;
  }
  if (length == 4 && strncmp(call, "mmap", 4) == 0) {
    bool writes = strstr(line, "PROT_WRITE") != NULL && strstr(line, "MAP_SHARED") != NULL;
    snprintf(word, 64, "%s", writes ? "!mmap" : "");
    return;
  }
  for (size_t i = 0; i < sizeof mutations / sizeof *mutations; i++) {
    const struct mutation *m = &mutations[i];
    if (strlen(m->call) != length || strncmp(call, m->call, length) != 0)
      continue;
    snprintf(word, 64, "%s%s", m->op == NULL ? "!" : "", m->op == NULL ? m->call : m->op);
    return;
  }
}

static FILE *open_text(const char *path) {
  FILE *file = fopen(path, "r");
  if (file != NULL)
    return file;
  broken("%s", path);
}

bool strace_agrees(const bench *b, const trace *calls, int *count, char why[512]) {
  char line[8192], word[64];
  int at = 0;
  FILE *file = open_text(b->strace);
  why[0] = '\0';
  while (fgets(line, sizeof line, file) != NULL && why[0] == '\0') {
    word_of(line, b->root, word);
    if (word[0] == '\0')
      continue;
    if (at == calls->count)
      snprintf(why, 512, "the trace ends, but strace has: %.300s", line);
    else if (strcmp(word, calls->calls[at].op) != 0)
      snprintf(why, 512, "call %d is \"%s\" in the trace, but strace has: %.300s", at + 1,
               calls->calls[at].op, line);
    else
      at++;
  }
  fclose(file);
  if (why[0] == '\0' && at != calls->count)
    snprintf(why, 512, "the trace has %d calls, strace %d", calls->count, at);
  *count = at;
  return why[0] == '\0';
}
