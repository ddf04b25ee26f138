/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_IMAGE_LAYER_ZSTD_FRAMES_H
#define ZL_IMAGE_LAYER_ZSTD_FRAMES_H

#include "image/layer/decoder.h"

/* zstd: any number of frames, skippable ones included; checksums are verified where present. */
extern const struct zl_decoder_ops zl_zstd_ops;

#endif
