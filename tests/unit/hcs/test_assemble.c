/* SPDX-License-Identifier: Apache-2.0
 *
 * From the YAML of a deployment to all documents of a container.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vector.h"

#include "base/json.h"
#include "image/image.h"
#include "runtime/hcs/assemble.h"

#define NETWORK "9d7f9e33-86aa-4c12-8d6c-3c0c3a3a2c11"
#define VOLUME  "\\\\?\\Volume{4d4f2b1c-0d2e-4a3f-8b5c-6d7e8f901234}\\"

/* The acceptance case's service, with nothing but its command. */
#define ECHO_YAML                                                 \
  "version: v1\n"                                                 \
  "deployment: hcs-hyperv-e2e\n"                                  \
  "services:\n"                                                   \
  "  echo:\n"                                                     \
  "    rtype: service\n"                                          \
  "    isolation: hyperv\n"                                       \
  "    platform: { os: windows, arch: amd64 }\n"                  \
  "    image: { name: mcr.example.com/nanoserver:ltsc2022 }\n"    \
  "    command:\n"                                                \
  "      entrypoint: [cmd, /c, echo, hello from hyperv]\n"        \
  "    endpoints: [ { name: dummy, protocol: tcp, port: 80 } ]\n" \
  "    scale: { mode: fixed, replicas: 1 }\n"

#define SHOP_YAML                                                                   \
  "version: v1\n"                                                                   \
  "deployment: shop\n"                                                              \
  "services:\n"                                                                     \
  "  web:\n"                                                                        \
  "    platform: { os: windows, arch: amd64, osVersion: \"10.0.20348\" }\n"         \
  "    image: { name: registry.example.com/shop/web:3 }\n"                          \
  "    command: { args: [--title, \"my shop\"], workdir: /app }\n"                  \
  "    env: { DB_HOST: db, path: \"C:\\\\app;C:\\\\Windows\" }\n"                   \
  "    resources: { cpu: 0.5, memory: 300Mi }\n"                                    \
  "    hostname: shop-1\n"                                                          \
  "    user: ContainerUser\n"                                                       \
  "    tty: true\n"                                                                 \
  "    stdin_open: true\n"                                                          \
  "    storage:\n"                                                                  \
  "      - { type: bind, source: \"C:\\\\conf\", target: /conf, readonly: true }\n" \
  "      - { type: named, name: db, target: \"/db\" }\n"                            \
  "    scale: { mode: fixed, replicas: 1 }\n"

static const struct zl_hcs_layer layers[] = {
  { "bbd84837-2da6-5545-b782-93cab41ee821", "C:\\ProgramData\\zlayer\\layers\\e481b6d4\\fs" },
  { "ddc7da26-dd55-5244-99d9-8a3b385583b7", "C:\\ProgramData\\zlayer\\layers\\3fa23006\\fs" },
};

static char *text_of(const char *literal)
{
  return (char *)(uintptr_t)literal;
}

static struct zl_hcs_input input_of(const struct zl_service *service,
                                    const struct zl_image_config *image, const char *id)
{
  return (struct zl_hcs_input){
    .id = id,
    .owner = "zlayer",
    .service = service,
    .image = image,
    .isolation = ZL_ISOLATION_PROCESS,
    .host_cpus = 8,
    .layers = layers,
    .n_layers = ZL_COUNT(layers),
    .scratch = VOLUME,
    .network = NETWORK,
  };
}

static void use_machine(struct zl_hcs_input *in)
{
  in->isolation = ZL_ISOLATION_HYPERV;
  in->scratch = "C:\\ProgramData\\zlayer\\containers\\x\\sandbox.vhdx";
  in->boot_files = "C:\\ProgramData\\zlayer\\layers\\3fa23006\\fs\\UtilityVM\\Files";
  in->machine_scratch = "C:\\ProgramData\\zlayer\\containers\\x\\vm\\sandbox.vhdx";
}

static const struct zl_service *parse(const char *yaml, const char *name,
                                      struct zl_deployment **deployment)
{
  struct zl_spec_errors errors = { 0 };
  struct zl_error err = { 0 };
  const struct zl_service *service;

  if (zl_deployment_parse(yaml, strlen(yaml), "test.yaml", deployment, &errors, &err) < 0)
    fail_msg("%s", err.msg);
  zl_spec_errors_done(&errors);
  service = zl_service_find(*deployment, name);
  assert_non_null(service);
  return service;
}

