/* SPDX-License-Identifier: Apache-2.0
 *
 * A host of the doubles' (tests/hcs-sim) with an image of two layers and a deployment, for tests
 * that take the instance through the real table of functions.
 */
#include "windows/hcs_box.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/path.h"
#include "runtime/hcs/privilege.h"

#define YAML                                                              \
  "version: v1\n"                                                         \
  "deployment: hcs-hyperv-e2e\n"                                          \
  "services:\n"                                                           \
  "  echo:\n"                                                             \
  "    platform: { os: windows, arch: amd64 }\n"                          \
  "    image: { name: mcr.example.com/nanoserver:ltsc2022 }\n"            \
  "    command: { entrypoint: [cmd, /c, echo, hello from hyperv] }\n"     \
  "    scale: { mode: fixed, replicas: 1 }\n"                             \
  "  seven:\n"                                                            \
  "    platform: { os: windows, arch: amd64 }\n"                          \
  "    image: { name: mcr.example.com/nanoserver:ltsc2022 }\n"            \
  "    command: { entrypoint: [cmd, /c, exit, \"7\"] }\n"                 \
  "    scale: { mode: fixed, replicas: 1 }\n"                             \
  "  longlived:\n"                                                        \
  "    platform: { os: windows, arch: amd64 }\n"                          \
  "    image: { name: mcr.example.com/nanoserver:ltsc2022 }\n"            \
  "    command: { entrypoint: [cmd, /c, ping, -n, \"60\", 127.0.0.1] }\n" \
  "    scale: { mode: fixed, replicas: 1 }\n"

struct box box;
static const struct zl_image_config image;

_Noreturn void give_up(const char *what, const struct zl_error *err)
{
  (void)fprintf(stderr, "%s: %s\n", what, err != NULL ? err->msg : "");
  (void)hcs_sim_stop();
  exit(1);
}

/* ---- An image ---- */

static char *at(const char *fmt, ...)
{
  char text[MAX_PATH];
  char *path = calloc(1, MAX_PATH);
  va_list ap;

  va_start(ap, fmt);
  (void)vsnprintf(text, sizeof(text), fmt, ap);
  va_end(ap);
  NEED(path != NULL);
  (void)snprintf(path, MAX_PATH, "%s\\%s", box.root, text);
  return path;
}

static void make_dirs(const char *path)
{
  char part[MAX_PATH];

  for (size_t i = 3; path[i] != '\0'; i++)
    if (path[i] == '\\') {
      (void)snprintf(part, sizeof(part), "%.*s", (int)i, path);
      (void)CreateDirectoryA(part, NULL);
    }
  (void)CreateDirectoryA(path, NULL);
}

static void make_file(const char *path)
{
  FILE *file = fopen(path, "wb");

  NEED(file != NULL);
  (void)fputs("boot\n", file);
  (void)fclose(file);
}

static void process_image(zl_hr (*fn)(const zl_wchar *path), const char *path)
{
  zl_wchar *wide = NULL;

  TRY(zl_wide_new(path, &wide, err));
  NEED(fn(wide) == 0);
  free(wide);
}

static void make_image(void)
{
  make_dirs(at("layers\\aaaa0001\\Files"));
  make_dirs(at("layers\\bbbb0002\\Files"));
  make_dirs(at("layers\\bbbb0002\\Hives"));
  make_dirs(at("layers\\bbbb0002\\UtilityVM\\Files\\EFI\\Microsoft\\Boot"));
  make_file(at("layers\\bbbb0002\\UtilityVM\\Files\\EFI\\Microsoft\\Boot\\bootmgfw.efi"));
  process_image(box.node.api->ProcessBaseImage, box.layers[1]);
  process_image(box.node.api->ProcessUtilityImage, at("layers\\bbbb0002\\UtilityVM"));
}

/* ---- Containers ---- */

static void output(void *ctx, bool is_err, const void *data, size_t len)
{
  struct seen *seen = ctx;
  size_t have = strlen(seen->out);

  (void)is_err;
  if (have + len < sizeof(seen->out))
    memcpy(seen->out + have, data, len);
}

