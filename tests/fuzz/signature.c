/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of what signatures are read from, and of the configuration of others: the first byte
 * says what the rest is. Nothing unsigned is ever valid, and what is accepted is well-formed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "image/artifact.h"
#include "image/cosign.h"
#include "image/hosts_toml.h"
#include "image/notation.h"
#include "image/registries_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char certificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBdDCCARugAwIBAgIUapWMB7a9S6jrsH74ELH1Sf/OL8EwCgYIKoZIzj0EAwIw\n"
    "DzENMAsGA1UEAwwEZnV6ejAgFw0yNjExMjkwMTAyMzNaGA8yMTI2MTEwNTAxMDIz\n"
    "M1owDzENMAsGA1UEAwwEZnV6ejBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLGr\n"
    "aAboJzlARlPFCuAI0w2V037IX8+kW+N7O2lIb6OaVqYUCQ6C2d+VgmpS5CZ5qqRM\n"
    "UIiOiM+wnr8l/dKlNfejUzBRMB0GA1UdDgQWBBQzav8hHY1zk1FwHEBbAwOMXL+E\n"
    "tDAfBgNVHSMEGDAWgBQzav8hHY1zk1FwHEBbAwOMXL+EtDAPBgNVHRMBAf8EBTAD\n"
    "AQH/MAoGCCqGSM49BAMCA0cAMEQCIGC//LImaDHZ1XBJaydGiP7rb+UhUAupwyZ6\n"
    "r77FSBfjAiA6d0xBQXv5ccQB+shPP4LGN93hQVEfW+ycHBtZftG2Tg==\n"
    "-----END CERTIFICATE-----\n";

static void try_claim(const char *text, size_t len)
{
  zl_autoclaim claim = { 0 };
  struct zl_error err = { 0 };

  if (zl_cosign_claim_parse(text, len, &claim, &err) == 0 &&
      (!zl_digest_is_valid(claim.digest, NULL) || claim.registry == NULL ||
       claim.repository == NULL))
    abort();
}

static void try_envelope(const char *text, size_t len)
{
  static struct zl_trust *trust;
  struct zl_notation_claim claim = { 0 };
  struct zl_error err = { 0 };

  if (trust == NULL &&
      zl_trust_parse(certificate, strlen(certificate), "the certificate", &trust, &err) < 0)
    abort();
  if (zl_notation_verify(trust, text, len, &claim, &err) == 0 || err.code == ZL_OK)
    abort();
}

static void try_artifact(const char *text, size_t len, bool list)
{
  zl_autoartifact artifact = { 0 };
  struct zl_error err = { 0 };
  int r = list ? zl_referrers_parse(text, len, ZL_AT_NOTATION, &artifact, &err)
               : zl_artifact_parse(text, len, &artifact, &err);

  for (size_t i = 0; r == 0 && i < artifact.n_blobs; i++)
    if (!zl_digest_is_valid(artifact.blobs[i].blob.digest, NULL) ||
        artifact.blobs[i].blob.media_type == NULL)
      abort();
}

static void try_hosts(const char *text, size_t len)
{
  zl_autoroute route = { 0 };
  struct zl_error err = { 0 };

  if (zl_hosts_toml_parse(text, len, "f", "/d", "docker.io", &route, &err) < 0)
    return;
  for (size_t i = 0; i < route.count; i++)
    if (route.stops[i].host == NULL || (!route.stops[i].pulls && !route.stops[i].resolves))
      abort();
}

static void try_conf(const char *text, size_t len)
{
  zl_autoconf conf = { 0 };
  zl_auto_image_ref ref = { 0 };
  struct zl_error err = { 0 };
  const struct zl_conf_registry *found;
  size_t matched = 0;

  if (zl_conf_parse(text, len, "f", &conf, &err) < 0 ||
      zl_image_ref_parse("a.b.io/c/d:e", &ref, &err) < 0)
    return;
  found = zl_conf_find(&conf, &ref, &matched);
  if (found != NULL) {
    zl_autoroute route = { 0 };

    (void)zl_conf_route(found, matched, &ref, &route, &err);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const char *text = (const char *)data + 1;

  if (size == 0)
    return 0;
  switch (data[0]) {
  case 'c':
    try_claim(text, size - 1);
    break;
  case 'e':
    try_envelope(text, size - 1);
    break;
  case 'm':
  case 'r':
    try_artifact(text, size - 1, data[0] == 'r');
    break;
  case 'h':
    try_hosts(text, size - 1);
    break;
  case 'p':
    try_conf(text, size - 1);
    break;
  default:
    break;
  }
  return 0;
}
