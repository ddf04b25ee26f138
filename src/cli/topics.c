/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/cleanup.h"
#include "cli/verb.h"

static const struct {
  const char *name, *text;
} topics[] = {
  { "exit-codes",
    "Exit codes of zlayer\n"
    "\n"
    "run and exec, and start-up of them:\n"
    "  0..255  the workload's own code; 128 + N when signal N ended it\n"
    "  125     zlayer itself failed (bad usage, image missing, no address, ...)\n"
    "  126     the command was found and cannot be executed\n"
    "  127     the command was not found\n"
    "  137     also: killed for its memory limit ('zlayer inspect' tells: oom_killed)\n"
    "\n"
    "up without -d:\n"
    "  the code of the first container, in order of start, that ended with another one than 0,\n"
    "  else 0; 1 when zlayer failed; 130 after Ctrl-C\n"
    "\n"
    "all other verbs:\n"
    "  0       done\n"
    "  1       failed: the reason is on standard error; with several names, any of them failed.\n"
    "          'validate': the file has errors. 'system check': findings are left\n"
    "  2       bad usage: nothing was done\n" },
  { "references", "How images are named\n"
                  "\n"
                  "  busybox, quay.io/org/app:1.2, 127.0.0.1:5000/a/b@sha256:...\n"
                  "          an image of a registry; a bare name is one of docker.io/library\n"
                  "  oci:DIR[:TAG]\n"
                  "          an OCI image layout, such as 'skopeo copy' writes\n"
                  "  oci-archive:FILE[:TAG], docker-archive:FILE[:REF]\n"
                  "          the same in a tar file; what 'docker save' writes\n"
                  "\n"
                  "A relative DIR or FILE is taken from the directory in which zlayer is called, "
                  "in a deployment\n"
                  "file as well as on the command line.\n" },
};

const char *zl_help_topic(const char *name)
{
  for (size_t i = 0; i < ZL_COUNT(topics); i++)
    if (strcmp(topics[i].name, name) == 0)
      return topics[i].text;
  return NULL;
}
