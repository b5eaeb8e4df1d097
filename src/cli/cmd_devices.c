/* rein devices: what this machine has to compute with. */
#include <unistd.h>

#include "cli/commands.h"
#include "tensor/device.h"

static rein_status run(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    const char *const *isa = rein_cpu_isas();
    (void)opts;
    (void)words;
    (void)n_words;
    rein_device *dev;
    REIN_TRY(rein_device_open_cpu(&dev, cli->isa, cli->threads));
    double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / (1024.0 * 1024 * 1024);
    if (cli->json) {
        fprintf(cli->out, "{\"devices\":[{\"name\":\"cpu\",\"kernels\":\"%s\",\"available\":[", dev->ops->name);
        for (int i = 0; isa[i]; i++) fprintf(cli->out, "%s\"%s\"", i ? "," : "", isa[i]);
        fprintf(cli->out, "],\"threads\":%d,\"memory_gib\":%.1f}]}\n", dev->threads, memory);
    } else {
        fprintf(cli->out, "cpu  kernels %s (available:", dev->ops->name);
        for (int i = 0; isa[i]; i++) fprintf(cli->out, " %s", isa[i]);
        fprintf(cli->out, ")  threads %d  memory %.1f GiB\ncuda not built\n", dev->threads, memory);
    }
    rein_device_close(dev);
    return REIN_OK;
}

const rein_command rein_cmd_devices = {"devices", NULL, "what this machine has to compute with", NULL, 0, 0, 0, 0, run, NULL, 0};
