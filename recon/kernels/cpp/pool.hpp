// Threads that wait for work: one set per process, used by one call at a time.
#pragma once

#include <functional>

namespace otherlane {

// Runs task(number, thread) for every number below `count`, on up to `threads` threads (the caller
// is thread 0). Which thread runs which task is not fixed: results must not depend on it.
void run_tasks(int count, int threads, const std::function<void(int, int)> &task);

} // namespace otherlane
