/* Graphs of the made-up driver in cuda_stub.c: chains of nodes, whose arguments are copied when they
 * are given, as a driver does. How many a kernel has is told by whoever runs it. */
enum kind { KERNEL, COPY, FILL };

struct node {
    enum kind kind;
    void *function;
    u32 sizes[7];
    uint64_t values[64];
    void *places[64];
    address to, from;
    size_t bytes;
    int byte;
    struct node *next;
};
struct graph {
    struct node *first, *last;
    int alive;
};
struct kernel_params {
    void *function;
    u32 sizes[7];
    void **arguments, **extra;
    void *kernel, *context;
};
struct copy_params {
    size_t from_x, from_y, from_z, from_level;
    int from_kind;
    const void *from_host;
    address from;
    void *from_array, *from_reserved;
    size_t from_pitch, from_height;
    size_t to_x, to_y, to_z, to_level;
    int to_kind;
    void *to_host;
    address to;
    void *to_array, *to_reserved;
    size_t to_pitch, to_height;
    size_t bytes, height, depth;
};
struct fill_params {
    address to;
    size_t pitch;
    u32 value, element;
    size_t width, height;
};
typedef int counter(const char *name);

static counter *count;

void stub_count(counter *given) { count = given; }

static int set(struct node *n, const struct kernel_params *p) {
    int arguments = count(p->function);
    n->kind = KERNEL, n->function = p->function;
    memcpy(n->sizes, p->sizes, sizeof n->sizes);
    for (int i = 0; i < arguments; i++) {
        memcpy(&n->values[i], p->arguments[i], 8);
        n->places[i] = &n->values[i];
    }
    return arguments > 64 || p->extra || p->kernel;
}
static struct node *add(struct graph *g, struct node *const *after, size_t k) {
    struct node *n = calloc(1, sizeof *n);
    if (k != (g->last != NULL) || (k && *after != g->last) || !g->alive) return free(n), NULL;
    if (g->last) g->last->next = n;
    else g->first = n;
    return g->last = n;
}

int cuGraphCreate(struct graph **g, u32 flags) {
    *g = calloc(1, sizeof **g);
    (*g)->alive = 1;
    return flags != 0;
}
int cuGraphAddKernelNode_v2(struct node **n, struct graph *g, struct node *const *after, size_t k,
                            const struct kernel_params *p) {
    return !(*n = add(g, after, k)) || set(*n, p);
}
int cuGraphAddMemcpyNode(struct node **n, struct graph *g, struct node *const *after, size_t k,
                         const struct copy_params *p, void *c) {
    if (!(*n = add(g, after, k))) return 1;
    (*n)->kind = COPY, (*n)->to = p->to, (*n)->from = p->from, (*n)->bytes = p->bytes;
    return p->from_kind != 2 || p->to_kind != 2 || p->height != 1 || p->depth != 1 || c != context;
}
int cuGraphAddMemsetNode(struct node **n, struct graph *g, struct node *const *after, size_t k,
                         const struct fill_params *p, void *c) {
    if (!(*n = add(g, after, k))) return 1;
    (*n)->kind = FILL, (*n)->to = p->to, (*n)->bytes = p->width, (*n)->byte = (int)p->value;
    return p->element != 1 || p->height != 1 || c != context;
}
int cuGraphInstantiateWithFlags(struct graph **exec, struct graph *g, unsigned long long flags) {
    return *exec = g, flags != 0 || !g->alive;
}
int cuGraphExecKernelNodeSetParams_v2(struct graph *g, struct node *n,
                                      const struct kernel_params *p) {
    struct node *at = g->first;
    while (at && at != n) at = at->next;
    return !at || !g->alive || set(n, p);
}
int cuGraphLaunch(struct graph *g, void *s) {
    for (struct node *n = g->first; n; n = n->next) {
        if (n->kind == KERNEL && run(n->function, n->sizes, n->places)) return 1;
        if (n->kind == COPY) memmove((void *)(uintptr_t)n->to, (void *)(uintptr_t)n->from, n->bytes);
        if (n->kind == FILL) memset((void *)(uintptr_t)n->to, n->byte, n->bytes);
    }
    return s != STREAM || !g->alive;
}
int cuGraphExecDestroy(struct graph *g) { return !g->alive; } /* before the nodes that name its own */
int cuGraphDestroy(struct graph *g) { return g->alive = 0; }
