/* example.c: whether the key of IIS is found on a volume */
#include "keymend.h"
#include <stdio.h>

int main(int argc, char **argv) {
  char hash[KM_HASH_TEXT];
  km_error error;
  km_target_options options = {.root = argc > 1 ? argv[1] : NULL};
  km_target *target = NULL;
  if (km_target_open(&options, &target, &error) != KM_OK) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  km_survey *survey = NULL;
  const char *asked[] = {hash};
  if (km_container_hash("Microsoft Internet Information Server", hash, &error) == KM_OK &&
      km_survey_store(target, asked, 1, &survey, &error) == KM_OK) {
    bool found = false;
    for (size_t i = 0; i < survey->match_count; i++)
      if (survey->matches[i].kind == KM_NAME_CURRENT)
        found = true;
    printf("%s: %s\n", km_target_describe(target)->machine_guid, found ? "found" : "not found");
  } else {
    fprintf(stderr, "%s\n", error.message);
  }
  km_survey_free(survey);
  km_target_close(target);
  return 0;
}
