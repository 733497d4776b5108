/*
 * Registers a buffer, submits a burst of transfers from the card, waits for it, and gives the buffer back.
 *
 *   cc -I host-driver/client/include host-driver/client/examples/burst.c -L target/release -lpinring_client -o burst
 *
 * With -DPINRING_LOOPBACK, and a library with the feature `loopback`, it runs without a card: a double sends the demo's pattern.
 */
#include "pinring_client.h"

#include <stdio.h>
#include <stdlib.h>

#define TRANSFERS 8
#define TRANSFER_BYTES ((size_t)4 << 20)
#define SECOND_NS UINT64_C(1000000000)

static void check(int32_t result, const char *what)
{
    if (result != PINRING_OK) {
        fprintf(stderr, "%s: %s\n", what, pinring_error_message());
        exit(1);
    }
}

int main(void)
{
    PinringDevice *device = NULL;
#ifdef PINRING_LOOPBACK
    check(pinring_open_loopback(&device), "open");
#else
    check(pinring_open(NULL, &device), "open");
#endif

    /* The application's own memory, registered once; of whole pages, so that any tier is to be had. */
    size_t bytes = TRANSFERS * TRANSFER_BYTES;
    uint8_t *frames = NULL;
    check(pinring_buffer_alloc(bytes, &frames), "memory");
    PinringRegion *region = NULL;
    check(pinring_register(device, frames, bytes, PINRING_PERMIT_C2H, PINRING_TIER_BYPASS, PINRING_TIER_PER_TRANSFER, &region),
          "register");
    PinringRegionInfo info;
    check(pinring_region_info(region, &info), "region info");
    printf("registered %llu bytes, tier %u\n", (unsigned long long)info.length, (unsigned)info.tier);

    /* From here on, every burst is one call. */
    PinringTransfer transfers[TRANSFERS] = {0};
    for (size_t i = 0; i < TRANSFERS; i++) {
        transfers[i].region = info.handle;
        transfers[i].offset = i * TRANSFER_BYTES;
        transfers[i].length = TRANSFER_BYTES;
        transfers[i].cookie = i;
    }
    check(pinring_submit(device, PINRING_C2H, transfers, TRANSFERS), "submit");

    size_t left = TRANSFERS;
    while (left > 0) {
        PinringCompletion completions[TRANSFERS];
        size_t count = 0;
        check(pinring_wait(device, 1, 5 * SECOND_NS, completions, TRANSFERS, &count), "wait");
        if (count == 0) {
            fprintf(stderr, "no transfer ended within 5 s: does the card send?\n");
            check(pinring_cancel(device, NULL), "cancel");
            break;
        }
        for (size_t i = 0; i < count; i++) {
            printf("transfer %llu: %llu bytes, %s\n", (unsigned long long)completions[i].cookie,
                   (unsigned long long)completions[i].bytes, pinring_transfer_status_text(completions[i].status));
        }
        left -= count;
    }

    /* The memory may be freed only when the device has let go of it. */
    check(pinring_unregister(region, PINRING_FOREVER), "unregister");
    printf("first bytes %02x %02x %02x %02x\n", frames[4], frames[5], frames[6], frames[7]);
    pinring_buffer_free(frames, bytes);
    PinringStatistics statistics;
    check(pinring_statistics(device, &statistics), "statistics");
    printf("%llu transfers took %llu doorbells\n", (unsigned long long)statistics.transfers,
           (unsigned long long)statistics.doorbells);
    pinring_close(device);
    return left == 0 ? 0 : 1;
}
