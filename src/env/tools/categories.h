/* The categories of generated tasks, as texts with places in <> that a draw fills in (generate.c). */
#ifndef REIN_ENV_TOOLS_CATEGORIES_H
#define REIN_ENV_TOOLS_CATEGORIES_H

#include "env/tools/task.h"

enum { REIN_TOOLS_CATEGORY_MOST = 4, REIN_TOOLS_CATEGORIES = 22 };

/** Lists end with the first empty entry, or are full. */
typedef struct rein_tools_category {
    const char *name;
    rein_tools_level level;
    const char *prompt[REIN_TOOLS_PHRASES];
    rein_tools_setup setup[REIN_TOOLS_CATEGORY_MOST];
    rein_tools_step step[REIN_TOOLS_CATEGORY_MOST];
    rein_tools_check check[REIN_TOOLS_CATEGORY_MOST];
    const char *answer;
} rein_tools_category;

extern const rein_tools_category rein_tools_categories[REIN_TOOLS_CATEGORIES];

#endif
