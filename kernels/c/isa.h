/* What the processor can run, whatever this extension was built for. */
#pragma once
int cpu_runs(const char *isa);
