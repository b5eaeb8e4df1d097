/* The environments of this build, by name. */
#include "rein/env.h"

#include <string.h>

#include "env/browse/miniwob.h"
#include "env/browse/site.h"
#include "env/control/control.h"
#include "env/dataset/dataset.h"
#include "env/graph/graph.h"
#include "env/tools/tools.h"

static const rein_env_class *const classes[] = {&rein_control_class,
                                                &rein_dataset_class,
                                                &rein_graph_class,
                                                &rein_miniwob_class,
                                                &rein_site_class,
                                                &rein_tools_class,
                                                NULL};

const rein_env_class *const *rein_env_classes(void) { return classes; }

const rein_env_class *rein_env_find(const char *name) {
    for (const rein_env_class *const *cls = classes; *cls; cls++)
        if (strcmp((*cls)->name, name) == 0) return *cls;
    return NULL;
}
