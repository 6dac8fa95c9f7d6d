/* A stand-in for libnvidia-ml.so.1: two GPUs whose readings come from the file NVML_STUB_READINGS, read anew at each
   call. Its lines are `name value` for all GPUs or `name.INDEX value` for one: temperature, error (an nvmlReturn_t),
   power_error. A power limit that is set is written to the file NVML_STUB_POWER, in milliwatts. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { int index; } gpu_t;
static gpu_t gpus[2] = {{0}, {1}};

static int reading(const char *name, int index, int otherwise) {
    char own[64], word[64];
    int value, found = otherwise, is_own = 0;
    snprintf(own, sizeof own, "%s.%d", name, index);
    FILE *file = fopen(getenv("NVML_STUB_READINGS"), "r");
    if (!file) return otherwise;
    while (fscanf(file, "%63s %d", word, &value) == 2) {
        if (!strcmp(word, own)) found = value, is_own = 1;
        else if (!is_own && !strcmp(word, name)) found = value;
    }
    fclose(file);
    return found;
}

int nvmlInit_v2(void) { return 0; }
int nvmlInitWithFlags(unsigned flags) { return 0; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { return "stub error"; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, gpu_t **gpu) {
    if (index > 1) return 2; /* NVML_ERROR_INVALID_ARGUMENT */
    *gpu = &gpus[index];
    return 0;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, gpu_t **gpu) {
    if (strncmp(uuid, "GPU-", 4)) return 2;
    return nvmlDeviceGetHandleByIndex_v2(atoi(uuid + 4), gpu);
}

int nvmlDeviceGetTemperature(gpu_t *gpu, int sensor, unsigned *celsius) {
    int error = reading("error", gpu->index, 0);
    *celsius = reading("temperature", gpu->index, 40);
    return error;
}

int nvmlDeviceGetPowerManagementLimit(gpu_t *gpu, unsigned *milliwatts) {
    *milliwatts = 300000;
    return reading("power_error", gpu->index, 0);
}

int nvmlDeviceSetPowerManagementLimit(gpu_t *gpu, unsigned milliwatts) {
    FILE *file = fopen(getenv("NVML_STUB_POWER"), "a");
    fprintf(file, "%d %u\n", gpu->index, milliwatts);
    fclose(file);
    return 0;
}
