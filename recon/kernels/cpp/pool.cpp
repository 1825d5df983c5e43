#include "pool.hpp"

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include <unistd.h>

namespace otherlane {
namespace {

class Pool {
  public:
    void run(int count, int threads, const std::function<void(int, int)> &task) {
        std::lock_guard<std::mutex> one_at_a_time(caller_);
        grow(threads - 1);
        {
            std::lock_guard<std::mutex> guard(state_);
            task_ = &task, count_ = count, next_ = 0, failure_ = nullptr;
            wanted_ = busy_ = threads - 1;
            round_++;
        }
        wake_.notify_all();
        work(0);
        std::unique_lock<std::mutex> guard(state_);
        done_.wait(guard, [&] { return busy_ == 0; });
        if (failure_) std::rethrow_exception(failure_);
    }

  private:
    void grow(int helpers) {
        while ((int)helpers_.size() < helpers) {
            const int number = (int)helpers_.size() + 1;
            helpers_.emplace_back([this, number, seen = round_]() mutable { serve(number, seen); });
            helpers_.back().detach(); // they sleep until the process ends
        }
    }

    void serve(int number, long seen) {
        for (;;) {
            std::unique_lock<std::mutex> guard(state_);
            wake_.wait(guard, [&] { return round_ != seen; });
            seen = round_;
            if (number > wanted_) continue;
            guard.unlock();
            work(number);
            guard.lock();
            if (--busy_ == 0) done_.notify_one();
        }
    }

    void work(int number) {
        try {
            for (int i; (i = next_.fetch_add(1)) < count_;) (*task_)(i, number);
        } catch (...) {
            next_ = count_;
            std::lock_guard<std::mutex> guard(state_);
            failure_ = std::current_exception();
        }
    }

    std::mutex caller_, state_;
    std::condition_variable wake_, done_;
    std::vector<std::thread> helpers_;
    const std::function<void(int, int)> *task_ = nullptr;
    std::atomic<int> next_{0};
    int count_ = 0, wanted_ = 0, busy_ = 0;
    long round_ = 0;
    std::exception_ptr failure_;
};

// A forked child inherits the pool but none of its threads: it gets a new one.
Pool &pool() {
    static std::mutex guard;
    static Pool *current = nullptr;
    static pid_t owner = 0;
    std::lock_guard<std::mutex> held(guard);
    if (owner != getpid()) current = new Pool, owner = getpid();
    return *current;
}

} // namespace

void run_tasks(int count, int threads, const std::function<void(int, int)> &task) {
    if (threads > count) threads = count;
    if (threads > 1) {
        pool().run(count, threads, task);
    } else {
        for (int i = 0; i < count; i++) task(i, 0);
    }
}

} // namespace otherlane
