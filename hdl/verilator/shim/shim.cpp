// Flat C interface around one verilated model; built by the crate pinring-verilator.
//
// The caller owns the ports: an array of 32-bit words, each port ceil(width / 32) words, in the order of the port list,
// least significant word first. `ports.h` is generated from that list: PINRING_INPUTS(X) and PINRING_OUTPUTS(X) expand
// to X(port, first word, width) for every port, and PINRING_CAN_TRACE says whether the model was built with --trace.
// Functions that run the model return 0, or -1 after a failure that pinring_error() explains.

#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>

#include "Vmodel.h"
#include "ports.h"
#include "verilated.h"
#if PINRING_CAN_TRACE
#include "verilated_vcd_c.h"
#endif

#define PINRING_API extern "C" __attribute__((visibility("default")))

// Verilator's runtime would end the process on $stop and on fatal errors, and go on after a warning such as a missing
// $readmemh file. In a library all of these are errors of the call that met them.
void vl_fatal(const char* file, int line, const char*, const char* message) VL_MT_UNSAFE {
    throw std::runtime_error(std::string(file ? file : "") + ":" + std::to_string(line) + ": " + (message ? message : ""));
}

void vl_warn(const char* file, int line, const char* hierarchy, const char* message) VL_MT_UNSAFE {
    vl_fatal(file, line, hierarchy, message);
}

namespace {

// Verilator keeps the context made last in a plain static: contexts are made and dropped one at a time.
std::mutex context_mutex;

constexpr uint32_t top_mask(int width) { return width % 32 ? (uint32_t{1} << (width % 32)) - 1 : ~uint32_t{0}; }

// Verilated code relies on unused high bits being zero, hence the masks.
template <int Width, class T>
inline void load(T& port, const uint32_t* words) {
    static_assert(Width <= 32);
    port = static_cast<T>(words[0] & top_mask(Width));
}

template <int Width>
inline void load(QData& port, const uint32_t* words) {
    static_assert(Width > 32 && Width <= 64);
    port = words[0] | static_cast<QData>(words[1] & top_mask(Width)) << 32;
}

template <int Width, std::size_t N>
inline void load(VlWide<N>& port, const uint32_t* words) {
    static_assert((Width + 31) / 32 == N);
    std::memcpy(port.data(), words, sizeof(uint32_t) * N);
    port[N - 1] &= top_mask(Width);
}

template <int Width, class T>
inline void store(const T& port, uint32_t* words) {
    static_assert(Width <= 32);
    words[0] = port;
}

template <int Width>
inline void store(const QData& port, uint32_t* words) {
    static_assert(Width > 32 && Width <= 64);
    words[0] = static_cast<uint32_t>(port);
    words[1] = static_cast<uint32_t>(port >> 32);
}

template <int Width, std::size_t N>
inline void store(const VlWide<N>& port, uint32_t* words) {
    static_assert((Width + 31) / 32 == N);
    std::memcpy(words, port.data(), sizeof(uint32_t) * N);
}

struct Instance {
    VerilatedContext context;
    // After the context, so that it is dropped first.
    std::unique_ptr<Vmodel> model;
#if PINRING_CAN_TRACE
    std::unique_ptr<VerilatedVcdC> trace;
#endif
    std::string error;
    bool broken = false;

    void inputs(const uint32_t* words) {
#define PINRING_LOAD(port, first, width) load<width>(model->port, words + first);
        PINRING_INPUTS(PINRING_LOAD)
    }

    void outputs(uint32_t* words) const {
#define PINRING_STORE(port, first, width) store<width>(model->port, words + first);
        PINRING_OUTPUTS(PINRING_STORE)
    }

    void dump() {
#if PINRING_CAN_TRACE
        if (trace) trace->dump(context.time());
#endif
    }

    // No C++ exception may cross into the caller.
    template <class F>
    int guarded(F&& run) {
        Verilated::threadContextp(&context);
        try {
            run();
            return 0;
        } catch (const std::exception& failure) {
            error = failure.what();
        } catch (...) {
            error = "unknown C++ exception";
        }
        return -1;
    }

    // A model that failed half-way through an evaluation is not evaluated again: it keeps its first error.
    template <class F>
    int evaluating(F&& run) {
        if (broken) return -1;
        const int status = guarded(run);
        broken = status != 0;
        return status;
    }
};

}  // namespace

PINRING_API Instance* pinring_create(int argc, const char** argv) {
    const std::lock_guard<std::mutex> lock(context_mutex);
    try {
        auto instance = std::make_unique<Instance>();
        Verilated::threadContextp(&instance->context);
#if PINRING_CAN_TRACE
        instance->context.traceEverOn(true);
#endif
        instance->context.commandArgs(argc, argv);
        instance->model = std::make_unique<Vmodel>(&instance->context, "pinring");
        return instance.release();
    } catch (...) {
        return nullptr;
    }
}

PINRING_API void pinring_destroy(Instance* instance) {
    const std::lock_guard<std::mutex> lock(context_mutex);
    Verilated::threadContextp(&instance->context);
    delete instance;
}

PINRING_API const char* pinring_error(const Instance* instance) { return instance->error.c_str(); }

PINRING_API int pinring_finished(const Instance* instance) { return instance->context.gotFinish(); }

PINRING_API uint64_t pinring_time(const Instance* instance) { return instance->context.time(); }

PINRING_API void pinring_set_time(Instance* instance, uint64_t picoseconds) { instance->context.time(picoseconds); }

// Copies the inputs in, evaluates, copies the outputs out.
PINRING_API int pinring_eval(Instance* instance, uint32_t* words) {
    return instance->evaluating([=] {
        instance->inputs(words);
        instance->model->eval();
        instance->outputs(words);
    });
}

// `cycles` times: half a period, rising edge of the one-bit input at word `clock`, half a period, falling edge.
PINRING_API int pinring_cycle(Instance* instance, uint32_t* words, uint64_t clock, uint64_t half_period, uint64_t cycles) {
    return instance->evaluating([=] {
        for (uint64_t edge = 0; edge < 2 * cycles; ++edge) {
            words[clock] = !(edge & 1);
            instance->context.timeInc(half_period);
            instance->inputs(words);
            instance->model->eval();
            instance->dump();
        }
        instance->outputs(words);
    });
}

PINRING_API int pinring_trace_open(Instance* instance, const char* path, int depth) {
    return instance->guarded([=] {
#if PINRING_CAN_TRACE
        auto trace = std::make_unique<VerilatedVcdC>();
        instance->model->trace(trace.get(), depth);
        trace->open(path);
        if (!trace->isOpen()) throw std::runtime_error("cannot create the file");
        instance->trace = std::move(trace);
#else
        (void)path, (void)depth;
        throw std::runtime_error("built without --trace");
#endif
    });
}

PINRING_API int pinring_trace_dump(Instance* instance) {
    return instance->guarded([=] { instance->dump(); });
}

PINRING_API int pinring_trace_close(Instance* instance) {
    return instance->guarded([=] {
#if PINRING_CAN_TRACE
        if (instance->trace) instance->trace->close();
        instance->trace.reset();
#endif
    });
}