static json_t *take(json_t **json)
{
  json_t *taken = *json;

  *json = NULL;
  return taken;
}

static void check_documents(const struct zl_hcs_input *in, const char *name)
{
  zl_autohcsdocuments docs = { 0 };
  char vector[64];

  assert_int_equal(zl_hcs_documents_of(in, &docs, NULL), 0);
  (void)snprintf(vector, sizeof(vector), "service_%s_system", name);
  check_vector(take(&docs.system), vector, "ComputeSystem");
  (void)snprintf(vector, sizeof(vector), "service_%s_parameters", name);
  check_vector(take(&docs.process), vector, "ProcessParameters");
  for (size_t i = 0; i < docs.n_changes; i++) {
    (void)snprintf(vector, sizeof(vector), "service_%s_change_%zu", name, i + 1);
    check_change(&docs.changes[i], vector);
  }
  if (in->isolation == ZL_ISOLATION_HYPERV) {
    (void)snprintf(vector, sizeof(vector), "service_%s_hosted", name);
    check_vector(take(&docs.hosted), vector, "Container");
  } else {
    assert_int_equal(docs.n_changes, 0);
    assert_null(docs.hosted);
  }
}

static void the_smallest_service(void **state)
{
  const struct zl_image_config image = { 0 };
  struct zl_deployment *deployment = NULL;
  struct zl_hcs_input in = input_of(parse(ECHO_YAML, "echo", &deployment), &image, "echo-rep-1");

  (void)state;
  check_documents(&in, "echo_process");
  use_machine(&in);
  check_documents(&in, "echo_machine");
  zl_deployment_free(deployment);
}

static void a_service_with_everything(void **state)
{
  const struct zl_image_config image = {
    .entrypoint = (char *[]){ text_of("C:\\app\\shop server.exe"), NULL },
    .env = (char *[]){ text_of("Path=C:\\Windows"), text_of("MODE=prod"), NULL },
    .working_dir = text_of("C:\\"),
  };
  char *volumes[] = { text_of(""), text_of("C:\\ProgramData\\zlayer\\volumes\\db"), NULL };
  struct zl_deployment *deployment = NULL;
  struct zl_hcs_input in = input_of(parse(SHOP_YAML, "web", &deployment), &image, "web-rep-1");

  (void)state;
  in.volumes = volumes;
  in.dns_search = (const char *const[]){ "shop.internal", NULL };
  check_documents(&in, "shop_process");
  use_machine(&in);
  check_documents(&in, "shop_machine");
  zl_deployment_free(deployment);
}

/* The same input twice: nothing of time, place or memory is in a document. */
static void documents_are_stable(void **state)
{
  const struct zl_image_config image = { 0 };
  struct zl_deployment *deployment = NULL;
  struct zl_hcs_input in = input_of(parse(ECHO_YAML, "echo", &deployment), &image, "echo-rep-1");
  zl_autohcsdocuments first = { 0 }, second = { 0 };
  zl_autofree char *a = NULL, *b = NULL;

  (void)state;
  use_machine(&in);
  assert_int_equal(zl_hcs_documents_of(&in, &first, NULL), 0);
  assert_int_equal(zl_hcs_documents_of(&in, &second, NULL), 0);
  assert_int_equal(zl_hcs_doc_render(first.hosted, "a", &a, NULL), 0);
  assert_int_equal(zl_hcs_doc_render(second.hosted, "b", &b, NULL), 0);
  assert_string_equal(a, b);
  zl_deployment_free(deployment);
}

static void check_fails(const struct zl_hcs_input *in, int code, const char *says)
{
  struct zl_hcs_documents docs = { .n_changes = 99 };
  struct zl_error err = { 0 };

  assert_int_equal(zl_hcs_documents_of(in, &docs, &err), -code);
  assert_non_null(strstr(err.msg, says));
  assert_int_equal(docs.n_changes, 99);
  assert_int_equal(zl_hcs_documents_of(in, &docs, NULL), -code);
}

