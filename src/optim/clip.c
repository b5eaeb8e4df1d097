/* Clipping by the global gradient norm; see clip.h. */
#include "optim/clip.h"

#include <math.h>

rein_clip rein_clip_gradient(double sumsq, double max_norm) {
    rein_clip clip = {.norm = sqrt(sumsq), .finite = isfinite(sumsq)};
    double scale = max_norm > 0 ? fmin(1, max_norm / (clip.norm + 1e-6)) : 1;
    clip.scale = clip.finite ? (float)scale : 0;
    return clip;
}
