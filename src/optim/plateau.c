/* Lowering the learning rate on a plateau; see plateau.h. */
#include "optim/plateau.h"

#include <math.h>

rein_plateau_options rein_plateau_default(void) {
    return (rein_plateau_options){.factor = 0.1, .patience = 10, .threshold = 1e-4, .eps = 1e-8};
}

rein_plateau rein_plateau_begin(double learning_rate) {
    return (rein_plateau){.best = (double)NAN, .rate = learning_rate};
}

static bool improves(const rein_plateau *p, const rein_plateau_options *o, bool greater, double value) {
    double margin = greater ? o->threshold : -o->threshold;
    double bound = o->absolute ? p->best + margin : p->best * (1 + margin);
    if (isnan(p->best)) return !isnan(value);
    return greater ? value > bound : value < bound;
}

static bool reduce(rein_plateau *p, const rein_plateau_options *o) {
    double rate = fmax(p->rate * o->factor, o->min_lr);
    bool enough = p->rate - rate > o->eps;
    if (enough) p->rate = rate;
    p->cooling = o->cooldown;
    p->bad = 0;
    return enough;
}

bool rein_plateau_observe(rein_plateau *p, const rein_plateau_options *o, bool greater_is_better, double value) {
    bool improved = improves(p, o, greater_is_better, value);
    if (improved) p->best = value;
    p->bad = improved ? 0 : p->bad + 1;
    if (p->cooling > 0) {
        p->cooling--;
        p->bad = 0;
    }
    return p->bad > o->patience && reduce(p, o);
}
