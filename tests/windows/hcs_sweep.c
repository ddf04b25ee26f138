/* SPDX-License-Identifier: Apache-2.0
 *
 * Each call of a container's life fails once.
 */
#include "windows/hcs_box.h"

/* What cannot fail on a host either: it gives no result, or nobody could do anything about it. */
static bool is_sure(const char *name)
{
  static const char *const sure[] = { "Close", "Free", "closesocket", "GetOperation", "RtlGet" };

  for (size_t i = 0; i < ZL_COUNT(sure); i++)
    if (strstr(name, sure[i]) != NULL)
      return true;
  return false;
}

/* Names of all calls so far, each with how often it was made. */
static json_t *count_calls(void)
{
  json_t *journal = NULL, *counts = json_object(), *entry;
  size_t i;

  NEED(hcs_sim_journal(&journal) == 0 && counts != NULL);
  json_array_foreach (journal, i, entry) {
    const char *name = json_string_value(json_object_get(entry, "call"));
    json_int_t n = json_integer_value(json_object_get(counts, name));

    if (!is_sure(name))
      NEED(json_object_set_new(counts, name, json_integer(n + 1)) == 0);
  }
  json_decref(journal);
  return counts;
}

/* A life in which what fails is asked for again without the fault, and has to work then. */
static void live(enum zl_isolation isolation, const char *what)
{
  struct zl_hcs_instance *one = NULL;
  struct zl_error why = { 0 };
  char leaks[4096];

  if (box_try("echo", "sweep-rep-1", isolation, NULL, &one, &why) < 0) {
    (void)printf("  %s: %s\n", what, why.msg);
    if (hcs_sim_leaks(1, leaks, sizeof(leaks)) != 0)
      give_up(leaks, &why);
    one = box_create("echo", "sweep-rep-1", isolation, NULL);
  }
  if (zl_hcs_instance_start(one, &why) < 0) {
    (void)printf("  %s: %s\n", what, why.msg);
    TRY(zl_hcs_instance_start(one, err));
  }
  TRY(box_wait(one, err));
  if (zl_hcs_instance_remove(one, &why) < 0) {
    (void)printf("  %s: %s\n", what, why.msg);
    TRY(zl_hcs_instance_remove(one, err));
  }
  zl_hcs_instance_free(one);
  if (hcs_sim_leaks(1, leaks, sizeof(leaks)) != 0)
    give_up(leaks, NULL);
}

void run_sweep(enum zl_isolation isolation)
{
  const char *what =
      isolation == HOST ? "process: each call fails once" : "hyperv: each call fails once";
  json_t *counts, *count;
  const char *name;
  unsigned points = 0;

  NEED(hcs_sim_forget() == 0);
  live(isolation, what);
  counts = count_calls();
  json_object_foreach (counts, name, count) {
    for (json_int_t nth = 1; nth <= json_integer_value(count); nth++) {
      char knob[128];

      (void)snprintf(knob, sizeof(knob), "%s nth=%d hr=0x80004005", name, (int)nth);
      NEED(hcs_sim_set(knob) == 0);
      live(isolation, knob);
      NEED(hcs_sim_clear() == 0);
      points++;
    }
  }
  json_decref(counts);
  (void)printf("ok %s: %u points\n", what, points);
}
