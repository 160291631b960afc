#include "page/page.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "page/internal.h"

/* Colours after Okabe and Ito (colour-blind safe), lighter where the ground is dark. */
static const char style[] =
    ":root{color-scheme:light dark;--ground:#fff;--ink:#1a1a1a;--soft:#5c5c5c;--rule:#dcdcdc;"
    "--tint:#fff3cf;--c0:#0072b2;--c1:#d55e00;--c2:#00805e;--c3:#b4548b;--c4:#a87400;--c5:#3a3a3a;"
    "--c6:#2c8fc9}\n"
    "@media(prefers-color-scheme:dark){:root{--ground:#14161a;--ink:#e8e8e8;--soft:#a8a8a8;"
    "--rule:#343840;--tint:#3a3318;--c0:#5ab4f0;--c1:#ff8a3d;--c2:#2fc79a;--c3:#e79ac4;"
    "--c4:#f0b93a;--c5:#d8d8d8;--c6:#9fd6f7}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;padding:16px;max-width:1040px;background:var(--ground);color:var(--ink);"
    "font:15px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}\n"
    "h1{font-size:1.5rem;line-height:1.25;margin:.4em 0}h2{font-size:1.15rem;margin:1.6em 0 .4em}\n"
    "p{max-width:46em}\n"
    ".scroll{overflow-x:auto;margin:.8em 0}\n"
    "table{border-collapse:collapse;font-size:.87rem;font-variant-numeric:tabular-nums;"
    "overflow-wrap:normal}\n"
    "th,td{padding:.28em .7em;text-align:left;white-space:nowrap;"
    "border-bottom:1px solid var(--rule)}\n"
    "th{color:var(--soft);font-weight:600}.n{text-align:right}tr.marked "
    "td{background:var(--tint)}\n"
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));"
    "gap:24px 28px;margin:1em 0}\n"
    "figure{margin:0;min-width:0}.chart{max-width:640px}figcaption{font-weight:600}\n"
    ".chart>svg{width:100%;height:auto;display:block;font:13px system-ui,sans-serif}\n"
    "text{fill:var(--ink)}.tick{fill:var(--soft);font-size:12px;font-variant-numeric:tabular-nums}"
    ".end{text-anchor:end}.middle{text-anchor:middle}\n"
    "@media(max-width:520px){.chart>svg{font-size:16px}.tick{font-size:14px}}\n"
    ".grid{stroke:var(--rule);stroke-width:1}.axis{stroke:var(--soft);stroke-width:1;fill:none}\n"
    ".line{fill:none;stroke:currentColor;stroke-width:1.8;stroke-linejoin:round}\n"
    ".band{fill:currentColor;opacity:.16}.mark{fill:currentColor;stroke:var(--ground);"
    "stroke-width:.8}.whisker{stroke:currentColor;stroke-width:1.2;opacity:.7}"
    ".ring{fill:none;stroke:var(--ink);stroke-width:1.3}\n"
    ".c0{color:var(--c0)}.c1{color:var(--c1)}.c2{color:var(--c2)}.c3{color:var(--c3)}"
    ".c4{color:var(--c4)}.c5{color:var(--c5)}.c6{color:var(--c6)}\n"
    ".legend{list-style:none;display:flex;flex-wrap:wrap;gap:.1em 1.1em;margin:.3em 0;padding:0;"
    "font-size:.85rem}.legend svg{vertical-align:-2px;margin-right:.35em}\n"
    ".note{color:var(--soft);font-size:.85rem;margin:.3em 0}\n"
    ".images{display:flex;flex-wrap:wrap;gap:12px;margin:1em 0}.images img{display:block;"
    "image-rendering:pixelated;max-width:100%}.images figcaption{font-weight:400;"
    "font-size:.85rem}\n";

/* ---- text ---- */

/* The bytes of the valid UTF-8 sequence there (RFC 3629: shortest form, no surrogates, at most
 * U+10FFFF); 0 if there is none. */
