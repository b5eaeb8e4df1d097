/* The version of rein, as `rein --version` prints it and every run records it. */
#ifndef REIN_VERSION_H
#define REIN_VERSION_H

#define REIN_VERSION "0.1.0"

#endif
