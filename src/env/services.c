/* The table of services; see services.h. */
#include "env/services.h"

const rein_service *const *rein_services(void) {
    static const rein_service *const services[] = {NULL};
    return services;
}
