/* Images: PNG with stored (uncompressed) deflate blocks, in base64. */
#include <string.h>

#include "page/internal.h"

#define STORED_MOST 65535u /* bytes of one stored block (RFC 1951, 3.2.4) */

static void add_u32(struct text *t, uint32_t v) {
  const char bytes[] = {(char)(v >> 24), (char)(v >> 16), (char)(v >> 8), (char)v};
  text_add_n(t, bytes, sizeof bytes);
}

/* The CRC of PNG (ISO 3309), bit by bit. */
static uint32_t crc32_of(const char *data, size_t size) {
  uint32_t crc = 0xffffffffu;
  for (size_t i = 0; i < size; i++) {
    crc ^= (unsigned char)data[i];
    for (int k = 0; k < 8; k++) {
      crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1u)));
    }
  }
  return ~crc;
}

/* Adler-32 (RFC 1950). */
static uint32_t adler32_of(const char *data, size_t size) {
  uint32_t a = 1;
  uint32_t b = 0;
  for (size_t i = 0; i < size; i++) {
    a = (a + (unsigned char)data[i]) % 65521u;
    b = (b + a) % 65521u;
  }
  return b << 16 | a;
}

static void add_chunk(struct text *png, const char *type, const struct text *data) {
  size_t start = png->length + 4;
  add_u32(png, (uint32_t)data->length);
  text_add_n(png, type, 4);
  text_add_n(png, text_get(data), data->length);
  add_u32(png, crc32_of(png->data + start, png->length - start));
}

/* zlib's container with stored blocks. */
static void store(struct text *out, const struct text *data) {
  text_add_n(out, "\x78\x01", 2);
  for (size_t at = 0; at < data->length;) {
    size_t left = data->length - at;
    uint32_t n = left < STORED_MOST ? (uint32_t)left : STORED_MOST;
    const char head[] = {(char)(n == left), (char)n, (char)(n >> 8), (char)~n, (char)(~n >> 8)};
    text_add_n(out, head, sizeof head);
    text_add_n(out, data->data + at, n);
    at += n;
  }
  add_u32(out, adler32_of(data->data, data->length));
}

static void encode_png(const struct page_image *image, struct text *png) {
  struct text header = {0};
  struct text rows = {0};
  struct text stored = {0};
  struct text none = {0};
  size_t stride = (size_t)image->width * image->channels;
  add_u32(&header, image->width);
  add_u32(&header, image->height);
  text_add_n(&header, image->channels == 3 ? "\x08\x02\0\0\0" : "\x08\0\0\0\0", 5);
  for (uint32_t y = 0; y < image->height; y++) {
    text_add_n(&rows, "\0", 1); /* no filter */
    text_add_n(&rows, (const char *)image->pixels + y * stride, stride);
  }
  store(&stored, &rows);
  text_add_n(png, "\x89PNG\r\n\x1a\n", 8);
  add_chunk(png, "IHDR", &header);
  add_chunk(png, "IDAT", &stored);
  add_chunk(png, "IEND", &none);
  text_free(&header);
  text_free(&rows);
  text_free(&stored);
}

static void add_base64(struct text *out, const struct text *data) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const unsigned char *bytes = (const unsigned char *)data->data;
  for (size_t i = 0; i < data->length; i += 3) {
    size_t n = data->length - i < 3 ? data->length - i : 3;
    uint32_t v = (uint32_t)bytes[i] << 16;
    v |= n > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
    v |= n > 2 ? (uint32_t)bytes[i + 2] : 0;
    char four[4] = {digits[v >> 18], digits[v >> 12 & 63], n > 1 ? digits[v >> 6 & 63] : '=',
                    n > 2 ? digits[v & 63] : '='};
    text_add_n(out, four, 4);
  }
}

static void add_image(struct page *p, const struct page_image *image, uint32_t size) {
  struct text png = {0};
  uint32_t longer = image->width > image->height ? image->width : image->height;
  uint32_t times = longer > 0 && size > longer ? size / longer : 1;
  encode_png(image, &png);
  text_add(&p->html, "<figure><img alt=\"");
  page_escape(&p->html, image->label);
  text_format(&p->html, "\" width=\"%u\" height=\"%u\" src=\"data:image/png;base64,",
              image->width * times, image->height * times);
  add_base64(&p->html, &png);
  text_add(&p->html, "\"><figcaption>");
  page_escape(&p->html, image->label);
  text_add(&p->html, "</figcaption></figure>\n");
  text_free(&png);
}

void page_images(struct page *p, const struct page_image *images, size_t count, uint32_t size) {
  page_group(p, GROUP_NONE);
  text_add(&p->html, "<div class=\"images\">\n");
  for (size_t i = 0; i < count; i++) {
    add_image(p, &images[i], size);
  }
  text_add(&p->html, "</div>\n");
}
