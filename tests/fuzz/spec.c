/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of the deployment parser: whatever the bytes, it neither crashes nor leaks, and what
 * it accepts it can write and read again with the same result.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlayer/spec.h>

#include "spec/imageref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct zl_deployment *deployment, enum zl_spec_format format)
{
  struct zl_deployment *again = NULL;
  struct zl_error err = { 0 };
  char *one = NULL, *two = NULL;

  if (zl_deployment_render(deployment, format, &one, &err) < 0 ||
      zl_deployment_parse(one, strlen(one), NULL, &again, NULL, &err) < 0 ||
      zl_deployment_render(again, format, &two, &err) < 0 || strcmp(one, two) != 0)
    abort();
  zl_deployment_free(again);
  free(one);
  free(two);
}

static void try_texts(const uint8_t *data, size_t size)
{
  zl_auto_image_ref ref = { 0 };
  struct zl_service *service = NULL;
  struct zl_error err = { 0 };
  char *text = strndup((const char *)data, size);

  if (text == NULL || zl_service_new("web", &service, &err) < 0)
    abort();
  (void)zl_image_ref_parse(text, &ref, &err);
  (void)zl_port_parse(service, text, &err);
  (void)zl_storage_parse(service, text, &err);
  (void)zl_tmpfs_parse(service, text, &err);
  (void)zl_device_parse(service, text, &err);
  (void)zl_ulimit_parse(service, text, &err);
  (void)zl_network_mode_parse(service, text, &err);
  zl_service_free(service);
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct zl_deployment *deployment = NULL;
  struct zl_spec_errors errors = { 0 };
  struct zl_error err = { 0 };

  if (zl_deployment_parse((const char *)data, size, "fuzz", &deployment, &errors, &err) == 0) {
    check_round_trip(deployment, ZL_SPEC_YAML);
    check_round_trip(deployment, ZL_SPEC_JSON);
  } else if (errors.count == 0 && err.code == ZL_OK) {
    abort();
  }
  zl_deployment_free(deployment);
  zl_spec_errors_done(&errors);
  try_texts(data, size);
  return 0;
}
