/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "cli/cli.h"
#include "cli/human.h"
#include "cli/table.h"
#include "cli/verbs.h"

static json_t *to_json(const struct zl_image_info *images, size_t count)
{
  zl_autojson *list = json_array();

  for (size_t i = 0; i < count; i++) {
    const struct zl_image_info *image = &images[i];
    json_t *entry =
        json_pack("{s:o, s:o, s:o, s:o, s:I, s:o, s:I, s:I}", "reference",
                  zl_json_text(image->reference), "digest", zl_json_text(image->digest), "os",
                  zl_json_text(image->os), "arch", zl_json_text(image->arch), "size",
                  (json_int_t)image->size, "pulledAt", zl_json_time(image->pulled_at_ns), "layers",
                  (json_int_t)image->layers, "containers", (json_int_t)image->containers);

    if (json_array_append_new(list, entry) < 0)
      return NULL;
  }
  return zl_steal_ptr(&list);
}

static int add_row(struct zl_table *table, const struct zl_image_info *image, bool whole,
                   struct zl_error *err)
{
  char text[ZL_HUMAN_TEXT];
  int r = zl_table_add(table, image->reference, err);

  if (r >= 0)
    r = zl_table_add(table, whole ? image->digest : zl_human_digest(image->digest, text), err);
  if (r >= 0)
    r = zl_table_addf(table, err, "%s/%s", image->os != NULL ? image->os : "?",
                      image->arch != NULL ? image->arch : "?");
  if (r >= 0)
    r = zl_table_add(table, zl_human_size(image->size, text), err);
  if (r >= 0)
    r = zl_table_add(table, zl_human_ago(image->pulled_at_ns, zl_time_wall(), text), err);
  if (r >= 0)
    r = zl_table_addf(table, err, "%zu", image->containers);
  return r;
}

static int print_table(const struct zl_image_info *images, size_t count, bool whole,
                       struct zl_error *err)
{
  static const char *const titles[] = { "REFERENCE", "DIGEST", "PLATFORM",
                                        "SIZE",      "PULLED", "CONTAINERS" };
  zl_autobuf out = ZL_BUF_INIT(ZL_MAX_OUTPUT);
  zl_autotable table;
  int r = 0;

  zl_table_init(&table, titles, ZL_COUNT(titles));
  for (size_t i = 0; i < count && r >= 0; i++)
    r = add_row(&table, &images[i], whole, err);
  if (r >= 0)
    r = zl_table_render(&table, &out, err);
  return r < 0 ? r : zl_cli_write(&out, err);
}

static int print_references(const struct zl_image_info *images, size_t count, struct zl_error *err)
{
  zl_autobuf out = ZL_BUF_INIT(ZL_MAX_OUTPUT);
  int r = 0;

  for (size_t i = 0; i < count && r >= 0; i++)
    if (images[i].reference != NULL)
      r = zl_buf_printf(&out, err, "%s\n", images[i].reference);
  return r < 0 ? r : zl_cli_write(&out, err);
}

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  struct zl_runtime *rt;
  struct zl_image_info *images = NULL;
  size_t count = 0;
  int r = zl_cli_open(cli, &rt, &err);

  if (r >= 0)
    r = zl_images(rt, &images, &count, &err);
  if (r >= 0 && zl_args_has(args, "json"))
    r = zl_cli_write_json(to_json(images, count), &err);
  else if (r >= 0 && zl_args_has(args, "quiet"))
    r = print_references(images, count, &err);
  else if (r >= 0)
    r = print_table(images, count, zl_args_has(args, "no-trunc"), &err);
  zl_images_free(images, count);
  return zl_cli_finish(cli, r, &err);
}

const struct zl_verb zl_verb_images = {
  .name = "images",
  .group = "Images",
  .summary = "List the stored images",
  .usage = "[OPTIONS]",
  .options =
      (const struct zl_option[]){
          { .name = "quiet", .letter = 'q', .summary = "Print the references only" },
          { .name = "no-trunc", .summary = "Print whole digests" },
          ZL_OPTION_JSON("Print a JSON array"),
          { .name = NULL },
      },
  .run = run,
};
