/* SPDX-License-Identifier: Apache-2.0 */
#include "image/platform.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strv.h"

enum {
  EXACT = 100 /* above every variant number */
};

/* The levels of the x86-64 psABI, as far as images are built for them. */
static const char *node_variant_amd64(void)
{
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("ssse3") ||
      !__builtin_cpu_supports("popcnt"))
    return "v1";
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi") ||
      !__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("fma"))
    return "v2";
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512cd") || !__builtin_cpu_supports("avx512dq") ||
      !__builtin_cpu_supports("avx512vl"))
    return "v3";
  return "v4";
#else
  return "v1";
#endif
}

void zl_platform_of_machine(const char *os, const char *machine, struct zl_image_platform *ret)
{
  static const struct {
    const char *machine, *arch, *variant;
  } names[] = {
    { "x86_64", "amd64", NULL }, { "aarch64", "arm64", "v8" },     { "armv7l", "arm", "v7" },
    { "armv6l", "arm", "v6" },   { "riscv64", "riscv64", "" },     { "ppc64le", "ppc64le", "" },
    { "s390x", "s390x", "" },    { "loongarch64", "loong64", "" },
  };
  const char *arch = machine, *variant = "";

  for (size_t i = 0; i < ZL_COUNT(names); i++)
    if (strcmp(machine, names[i].machine) == 0) {
      arch = names[i].arch;
      variant = names[i].variant != NULL ? names[i].variant : node_variant_amd64();
    }
  *ret = (struct zl_image_platform){ .os = "" };
  (void)snprintf(ret->os, sizeof(ret->os), "%s", os);
  (void)snprintf(ret->arch, sizeof(ret->arch), "%s", arch);
  (void)snprintf(ret->variant, sizeof(ret->variant), "%s", variant);
}

/* "v7" is 7; no variant is what the architecture's name alone means. */
static unsigned variant_number(const struct zl_image_platform *p)
{
  uint64_t number = 0;

  if (p->variant[0] == '\0')
    return strcmp(p->arch, "arm64") == 0 ? 8 : strcmp(p->arch, "arm") == 0 ? 7 : 1;
  return p->variant[0] == 'v' && zl_parse_u64(p->variant + 1, EXACT - 1, &number) ? (unsigned)number
                                                                                  : EXACT;
}

unsigned zl_platform_rank(const struct zl_image_platform *image,
                          const struct zl_image_platform *node)
{
  unsigned wants = variant_number(image), has = variant_number(node);

  if (strcmp(image->os, node->os) != 0 || strcmp(image->arch, node->arch) != 0)
    return 0;
  if (strcmp(image->variant, node->variant) == 0)
    return EXACT + 1;
  return wants <= has ? 1 + wants : 0;
}

const char *zl_platform_format(const struct zl_image_platform *platform,
                               char text[ZL_PLATFORM_TEXT])
{
  (void)snprintf(text, ZL_PLATFORM_TEXT, "%s/%s%s%s%s%s",
                 platform->os[0] != '\0' ? platform->os : "unknown",
                 platform->arch[0] != '\0' ? platform->arch : "unknown",
                 platform->variant[0] != '\0' ? "/" : "", platform->variant,
                 platform->os_version[0] != '\0' ? " " : "", platform->os_version);
  return text;
}