/* The address is of the id, so that those of two containers differ. */
int box_try(const char *service, const char *id, enum zl_isolation isolation, struct seen *seen,
            struct zl_hcs_instance **ret, struct zl_error *err)
{
  const struct zl_hcs_link link = { .slice = "10.220.99.16/28",
                                    .address =
                                        strstr(id, "-b-") != NULL ? "10.220.99.19" : "10.220.99.18",
                                    .gateway = "10.220.99.17",
                                    .prefix = 28 };
  const struct zl_hcs_instance_hooks hooks = { .ctx = seen, .output = output };
  zl_autofree char *dir = box_dir(id);
  const struct zl_hcs_instance_spec spec = { .id = id,
                                             .dir = dir,
                                             .service = zl_service_find(box.deployment, service),
                                             .image = &image,
                                             .isolation = isolation,
                                             .layers = box.layers,
                                             .n_layers = 2,
                                             .link = &link,
                                             .scratch_bytes = UINT64_C(25) << 30 };

  make_dirs(dir);
  return zl_hcs_instance_create(&box.node, &spec, seen != NULL ? &hooks : NULL, ret, err);
}

struct zl_hcs_instance *box_create(const char *service, const char *id, enum zl_isolation isolation,
                                   struct seen *seen)
{
  struct zl_hcs_instance *instance = NULL;

  TRY(box_try(service, id, isolation, seen, &instance, err));
  return instance;
}

char *box_dir(const char *id)
{
  return at("%s", id);
}

void box_drop(struct zl_hcs_instance *instance)
{
  TRY(zl_hcs_instance_remove(instance, err));
  zl_hcs_instance_free(instance);
}

int box_wait(struct zl_hcs_instance *instance, struct zl_error *err)
{
  return zl_hcs_instance_wait(instance, zl_time_boot() + 90 * ZL_NS_PER_S, err);
}

void box_check_clean(const char *what)
{
  char why[4096];

  if (hcs_sim_leaks(1, why, sizeof(why)) != 0) {
    (void)fprintf(stderr, "%s leaves:\n%s", what, why);
    give_up(what, NULL);
  }
  (void)printf("ok %s\n", what);
}

/* ---- A machine ---- */

static void open_host(void)
{
  struct zl_spec_errors errors = { 0 };

  box.node = (struct zl_hcs_node){
    .owner = "zlayer-test", .network = "zlayer-1a2b3c4d", .cpus = 4, .accept_ms = 30000
  };
  TRY(zl_hcs_api_load(&box.node.api, err));
  TRY(zl_hcs_enable_privileges(box.node.api, err));
  TRY(zl_hcs_host_version(box.node.api, &box.node.host, err));
  TRY(zl_deployment_parse(YAML, strlen(YAML), "test.yaml", &box.deployment, &errors, err));
  zl_spec_errors_done(&errors);
  box.layers[0] = at("layers\\aaaa0001");
  box.layers[1] = at("layers\\bbbb0002");
}

static void make_machine(void)
{
  char temp[MAX_PATH], dir[MAX_PATH], library[MAX_PATH];
  const char *libs = getenv("HCS_SIM_LIBS");

  NEED(libs != NULL && GetTempPathA(sizeof(temp), temp) != 0);
  (void)snprintf(dir, sizeof(dir), "%szl-doubles-%lu-%lu", temp, GetCurrentProcessId(),
                 GetTickCount());
  (void)snprintf(library, sizeof(library), "%s\\hcssim.dll", libs);
  for (char *p = library; *p != '\0'; p++)
    *p = *p == '/' ? '\\' : *p;
  if (library[0] == '\\') { /* of a file system that Wine knows as Z: */
    memmove(library + 2, library, strlen(library) + 1);
    memcpy(library, "Z:", 2);
  }
  NEED(_putenv_s("HCS_SIM_DIR", dir) == 0 && SetEnvironmentVariableA("HCS_SIM_DIR", dir));
  NEED(_putenv_s("ZLAYER_HCS_DOUBLES", library) == 0);
  (void)snprintf(box.root, sizeof(box.root), "%s\\host", dir);
  make_dirs(box.root);
}

void box_open(bool of_parent)
{
  const char *dir = getenv("HCS_SIM_DIR");

  if (of_parent)
    (void)snprintf(box.root, sizeof(box.root), "%s\\host", dir != NULL ? dir : "");
  else
    make_machine();
  open_host();
  if (!of_parent)
    make_image();
}

int box_close(void)
{
  int r;

  zl_deployment_free(box.deployment);
  r = hcs_sim_stop();
  *strrchr(box.root, '\\') = '\0';
  return zl_path_remove_tree(AT_FDCWD, box.root) == 0 && r == 0 ? 0 : 1;
}