static size_t sequence(const unsigned char *s) {
  static const struct {
    unsigned char first, last, low, high; /* of the first byte; of the second */
    size_t length;
  } forms[] = {{0x20, 0x7e, 0, 0, 1},       {0x09, 0x0a, 0, 0, 1},
               {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
               {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
               {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
               {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
  for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
    size_t length = forms[i].length;
    if (s[0] >= forms[i].first && s[0] <= forms[i].last) {
      int valid = length == 1 || (s[1] >= forms[i].low && s[1] <= forms[i].high);
      for (size_t k = 2; k < length && valid; k++) {
        valid = (s[k] & 0xc0u) == 0x80u;
      }
      return valid ? length : 0;
    }
  }
  return 0;
}

void page_escape(struct text *out, const char *text) {
  while (*text != '\0') {
    size_t length = sequence((const unsigned char *)text);
    const char *name = *text == '&'   ? "&amp;"
                       : *text == '<' ? "&lt;"
                       : *text == '>' ? "&gt;"
                       : *text == '"' ? "&quot;"
                                      : NULL;
    if (name != NULL) {
      text_add(out, name);
    } else if (length == 0) {
      text_add(out, "\xef\xbf\xbd"); /* U+FFFD */
    } else {
      text_add_n(out, text, length);
    }
    text += length > 0 ? length : 1;
  }
}

static void element(struct page *p, const char *name, const char *text) {
  page_group(p, GROUP_NONE);
  text_format(&p->html, "<%s>", name);
  page_escape(&p->html, text);
  text_format(&p->html, "</%s>\n", name);
}

/* ---- the document ---- */

struct page *page_new(const char *title) {
  struct page *p = memory_alloc(1, sizeof *p);
  text_add(&p->html,
           "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta "
           "name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<link rel=\"icon\" "
           "href=\"data:,\">\n<title>");
  page_escape(&p->html, title);
  text_add(&p->html, "</title>\n<style>\n");
  text_add(&p->html, style);
  text_add(&p->html, "</style>\n</head>\n<body>\n");
  element(p, "h1", title);
  return p;
}

void page_free(struct page *p) {
  if (p != NULL) {
    text_free(&p->html);
    free(p);
  }
}

int32_t page_write(struct page *p, const char *path) {
  page_group(p, GROUP_NONE);
  text_add(&p->html, "</body>\n</html>\n");
  return file_write(path, p->html.data, p->html.length);
}

void page_group(struct page *p, enum page_group group) {
  if (p->group != group) {
    text_add(&p->html, p->group != GROUP_NONE ? "</div>\n" : "");
    text_add(&p->html, group == GROUP_CHARTS ? "<div class=\"charts\">\n" : "");
    p->group = group;
  }
}

void page_heading(struct page *p, const char *text) {
  element(p, "h2", text);
}

void page_paragraph(struct page *p, const char *text) {
  element(p, "p", text);
}

/* ---- tables ---- */

static int is_numeric(const char *const *cells, size_t columns, size_t rows, size_t column) {
  for (size_t r = 1; r < rows; r++) {
    char first = cells[r * columns + column][0];
    if (first != '\0' && strchr("0123456789-+.", first) == NULL) {
      return 0;
    }
  }
  return rows > 1;
}

void page_table(struct page *p, const char *const *cells, size_t columns, size_t rows,
                const unsigned char *marked) {
  page_group(p, GROUP_NONE);
  text_add(&p->html, "<div class=\"scroll\"><table>\n");
  for (size_t r = 0; r < rows; r++) {
    const char *name = r == 0 ? "th" : "td";
    text_add(&p->html, marked != NULL && marked[r] ? "<tr class=\"marked\">" : "<tr>");
    for (size_t c = 0; c < columns; c++) {
      text_format(&p->html, "<%s%s>", name,
                  is_numeric(cells, columns, rows, c) ? " class=\"n\"" : "");
      page_escape(&p->html, cells[r * columns + c]);
      text_format(&p->html, "</%s>", name);
    }
    text_add(&p->html, "</tr>\n");
  }
  text_add(&p->html, "</table></div>\n");
}