static void what_is_refused(void **state)
{
  const struct zl_image_config image = { 0 };
  struct zl_deployment *deployment = NULL;
  struct zl_service s = *parse(ECHO_YAML, "echo", &deployment);
  struct zl_storage storage = { .type = ZL_STORAGE_BIND,
                                .source = text_of("C:\\a"),
                                .target = text_of("/b") };
  struct zl_hcs_input in = input_of(&s, &image, "echo-rep-1");

  (void)state;
  in.network = NULL;
  check_fails(&in, ZL_E_NO_ADDRESS, "container 'echo-rep-1': it has no network");
  s.network_mode.kind = ZL_NETWORK_NONE;
  in.network = NETWORK;
  check_fails(&in, ZL_E_INTERNAL, "a network for network_mode none");
  s.network_mode.kind = ZL_NETWORK_DEFAULT;
  s.privileged = true;
  check_fails(&in, ZL_E_UNSUPPORTED, "services.echo.privileged");
  s.privileged = false;
  s.hostname = text_of("far-too-long-a-name");
  check_fails(&in, ZL_E_INVALID, "services.echo.hostname");
  s.hostname = NULL;
  s.storage = &storage;
  s.n_storage = 1;
  storage.target = text_of("/");
  check_fails(&in, ZL_E_INVALID, "services.echo.storage[0].target");
  s.n_storage = 0;
  s.storage = NULL;
  use_machine(&in);
  in.boot_files = NULL;
  check_fails(&in, ZL_E_INVALID, "VirtualSmb.Shares.Path: no path");
  use_machine(&in);
  in.n_layers = 0;
  check_fails(&in, ZL_E_LIMIT, "0 layers");
  in.n_layers = 1;
  in.scratch = "sandbox.vhdx";
  check_fails(&in, ZL_E_INVALID, "disk: 'sandbox.vhdx' is not an absolute path");
  zl_deployment_free(deployment);
}

/* ---- Want of memory ---- */

static size_t allocations, fail_at, alive;

static void *counting_malloc(size_t size)
{
  void *p;

  if (++allocations == fail_at)
    return NULL;
  p = malloc(size);
  alive += p != NULL ? 1 : 0;
  return p;
}

static void counting_free(void *p)
{
  alive -= p != NULL ? 1 : 0;
  free(p);
}

/* Each allocation of JSON fails once: a document is whole or there is none, never one without a
 * limit, and nothing stays. */
static void every_allocation_may_fail(void **state)
{
  const struct zl_image_config image = { .cmd = (char *[]){ text_of("a"), NULL },
                                         .env = (char *[]){ text_of("A=1"), NULL } };
  char *volumes[] = { text_of(""), text_of("C:\\volumes\\db"), NULL };
  struct zl_deployment *deployment = NULL;
  struct zl_hcs_input in = input_of(parse(SHOP_YAML, "web", &deployment), &image, "web-rep-1");

  (void)state;
  in.volumes = volumes;
  in.dns_search = (const char *const[]){ "shop.internal", NULL };
  json_set_alloc_funcs(counting_malloc, counting_free);
  for (int machine = 0; machine < 2; machine++) {
    int r = -ZL_E_NO_MEMORY;

    if (machine)
      use_machine(&in);
    for (fail_at = 1; r != 0; fail_at++) {
      zl_autohcsdocuments docs = { 0 };

      allocations = 0;
      r = zl_hcs_documents_of(&in, &docs, NULL);
      assert_int_equal(r, allocations < fail_at ? 0 : -ZL_E_NO_MEMORY);
      zl_hcs_documents_done(&docs);
      assert_int_equal(alive, 0);
    }
    assert_true(fail_at > 100); /* it was a document's worth */
  }
  fail_at = 0;
  json_set_alloc_funcs(malloc, free);
  zl_deployment_free(deployment);
}

/* Without a network there is none in the documents, and no address either. */
static void network_mode_none(void **state)
{
  const struct zl_image_config image = { 0 };
  struct zl_deployment *deployment = NULL;
  struct zl_service s = *parse(ECHO_YAML, "echo", &deployment);
  struct zl_hcs_input in = input_of(&s, &image, "echo-rep-1");
  zl_autohcsdocuments docs = { 0 };

  (void)state;
  s.network_mode.kind = ZL_NETWORK_NONE;
  in.network = NULL;
  assert_int_equal(zl_hcs_documents_of(&in, &docs, NULL), 0);
  assert_null(json_object_get(json_object_get(docs.system, "Container"), "Networking"));
  zl_deployment_free(deployment);
}

static void every_vector_is_compared(void **state)
{
  (void)state;
  check_vectors_used((const char *const[]){ "service_", NULL });
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_smallest_service),     cmocka_unit_test(a_service_with_everything),
    cmocka_unit_test(documents_are_stable),     cmocka_unit_test(what_is_refused),
    cmocka_unit_test(network_mode_none),        cmocka_unit_test(every_allocation_may_fail),
    cmocka_unit_test(every_vector_is_compared),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
