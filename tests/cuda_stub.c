/* A driver for CUDA that is not there, for the real cuda.bindings and cuda.core to call: the device's
 * memory is host memory, and a launch is handed to whoever asked for it with stub_run. What the calls
 * take is checked where Python could get it wrong. Built by tests/test_cuda_bindings.py. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long address;
typedef unsigned int u32;
typedef int launch(const char *name, const u32 *sizes, void **arguments);

#define STREAM ((void *)77)
#define NON_BLOCKING 1u
#define NO_TIMING 2u
#define DYNAMIC_SHARED 8
#define MAJOR 75

static launch *run;
static void *context;

void stub_run(launch *given) { run = given; }

int cuInit(u32 flags) { return flags != 0; }
int cuDriverGetVersion(int *v) { return *v = 13000, 0; }
int cuDeviceGetCount(int *n) { return *n = 1, 0; }
int cuDeviceGet(int *d, int ordinal) { return *d = ordinal, 0; }
int cuDeviceGetName(char *s, int n, int d) { return strncpy(s, "Stub", (size_t)n), d; }
int cuDeviceGetAttribute(int *v, int kind, int d) { return *v = kind == MAJOR ? 9 : 0, d; }
int cuDevicePrimaryCtxRetain(void **c, int d) { return *c = (void *)55, d; }
int cuCtxSetCurrent(void *c) { return (context = c) != (void *)55; }
int cuGetErrorName(int e, const char **s) { return *s = e == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR_OTHER", 0; }
int cuGetErrorString(int e, const char **s) { return *s = "what it means", e < 0; }

int cuMemAllocAsync(address *p, size_t n, void *s) {
    if (n > 1u << 30) return 2;
    *p = (address)(uintptr_t)aligned_alloc(256, (n + 255) / 256 * 256);
    return s != STREAM || !context;
}
int cuMemFreeAsync(address p, void *s) { return free((void *)(uintptr_t)p), s != STREAM; }
int cuMemGetInfo_v2(size_t *a, size_t *b) { return *a = 1u << 20, *b = 1u << 30, 0; }
int cuMemHostAlloc(void **p, size_t n, u32 flags) { return *p = malloc(n), flags != 0; }
int cuMemcpyDtoDAsync_v2(address d, address s, size_t n, void *t) {
    return memmove((void *)(uintptr_t)d, (void *)(uintptr_t)s, n), t != STREAM;
}
int cuMemcpyHtoDAsync_v2(address d, const void *s, size_t n, void *t) {
    return memmove((void *)(uintptr_t)d, s, n), t != STREAM;
}
int cuMemcpyDtoHAsync_v2(void *d, address s, size_t n, void *t) {
    return memmove(d, (void *)(uintptr_t)s, n), t != STREAM;
}
int cuMemsetD8Async(address d, unsigned char c, size_t n, void *t) {
    return memset((void *)(uintptr_t)d, c, n), t != STREAM;
}

int cuStreamCreate(void **s, u32 flags) { return *s = STREAM, flags != NON_BLOCKING; }
int cuStreamSynchronize(void *s) { return s != STREAM; }
int cuStreamWriteValue32_v2(void *s, address a, uint32_t v, u32 flags) {
    return *(uint32_t *)(uintptr_t)a = v, s != STREAM || flags;
}
int cuEventCreate(void **e, u32 flags) { return *e = malloc(1), flags != NO_TIMING; }
int cuEventRecord(void *e, void *s) { return !e || s != STREAM; }
int cuEventSynchronize(void *e) { return !e; }
int cuEventDestroy_v2(void *e) { return free(e), 0; }

struct kernel {
    const char *name;
};
struct launch_config {
    u32 sizes[7];
    void *stream, *attributes;
    u32 count;
};
int cuLibraryLoadData(void **l, const void *code, void *a, void *b, u32 n, void *c, void *d,
                      u32 m) {
    return *l = (void *)5, memcmp(code, "\177ELF", 4) != 0 || n || m || (a && !b) || (c && !d);
}
int cuLibraryUnload(void *l) { return l != (void *)5; }
int cuLibraryGetKernel(struct kernel **k, void *l, const char *name) {
    *k = malloc(sizeof **k);
    (*k)->name = strdup(name);
    return l != (void *)5;
}
int cuKernelGetLibrary(void **l, struct kernel *k) { return *l = (void *)5, !k; }
int cuKernelGetFunction(const char **f, struct kernel *k) { return *f = k->name, !context; }
int cuKernelSetAttribute(int kind, int v, struct kernel *k, int d) {
    return !k || kind != DYNAMIC_SHARED || v <= 0 || d;
}
int cuFuncSetAttribute(void *f, int kind, int v) { return !f || kind != DYNAMIC_SHARED || v <= 0; }
int cuLaunchKernelEx(const struct launch_config *c, struct kernel *k, void **arguments,
                     void **extra) {
    return c->stream != STREAM || c->count || extra || (run && run(k->name, c->sizes, arguments));
}

#include "cuda_stub_graph.h"

#define KNOWN(name, versioned) {#name, (void *)versioned}
static const struct { const char *name; void *function; } known[] = {
    KNOWN(cuInit, cuInit), KNOWN(cuDriverGetVersion, cuDriverGetVersion),
    KNOWN(cuDeviceGetCount, cuDeviceGetCount), KNOWN(cuDeviceGet, cuDeviceGet),
    KNOWN(cuDeviceGetName, cuDeviceGetName), KNOWN(cuDeviceGetAttribute, cuDeviceGetAttribute),
    KNOWN(cuDevicePrimaryCtxRetain, cuDevicePrimaryCtxRetain),
    KNOWN(cuCtxSetCurrent, cuCtxSetCurrent), KNOWN(cuGetErrorName, cuGetErrorName),
    KNOWN(cuGetErrorString, cuGetErrorString), KNOWN(cuMemAllocAsync, cuMemAllocAsync),
    KNOWN(cuMemFreeAsync, cuMemFreeAsync), KNOWN(cuMemGetInfo, cuMemGetInfo_v2),
    KNOWN(cuMemHostAlloc, cuMemHostAlloc), KNOWN(cuMemcpyDtoDAsync, cuMemcpyDtoDAsync_v2),
    KNOWN(cuMemcpyHtoDAsync, cuMemcpyHtoDAsync_v2), KNOWN(cuMemcpyDtoHAsync, cuMemcpyDtoHAsync_v2),
    KNOWN(cuMemsetD8Async, cuMemsetD8Async), KNOWN(cuStreamCreate, cuStreamCreate),
    KNOWN(cuStreamSynchronize, cuStreamSynchronize),
    KNOWN(cuStreamWriteValue32, cuStreamWriteValue32_v2), KNOWN(cuEventCreate, cuEventCreate),
    KNOWN(cuEventRecord, cuEventRecord), KNOWN(cuEventSynchronize, cuEventSynchronize),
    KNOWN(cuEventDestroy, cuEventDestroy_v2), KNOWN(cuLibraryLoadData, cuLibraryLoadData),
    KNOWN(cuLibraryUnload, cuLibraryUnload), KNOWN(cuLibraryGetKernel, cuLibraryGetKernel),
    KNOWN(cuKernelGetLibrary, cuKernelGetLibrary),
    KNOWN(cuKernelGetFunction, cuKernelGetFunction),
    KNOWN(cuKernelSetAttribute, cuKernelSetAttribute),
    KNOWN(cuFuncSetAttribute, cuFuncSetAttribute), KNOWN(cuLaunchKernelEx, cuLaunchKernelEx),
    KNOWN(cuGraphCreate, cuGraphCreate), KNOWN(cuGraphAddKernelNode, cuGraphAddKernelNode_v2),
    KNOWN(cuGraphAddMemcpyNode, cuGraphAddMemcpyNode),
    KNOWN(cuGraphAddMemsetNode, cuGraphAddMemsetNode),
    KNOWN(cuGraphInstantiateWithFlags, cuGraphInstantiateWithFlags),
    KNOWN(cuGraphExecKernelNodeSetParams, cuGraphExecKernelNodeSetParams_v2),
    KNOWN(cuGraphLaunch, cuGraphLaunch), KNOWN(cuGraphExecDestroy, cuGraphExecDestroy),
    KNOWN(cuGraphDestroy, cuGraphDestroy),
};

int cuGetProcAddress_v2(const char *name, void **p, int version, uint64_t flags, int *status) {
    (void)version, (void)flags;
    *p = NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(name, known[i].name)) *p = known[i].function;
    if (status) *status = *p == NULL;
    return 0;
}
int cuGetProcAddress(const char *name, void **p, int version, uint64_t flags) {
    return cuGetProcAddress_v2(name, p, version, flags, NULL);
}
