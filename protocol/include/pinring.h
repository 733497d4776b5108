/* Generated from the declarations in protocol/src: do not edit.
 * Made by: cargo xtask generate
 *
 * Pinring's wire format. Everything is little-endian; bits without a name are reserved and zero.
 */
/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef PINRING_H
#define PINRING_H

#include <stdint.h>

#define PINRING_MAGIC 0x474e5250u
#define PINRING_ABI_MAJOR 1u
#define PINRING_ABI_MINOR 0u
/* Hash over every layout; a device whose register LAYOUT_HASH differs must be refused. */
#define PINRING_LAYOUT_HASH UINT64_C(0x2be27f1783c1cd0d)

/* What a submission entry asks for. */
/* Does nothing; completes in its turn with zero bytes. */
#define PINRING_OPCODE_NOP 0x0u
/* Card to host: bytes from the user stream are written to the region. */
#define PINRING_OPCODE_C2H 0x1u
/* Host to card: bytes of the region are read and sent on the user stream. */
#define PINRING_OPCODE_H2C 0x2u
/* Completes when every earlier entry of the queue has completed; later entries wait for it. */
#define PINRING_OPCODE_FENCE 0x3u

/* What an entry of the admin queue asks for. */
/* Creates queue `target` from the queue context in the body. */
#define PINRING_ADMIN_OPCODE_CREATE_QUEUE 0x81u
/* Stops queue `target`, aborts its transfers and forgets its context. */
#define PINRING_ADMIN_OPCODE_DESTROY_QUEUE 0x82u
/* Aborts the transfers of region `target`; completes when the device no longer touches its memory. */
#define PINRING_ADMIN_OPCODE_INVALIDATE_REGION 0x83u
/* Flushes the firmware's log to register LOG_DATA. */
#define PINRING_ADMIN_OPCODE_READ_LOG 0x84u

/* Which way data goes. */
/* Card to host: the device writes host memory. */
#define PINRING_DIRECTION_C2H 0x0u
/* Host to card: the device reads host memory. */
#define PINRING_DIRECTION_H2C 0x1u

/* How the scatter/gather table of a region is written. */
/* No region lives here. */
#define PINRING_SG_FORMAT_INVALID 0x0u
/* 16-byte elements, each a run of neighbouring 4 KiB pages. */
#define PINRING_SG_FORMAT_PAGE_GRANULAR 0x1u
/* 8-byte elements, one per page of 2^`page_shift` bytes. */
#define PINRING_SG_FORMAT_UNIFORM 0x2u

/* How a transfer or an admin command ended. */
/* Done. A short C2H packet also ends so, with fewer bytes moved and EOP set. */
#define PINRING_STATUS_OK 0x0u
/* The region was invalidated or the queue destroyed while the transfer waited or ran: submit again on a live one. */
#define PINRING_STATUS_ABORTED 0x1u
/* Unknown opcode, or one that runs against the queue's direction: a driver error. */
#define PINRING_STATUS_BAD_OPCODE 0x2u
/* The entry's ring index is not the index that the device fetched: the ring was overwritten or the doorbell ran ahead. */
#define PINRING_STATUS_BAD_INDEX 0x3u
/* The region id is not below REGION_COUNT: use a registered region. */
#define PINRING_STATUS_BAD_REGION 0x4u
/* The region has been registered anew since: use the handle's present generation. */
#define PINRING_STATUS_STALE_GENERATION 0x5u
/* Region and queue belong to different protection domains: submit on a queue of the region's domain. */
#define PINRING_STATUS_WRONG_DOMAIN 0x6u
/* The region does not permit this direction: register it with the permission. */
#define PINRING_STATUS_NO_PERMISSION 0x7u
/* The transfer leaves the region: zero length, or offset plus length past the region's length or past 2^64. */
#define PINRING_STATUS_OUT_OF_BOUNDS 0x8u
/* The element that sg_hint names does not hold the first byte: compute the hint from the region's table. */
#define PINRING_STATUS_BAD_HINT 0x9u
/* An SG element is not valid, or does not follow the one before it: the table in host memory is damaged. */
#define PINRING_STATUS_BAD_SG_ELEMENT 0xau
/* The region entry's format, page size or length makes no sense: the region table in host memory is damaged. */
#define PINRING_STATUS_BAD_REGION_ENTRY 0xbu
/* A reserved bit of the submission entry is set: write zeros, or check the ABI version. */
#define PINRING_STATUS_RESERVED_NOT_ZERO 0xcu
/* The entry's TDEST is outside the queue's range: use one that the queue was created for. */
#define PINRING_STATUS_BAD_TDEST 0xdu
/* A read was answered with Unsupported Request: the address is not mapped (IOMMU fault or released memory). */
#define PINRING_STATUS_READ_UNSUPPORTED 0xeu
/* A read was answered with Completer Abort: the memory's owner refused it. */
#define PINRING_STATUS_READ_ABORTED 0xfu
/* A read brought poisoned data: host memory reports an uncorrectable error. */
#define PINRING_STATUS_READ_POISONED 0x10u
/* A read was not answered in time; its tag stays out of use until the answer comes or the function is reset. */
#define PINRING_STATUS_READ_TIMEOUT 0x11u
/* A read was answered with more bytes than asked for or with a wrong tag or address: a fault of the link or root complex. */
#define PINRING_STATUS_READ_MALFORMED 0x12u
/* The queue was disabled with the entry still in it: enable or create it again. */
#define PINRING_STATUS_QUEUE_DISABLED 0x13u
/* The firmware refused the transfer without a closer reason: read its log. */
#define PINRING_STATUS_REJECTED 0x14u
/* Admin: no such queue, or the admin queue itself: use a created queue's id. */
#define PINRING_STATUS_BAD_QUEUE 0x20u
/* Admin: the queue exists already: destroy it first. */
#define PINRING_STATUS_QUEUE_EXISTS 0x21u
/* Admin: the queue context is out of range (ring size, vector, TDEST range, alignment): see its table. */
#define PINRING_STATUS_BAD_QUEUE_CONTEXT 0x22u
/* Error log only: the watchdog restarted the firmware, no transfer was lost; count in FIRMWARE_RESTARTS, cause in the firmware's log. */
#define PINRING_STATUS_FIRMWARE_RESTARTED 0x30u

/* State of the firmware, as register FIRMWARE_STATE shows it with bits 23:0 of the detail. */
/* Out of reset, not yet serving. */
#define PINRING_FIRMWARE_STATE_BOOTING 0x0u
/* Serving misses. */
#define PINRING_FIRMWARE_STATE_RUNNING 0x1u
/* Stopped by a panic, with the source line as detail, or by a trap of the processor, with the program counter. Reset the device. */
#define PINRING_FIRMWARE_STATE_PANICKED 0x2u
/* The mailbox brought a message that does not decode; the detail is its first word. Reset the device. */
#define PINRING_FIRMWARE_STATE_BAD_MESSAGE 0x3u
/* The gateware was built with another layout, so that the firmware does not serve; the detail is the low half of the firmware's own layout hash. Build firmware and bitstream from the same version. */
#define PINRING_FIRMWARE_STATE_BAD_LAYOUT 0x4u

/* What the gateware tells the firmware. */
/* A transfer's region is not on chip: answer with FILL or REJECT. */
#define PINRING_MESSAGE_KIND_MISS 0x1u
/* An admin entry: the next four raw entries are its 64 bytes. Comes again, with another ticket, for firmware that starts anew. */
#define PINRING_MESSAGE_KIND_ADMIN 0x5u
/* An abort has finished: no read is in flight and the last write has entered the posted FIFO. */
#define PINRING_MESSAGE_KIND_QUIESCED 0x6u

/* What the firmware tells the gateware. */
/* Answers MISS: where the region stays, if it stays; its entry is being read meanwhile, and its SG block follows. */
#define PINRING_COMMAND_KIND_FILL 0x1u
/* Answers MISS: end the transfer with the status. */
#define PINRING_COMMAND_KIND_REJECT 0x2u
/* Writes 64 bits of a queue context. */
#define PINRING_COMMAND_KIND_QUEUE 0x4u
/* Starts a queue. */
#define PINRING_COMMAND_KIND_ENABLE 0x5u
/* Stops a queue: no further entry of it is read. */
#define PINRING_COMMAND_KIND_DISABLE 0x6u
/* Aborts the transfers of a region; QUIESCED follows. */
#define PINRING_COMMAND_KIND_ABORT_REGION 0x7u
/* Writes the completion of an admin entry; dropped unless it answers the last ADMIN. */
#define PINRING_COMMAND_KIND_ADMIN_DONE 0x8u
/* STATUS: the firmware's heartbeat and state, for register FIRMWARE_STATE. */
#define PINRING_COMMAND_KIND_HEARTBEAT 0x9u
/* Bytes of the firmware's log. */
#define PINRING_COMMAND_KIND_LOG 0xau
/* Aborts the transfers of a queue; QUIESCED follows. */
#define PINRING_COMMAND_KIND_ABORT_QUEUE 0xbu

/* What a QUIESCED message speaks of. */
/* A region: nothing reads or writes through it any more. */
#define PINRING_QUIESCE_REGION 0x0u
/* A queue: none of its transfers is left. */
#define PINRING_QUIESCE_QUEUE 0x1u

/* Size of BAR0. */
#define PINRING_BAR0_BAR0_BYTES 0x20000u
/* MSI-X table. */
#define PINRING_BAR0_MSIX_TABLE 0x4000u
/* MSI-X pending bit array. */
#define PINRING_BAR0_MSIX_PBA 0x5000u
/* Doorbell page of queue 0. */
#define PINRING_BAR0_DOORBELLS 0x10000u
/* From one queue's doorbell page to the next. */
#define PINRING_BAR0_DOORBELL_STRIDE 0x1000u
/* The doorbell within its page. */
#define PINRING_BAR0_DOORBELL 0x0u
/* The inline slot within its page: 64 bytes for a copy of a submission entry that is in the ring already. A write that begins here names the entry by its first 4 bytes; one of all 64 may spare the device the read of it. */
#define PINRING_BAR0_INLINE_SLOT 0x40u

/* Queues, the admin queue included. */
#define PINRING_LIMIT_QUEUES 0x10u
/* Id of the admin queue. */
#define PINRING_LIMIT_ADMIN_QUEUE 0x0u
/* Transfer contexts per direction. */
#define PINRING_LIMIT_CONTEXTS 0x10u
/* Bytes of the SG table that are fetched and held together. */
#define PINRING_LIMIT_SG_BLOCK_BYTES 0x200u
/* Page-granular elements in an SG block. */
#define PINRING_LIMIT_SG_BLOCK_ELEMENTS 0x20u
/* Uniform elements in an SG block. */
#define PINRING_LIMIT_SG_BLOCK_UNIFORM_ELEMENTS 0x40u
/* On-chip slots for SG blocks, per direction: two for each context, then one for each way. */
#define PINRING_LIMIT_SG_SLOTS 0x60u
/* SG blocks that one context may hold at a time. */
#define PINRING_LIMIT_SG_WINDOWS 0x2u
/* Sets of resident regions, per direction; the set is the low bits of the region id. */
#define PINRING_LIMIT_RESIDENT_SETS 0x10u
/* Regions that stay on chip in one set. */
#define PINRING_LIMIT_RESIDENT_WAYS 0x4u
/* H2C read slots that a device may have (tags 8 on); register READ_TAGS holds its own number. */
#define PINRING_LIMIT_READ_SLOTS 0x100u
/* Bytes of one H2C data read at most. */
#define PINRING_LIMIT_READ_SLOT_BYTES 0x200u
/* Reads of rings, region entries and SG blocks in flight (tags 0 to 7). */
#define PINRING_LIMIT_FETCH_TAGS 0x8u
/* MSI-X vectors. */
#define PINRING_LIMIT_VECTORS 0x10u
/* Device clock cycles in one unit of a queue's moderation time. */
#define PINRING_LIMIT_MODERATION_CYCLES 0x10u
/* log2 of a ring's largest number of entries; one bit of the 16-bit index is left for the phase. */
#define PINRING_LIMIT_MAX_RING_LOG2 0xfu
/* log2 of the page size. */
#define PINRING_LIMIT_PAGE_SHIFT 0xcu
/* Bytes of a page. */
#define PINRING_LIMIT_PAGE 0x1000u
/* log2 of the largest uniform page. */
#define PINRING_LIMIT_MAX_UNIFORM_SHIFT 0x1eu
/* Regions that a region table may have. */
#define PINRING_LIMIT_MAX_REGIONS 0x10000u
/* Microseconds from one heartbeat of the firmware (STATUS command) to the next. */
#define PINRING_LIMIT_HEARTBEAT_US 0x7du
/* Microseconds without a heartbeat after which the watchdog restarts the soft core. */
#define PINRING_LIMIT_WATCHDOG_US 0x1f4u
/* Restarts in a row, with less than `HEARTBEATS_OF_HEALTH` heartbeats between them, after which the watchdog gives up. */
#define PINRING_LIMIT_WATCHDOG_RESTARTS 0x4u
/* Heartbeats after which a restart counts as a success. */
#define PINRING_LIMIT_HEARTBEATS_OF_HEALTH 0x4u
/* Milliseconds without a heartbeat after which STATUS.FIRMWARE_STALLED is up: the watchdog has given up by then. */
#define PINRING_LIMIT_STALL_MS 0xau

/* Start of the window in the core's address space. */
#define PINRING_MMIO_BASE 0x80000000u
/* Bit 0: a message is available; bit 1: there is room for a command; bit 2: the message is a raw entry. */
#define PINRING_MMIO_MAILBOX_STATUS 0x0u
/* Word 0 of the message at the head. */
#define PINRING_MMIO_RX_WORD0 0x10u
/* Word 1 of the message at the head. */
#define PINRING_MMIO_RX_WORD1 0x14u
/* Word 2 of the message at the head. */
#define PINRING_MMIO_RX_WORD2 0x18u
/* Word 3 of the message at the head. */
#define PINRING_MMIO_RX_WORD3 0x1cu
/* A write takes the message off the head. */
#define PINRING_MMIO_RX_POP 0x20u
/* Word 0 of the next command. */
#define PINRING_MMIO_TX_WORD0 0x30u
/* Word 1 of the next command. */
#define PINRING_MMIO_TX_WORD1 0x34u
/* Word 2 of the next command. */
#define PINRING_MMIO_TX_WORD2 0x38u
/* Word 3 of the next command; the write sends it. */
#define PINRING_MMIO_TX_WORD3 0x3cu
/* Core cycles since reset, low half; reading it holds the high half. */
#define PINRING_MMIO_CYCLES_LO 0x40u
/* Core cycles since reset, high half. */
#define PINRING_MMIO_CYCLES_HI 0x44u
/* Core clock in Hz. */
#define PINRING_MMIO_CORE_HZ 0x48u
/* Queues and vectors of the device, as BAR0's register LIMITS0 has them. */
#define PINRING_MMIO_LIMITS 0x4cu
/* LEDs, one per bit. */
#define PINRING_MMIO_LEDS 0x50u
/* Layout hash of the gateware, low half, at this offset in every version: firmware with another hash does not serve. */
#define PINRING_MMIO_LAYOUT_HASH_LO 0x58u
/* Layout hash of the gateware, high half, at this offset in every version. */
#define PINRING_MMIO_LAYOUT_HASH_HI 0x5cu
/* `MAILBOX_STATUS`: a message is available. */
#define PINRING_MMIO_STATUS_MESSAGE 0x1u
/* `MAILBOX_STATUS`: there is room for a command. */
#define PINRING_MMIO_STATUS_ROOM 0x2u
/* `MAILBOX_STATUS`: the message at the head is a quarter of an admin entry. */
#define PINRING_MMIO_STATUS_RAW 0x4u

/* Identity: "PRNG" in little-endian ASCII, `MAGIC`. */
#define PINRING_REG_MAGIC 0x000u /* 32 bits, Ro */

/* Version of the binary interface and of the gateware. */
#define PINRING_REG_VERSION 0x004u /* 32 bits, Ro */
/* Build of the gateware. */
#define PINRING_REG_VERSION_PATCH_SHIFT 0
#define PINRING_REG_VERSION_PATCH_MASK UINT32_C(0xffff)
/* Minor version: additions behind feature bits. */
#define PINRING_REG_VERSION_MINOR_SHIFT 16
#define PINRING_REG_VERSION_MINOR_MASK UINT32_C(0xff0000)
/* Major version: must equal the driver's. */
#define PINRING_REG_VERSION_MAJOR_SHIFT 24
#define PINRING_REG_VERSION_MAJOR_MASK UINT32_C(0xff000000)

/* Hash of every layout, `LAYOUT_HASH`: driver and firmware refuse a device whose hash differs. */
#define PINRING_REG_LAYOUT_HASH 0x008u /* 64 bits, Ro */

/* What this device can do beyond the base. */
#define PINRING_REG_FEATURES 0x010u /* 64 bits, Ro */
/* The inline slot of the doorbell page is looked at. */
#define PINRING_REG_FEATURES_INLINE_DOORBELL_SHIFT 0
#define PINRING_REG_FEATURES_INLINE_DOORBELL_MASK UINT64_C(0x1)
/* Regions may be of the uniform format. */
#define PINRING_REG_FEATURES_UNIFORM_SG_SHIFT 1
#define PINRING_REG_FEATURES_UNIFORM_SG_MASK UINT64_C(0x2)
/* SG blocks stay on chip between transfers. */
#define PINRING_REG_FEATURES_RESIDENT_HITS_SHIFT 2
#define PINRING_REG_FEATURES_RESIDENT_HITS_MASK UINT64_C(0x4)
/* RAMs are protected by parity. */
#define PINRING_REG_FEATURES_PARITY_SHIFT 3
#define PINRING_REG_FEATURES_PARITY_MASK UINT64_C(0x8)

/* Numbers of queues and vectors. */
#define PINRING_REG_LIMITS0 0x018u /* 32 bits, Ro */
/* Queues, the admin queue included. */
#define PINRING_REG_LIMITS0_QUEUES_SHIFT 0
#define PINRING_REG_LIMITS0_QUEUES_MASK UINT32_C(0xffff)
/* MSI-X vectors. */
#define PINRING_REG_LIMITS0_VECTORS_SHIFT 16
#define PINRING_REG_LIMITS0_VECTORS_MASK UINT32_C(0xffff0000)

/* Logarithms of sizes. */
#define PINRING_REG_LIMITS1 0x01cu /* 32 bits, Ro */
/* log2 of the data path's bits. */
#define PINRING_REG_LIMITS1_DATA_WIDTH_LOG2_SHIFT 0
#define PINRING_REG_LIMITS1_DATA_WIDTH_LOG2_MASK UINT32_C(0xff)
/* log2 of the bytes between two doorbell pages. */
#define PINRING_REG_LIMITS1_DOORBELL_STRIDE_LOG2_SHIFT 8
#define PINRING_REG_LIMITS1_DOORBELL_STRIDE_LOG2_MASK UINT32_C(0xff00)
/* log2 of the smallest page. */
#define PINRING_REG_LIMITS1_PAGE_SHIFT_SHIFT 16
#define PINRING_REG_LIMITS1_PAGE_SHIFT_MASK UINT32_C(0xff0000)
/* log2 of the contexts per direction. */
#define PINRING_REG_LIMITS1_CONTEXTS_LOG2_SHIFT 24
#define PINRING_REG_LIMITS1_CONTEXTS_LOG2_MASK UINT32_C(0xff000000)

/* Frequency of the device clock in Hz. */
#define PINRING_REG_CLOCK_HZ 0x020u /* 32 bits, Ro */

/* H2C reads that may be in flight. */
#define PINRING_REG_READ_TAGS 0x024u /* 32 bits, Ro */

/* Largest region count that the device takes. */
#define PINRING_REG_MAX_REGIONS 0x028u /* 32 bits, Ro */

/* What the host wants. */
#define PINRING_REG_CONTROL 0x040u /* 32 bits, Rw */
/* The device may master the bus. */
#define PINRING_REG_CONTROL_ENABLE_SHIFT 0
#define PINRING_REG_CONTROL_ENABLE_MASK UINT32_C(0x1)
/* Resets queues, engines and firmware; reads as 1 until it is done. */
#define PINRING_REG_CONTROL_RESET_SHIFT 1
#define PINRING_REG_CONTROL_RESET_MASK UINT32_C(0x2)

/* What the device is doing. */
#define PINRING_REG_STATUS 0x044u /* 32 bits, Ro */
/* Enabled, and the admin queue is served. */
#define PINRING_REG_STATUS_READY_SHIFT 0
#define PINRING_REG_STATUS_READY_MASK UINT32_C(0x1)
/* The firmware reports that it serves misses. */
#define PINRING_REG_STATUS_FIRMWARE_RUNNING_SHIFT 1
#define PINRING_REG_STATUS_FIRMWARE_RUNNING_MASK UINT32_C(0x2)
/* The firmware's heartbeat stayed away, and its watchdog has given up: reset the device. */
#define PINRING_REG_STATUS_FIRMWARE_STALLED_SHIFT 2
#define PINRING_REG_STATUS_FIRMWARE_STALLED_MASK UINT32_C(0x4)
/* The firmware panicked. */
#define PINRING_REG_STATUS_FIRMWARE_PANICKED_SHIFT 3
#define PINRING_REG_STATUS_FIRMWARE_PANICKED_MASK UINT32_C(0x8)
/* The device stopped for good: reset it. */
#define PINRING_REG_STATUS_FATAL_SHIFT 4
#define PINRING_REG_STATUS_FATAL_MASK UINT32_C(0x10)
/* Bytes of the firmware's log were lost. */
#define PINRING_REG_STATUS_LOG_DROPPED_SHIFT 5
#define PINRING_REG_STATUS_LOG_DROPPED_MASK UINT32_C(0x20)

/* What the firmware said last about itself. */
#define PINRING_REG_FIRMWARE_STATE 0x048u /* 32 bits, Ro */
/* State. */
#define PINRING_REG_FIRMWARE_STATE_STATE_SHIFT 0
#define PINRING_REG_FIRMWARE_STATE_STATE_MASK UINT32_C(0xff)
/* Detail; its meaning depends on the state. */
#define PINRING_REG_FIRMWARE_STATE_DETAIL_SHIFT 8
#define PINRING_REG_FIRMWARE_STATE_DETAIL_MASK UINT32_C(0xffffff00)

/* Restarts of the firmware by its watchdog since reset. */
#define PINRING_REG_FIRMWARE_RESTARTS 0x04cu /* 32 bits, Ro */

/* Bus address of the admin submission ring, page-aligned. */
#define PINRING_REG_ADMIN_SQ 0x050u /* 64 bits, Rw */

/* Bus address of the admin completion ring, page-aligned. */
#define PINRING_REG_ADMIN_CQ 0x058u /* 64 bits, Rw */

/* Sizes of the admin rings. */
#define PINRING_REG_ADMIN_SIZE 0x060u /* 32 bits, Rw */
/* log2 of the submission ring's entries. */
#define PINRING_REG_ADMIN_SIZE_SQ_LOG2_SHIFT 0
#define PINRING_REG_ADMIN_SIZE_SQ_LOG2_MASK UINT32_C(0xff)
/* log2 of the completion ring's entries. */
#define PINRING_REG_ADMIN_SIZE_CQ_LOG2_SHIFT 8
#define PINRING_REG_ADMIN_SIZE_CQ_LOG2_MASK UINT32_C(0xff00)
/* MSI-X vector of the admin queue. */
#define PINRING_REG_ADMIN_SIZE_VECTOR_SHIFT 16
#define PINRING_REG_ADMIN_SIZE_VECTOR_MASK UINT32_C(0xffff0000)

/* Bus address of the region table, page-aligned. */
#define PINRING_REG_REGION_TABLE 0x068u /* 64 bits, Rw */

/* Entries of the region table. */
#define PINRING_REG_REGION_COUNT 0x070u /* 32 bits, Rw */

/* Device clock cycles since reset. Reading the low half holds the high half for the next read. */
#define PINRING_REG_TIMESTAMP 0x080u /* 64 bits, Ro */

/* Next byte of the firmware's defmt log. */
#define PINRING_REG_LOG_DATA 0x0a0u /* 32 bits, Pop */
/* The byte. */
#define PINRING_REG_LOG_DATA_BYTE_SHIFT 0
#define PINRING_REG_LOG_DATA_BYTE_MASK UINT32_C(0xff)
/* There was one. */
#define PINRING_REG_LOG_DATA_VALID_SHIFT 8
#define PINRING_REG_LOG_DATA_VALID_MASK UINT32_C(0x100)

/* Transfers and commands that ended in an error, and restarts of the firmware, since reset or since this register was last written. Any write clears the count and the record in the next two registers. */
#define PINRING_REG_ERROR_COUNT 0x0c0u /* 32 bits, Rw */

/* The first error of those counted. */
#define PINRING_REG_ERROR_INFO 0x0c4u /* 32 bits, Ro */
/* How it ended. */
#define PINRING_REG_ERROR_INFO_STATUS_SHIFT 0
#define PINRING_REG_ERROR_INFO_STATUS_MASK UINT32_C(0xffff)
/* Queue id. */
#define PINRING_REG_ERROR_INFO_QUEUE_SHIFT 16
#define PINRING_REG_ERROR_INFO_QUEUE_MASK UINT32_C(0xfff0000)
/* Direction. */
#define PINRING_REG_ERROR_INFO_DIRECTION_SHIFT 28
#define PINRING_REG_ERROR_INFO_DIRECTION_MASK UINT32_C(0x10000000)

/* Where in its region the transfer of that error began, in bytes; zero for admin commands. */
#define PINRING_REG_ERROR_ADDRESS 0x0c8u /* 64 bits, Ro */

/* Payload bytes written to host memory. */
#define PINRING_REG_C2H_BYTES 0x100u /* 64 bits, Ro */

/* Payload bytes read from host memory. */
#define PINRING_REG_H2C_BYTES 0x108u /* 64 bits, Ro */

/* C2H transfers completed. */
#define PINRING_REG_C2H_TRANSFERS 0x110u /* 64 bits, Ro */

/* H2C transfers completed. */
#define PINRING_REG_H2C_TRANSFERS 0x118u /* 64 bits, Ro */

/* Cycles in which the C2H engine waited for an SG block, within a transfer or between queued ones. */
#define PINRING_REG_C2H_LIST_WAIT 0x120u /* 64 bits, Ro */

/* Cycles in which the H2C engine waited for an SG block, within a transfer or between queued ones. */
#define PINRING_REG_H2C_LIST_WAIT 0x128u /* 64 bits, Ro */

/* Cycles in which the link could take a TLP and was offered none, while C2H kept a beat of the user stream waiting that a running transfer or the next one in turn could use, or held all the data of a write; waiting for SG blocks not included. */
#define PINRING_REG_C2H_IDLE 0x130u /* 64 bits, Ro */

/* Cycles in which the link could take a TLP and was offered none, while a running H2C transfer, or the next one in turn, had bytes to ask for, with a read slot and completion space free; waiting for SG blocks not included. */
#define PINRING_REG_H2C_IDLE 0x138u /* 64 bits, Ro */

/* Completion entries written. */
#define PINRING_REG_COMPLETIONS 0x140u /* 64 bits, Ro */

/* Interrupts sent. */
#define PINRING_REG_INTERRUPTS 0x148u /* 64 bits, Ro */

/* Completion entries written with a status other than OK, and restarts of the firmware. */
#define PINRING_REG_ERRORS 0x150u /* 64 bits, Ro */

/* Submission entry: one transfer between a region and the user stream. 64 bytes. */
struct pinring_submission_entry {
	/* 0x00: What to do. */
	uint8_t opcode;
	/* 0x01: No flags are defined yet. */
	uint8_t flags;
	/* 0x02: Free-running ring index of this entry: the low bits are the slot, the higher bits the phase. The device completes the entry with BAD_INDEX when it is not the index that it fetched. */
	uint16_t index;
	/* 0x04: Region id. */
	uint32_t region;
	/* 0x08: Returned in the completion entry, of no meaning to the device. */
	uint64_t cookie;
	/* 0x10: First byte, counted from the start of the region. */
	uint64_t offset;
	/* 0x18: Bytes to move. */
	uint64_t length;
	/* 0x20: Generation of the region that the submitter means. */
	uint16_t generation;
	/* 0x22: TDEST of the user stream; within the queue's range. */
	uint16_t tdest;
	/* 0x24: Index of the SG element that holds the first byte. */
	uint32_t sg_hint;
	/* 0x28: Returned in the completion entry; user metadata. */
	uint32_t user;
	/* 0x2c: Attributes of the TLPs; all zero for now. */
	uint32_t routing;
	uint8_t reserved_30[16];
};
/* Process address space id (PCIe 5.0, section 6.20). */
#define PINRING_SUBMISSION_ENTRY_PASID_SHIFT 0
#define PINRING_SUBMISSION_ENTRY_PASID_MASK UINT32_C(0xfffff)
/* Traffic class (PCIe 5.0, section 2.2.6.6). */
#define PINRING_SUBMISSION_ENTRY_TRAFFIC_CLASS_SHIFT 20
#define PINRING_SUBMISSION_ENTRY_TRAFFIC_CLASS_MASK UINT32_C(0x700000)
/* Attributes: bit 0 no snoop, bit 1 relaxed ordering, bit 2 ID-based ordering (PCIe 5.0, section 2.2.6.3). */
#define PINRING_SUBMISSION_ENTRY_ATTRIBUTES_SHIFT 23
#define PINRING_SUBMISSION_ENTRY_ATTRIBUTES_MASK UINT32_C(0x3800000)

/* Completion entry: written by the device as one TLP, behind the transfer's data. 32 bytes. */
struct pinring_completion_entry {
	/* 0x00: The submission entry's cookie. */
	uint64_t cookie;
	/* 0x08: Device clock cycles when the entry was made. */
	uint64_t timestamp;
	/* 0x10: How much, and how it ended. */
	uint64_t result;
	/* 0x18: The submission entry's user metadata. */
	uint32_t user;
	/* 0x1c: What the host looks at first; the phase is in the last dword, so that it is visible last. */
	uint32_t tag;
};
/* Bytes moved. */
#define PINRING_COMPLETION_ENTRY_BYTES_MOVED_SHIFT 0
#define PINRING_COMPLETION_ENTRY_BYTES_MOVED_MASK UINT64_C(0xffffffffffff)
/* How the transfer ended. */
#define PINRING_COMPLETION_ENTRY_STATUS_SHIFT 48
#define PINRING_COMPLETION_ENTRY_STATUS_MASK UINT64_C(0xffff000000000000)
/* Ring index of the submission entry: the driver's state is keyed by it. */
#define PINRING_COMPLETION_ENTRY_SLOT_SHIFT 0
#define PINRING_COMPLETION_ENTRY_SLOT_MASK UINT32_C(0xffff)
/* Queue id. */
#define PINRING_COMPLETION_ENTRY_QUEUE_SHIFT 16
#define PINRING_COMPLETION_ENTRY_QUEUE_MASK UINT32_C(0xfff0000)
/* C2H: the transfer ended with the packet's TLAST. */
#define PINRING_COMPLETION_ENTRY_EOP_SHIFT 28
#define PINRING_COMPLETION_ENTRY_EOP_MASK UINT32_C(0x10000000)
/* 1 on the first lap of the ring, then the inverse on each lap; the ring is zeroed at the start. */
#define PINRING_COMPLETION_ENTRY_PHASE_SHIFT 31
#define PINRING_COMPLETION_ENTRY_PHASE_MASK UINT32_C(0x80000000)

/* Queue context: what the kernel driver says about a queue when it creates it. 48 bytes. */
struct pinring_queue_context {
	/* 0x00: Bus address of the submission ring, page-aligned. */
	uint64_t sq_address;
	/* 0x08: Bus address of the completion ring, page-aligned. */
	uint64_t cq_address;
	/* 0x10: log2 of the submission ring's entries. */
	uint8_t sq_entries_log2;
	/* 0x11: log2 of the completion ring's entries. */
	uint8_t cq_entries_log2;
	/* 0x12: Direction of every transfer of the queue. */
	uint8_t direction;
	/* 0x13: No flags are defined yet. */
	uint8_t flags;
	/* 0x14: MSI-X vector. */
	uint16_t vector;
	/* 0x16: PCIe function that the queue belongs to; zero for now. */
	uint16_t function;
	/* 0x18: Protection domain: the queue reaches only regions of the same. */
	uint32_t protection_domain;
	/* 0x1c: Lowest TDEST that entries may name. */
	uint16_t tdest_first;
	/* 0x1e: Highest TDEST that entries may name. */
	uint16_t tdest_last;
	/* 0x20: Attributes of the queue's TLPs; all zero for now. */
	uint32_t routing;
	uint8_t reserved_24[4];
	/* 0x28: Interrupt moderation: an armed queue's vector fires when this many completion entries lie behind the armed head (compare NVMe 2.0, section 5.27.1.5, interrupt coalescing). 0 and 1: with each. */
	uint16_t moderation_count;
	/* 0x2a: Interrupt moderation: the vector of an armed queue with fewer entries behind its head than `moderation_count` fires when it has been so for this long, in units of 16 device clock cycles. Not zero if `moderation_count` is above 1. */
	uint16_t moderation_time;
	uint8_t reserved_2c[4];
};
/* Process address space id (PCIe 5.0, section 6.20). */
#define PINRING_QUEUE_CONTEXT_PASID_SHIFT 0
#define PINRING_QUEUE_CONTEXT_PASID_MASK UINT32_C(0xfffff)
/* Traffic class (PCIe 5.0, section 2.2.6.6). */
#define PINRING_QUEUE_CONTEXT_TRAFFIC_CLASS_SHIFT 20
#define PINRING_QUEUE_CONTEXT_TRAFFIC_CLASS_MASK UINT32_C(0x700000)
/* Attributes: bit 0 no snoop, bit 1 relaxed ordering, bit 2 ID-based ordering (PCIe 5.0, section 2.2.6.3). */
#define PINRING_QUEUE_CONTEXT_ATTRIBUTES_SHIFT 23
#define PINRING_QUEUE_CONTEXT_ATTRIBUTES_MASK UINT32_C(0x3800000)

/* Admin entry: a command of the kernel driver, on the admin queue. Its completion is a completion entry. 64 bytes. */
struct pinring_admin_entry {
	/* 0x00: What to do. */
	uint8_t opcode;
	/* 0x01: No flags are defined yet. */
	uint8_t flags;
	/* 0x02: Free-running ring index of this entry, as in a submission entry. */
	uint16_t index;
	/* 0x04: The queue or the region that is meant. */
	uint32_t target;
	/* 0x08: Returned in the completion entry. */
	uint64_t cookie;
	/* 0x10: The queue context, for CREATE_QUEUE; zero otherwise. */
	struct pinring_queue_context body;
};

/* Region entry: one registered buffer, in the region table in host memory. 64 bytes. */
struct pinring_region_entry {
	/* 0x00: Bus address of the SG table, page-aligned. */
	uint64_t sg_table;
	/* 0x08: Bytes of the region. */
	uint64_t length;
	/* 0x10: Elements in the SG table. */
	uint32_t element_count;
	/* 0x14: Counts the registrations of this id, so that late submissions to an earlier one are caught. */
	uint16_t generation;
	/* 0x16: Where the region starts in its first page, below 4096. */
	uint16_t first_byte_offset;
	/* 0x18: Protection domain: only queues of the same reach the region. */
	uint32_t protection_domain;
	/* 0x1c: What the device may do. */
	uint8_t permissions;
	/* 0x1d: How the SG table is written. */
	uint8_t format;
	/* 0x1e: log2 of the page size: 12 if page-granular, 12 to 30 if uniform. */
	uint8_t page_shift;
	/* 0x1f: How long the region lives. */
	uint8_t flags;
	/* 0x20: Attributes of the TLPs; all zero for now. */
	uint32_t routing;
	uint8_t reserved_24[27];
	/* 0x3f: XOR of the other bytes, once a feature bit says so; zero until then. */
	uint8_t check_byte;
};
/* C2H: the device may write the region. */
#define PINRING_REGION_ENTRY_ALLOW_C2H_SHIFT 0
#define PINRING_REGION_ENTRY_ALLOW_C2H_MASK UINT32_C(0x1)
/* H2C: the device may read the region. */
#define PINRING_REGION_ENTRY_ALLOW_H2C_SHIFT 1
#define PINRING_REGION_ENTRY_ALLOW_H2C_MASK UINT32_C(0x2)
/* Serves one transfer: never kept on chip after it. */
#define PINRING_REGION_ENTRY_ONE_SHOT_SHIFT 0
#define PINRING_REGION_ENTRY_ONE_SHOT_MASK UINT32_C(0x1)
/* Process address space id (PCIe 5.0, section 6.20). */
#define PINRING_REGION_ENTRY_PASID_SHIFT 0
#define PINRING_REGION_ENTRY_PASID_MASK UINT32_C(0xfffff)
/* Traffic class (PCIe 5.0, section 2.2.6.6). */
#define PINRING_REGION_ENTRY_TRAFFIC_CLASS_SHIFT 20
#define PINRING_REGION_ENTRY_TRAFFIC_CLASS_MASK UINT32_C(0x700000)
/* Attributes: bit 0 no snoop, bit 1 relaxed ordering, bit 2 ID-based ordering (PCIe 5.0, section 2.2.6.3). */
#define PINRING_REGION_ENTRY_ATTRIBUTES_SHIFT 23
#define PINRING_REGION_ENTRY_ATTRIBUTES_MASK UINT32_C(0x3800000)

/* Page-granular SG element: a run of neighbouring 4 KiB pages. 16 bytes. */
struct pinring_sg_element {
	/* 0x00: The page address, with flags in its low 12 bits. */
	uint64_t address;
	/* 0x08: Pages in the run, at least 1. */
	uint32_t pages;
	/* 0x0c: Number of the first page within the region. */
	uint32_t start_page;
};
/* The element is in use. */
#define PINRING_SG_ELEMENT_VALID_SHIFT 0
#define PINRING_SG_ELEMENT_VALID_MASK UINT64_C(0x1)
/* Check bits, once a feature bit says so; zero until then. */
#define PINRING_SG_ELEMENT_CHECK_BITS_SHIFT 4
#define PINRING_SG_ELEMENT_CHECK_BITS_MASK UINT64_C(0xff0)
/* Bits 63:12 of the bus address of the first page. */
#define PINRING_SG_ELEMENT_PAGE_FRAME_SHIFT 12
#define PINRING_SG_ELEMENT_PAGE_FRAME_MASK UINT64_C(0xfffffffffffff000)

/* Uniform SG element: one page of 2^page_shift bytes. 8 bytes. */
struct pinring_sg_uniform_element {
	/* 0x00: The page address, with flags in its low 12 bits. */
	uint64_t address;
};
/* The element is in use. */
#define PINRING_SG_UNIFORM_ELEMENT_VALID_SHIFT 0
#define PINRING_SG_UNIFORM_ELEMENT_VALID_MASK UINT64_C(0x1)
/* Check bits, once a feature bit says so; zero until then. */
#define PINRING_SG_UNIFORM_ELEMENT_CHECK_BITS_SHIFT 4
#define PINRING_SG_UNIFORM_ELEMENT_CHECK_BITS_MASK UINT64_C(0xff0)
/* Bits 63:12 of the bus address of the page, which is aligned to its own size. */
#define PINRING_SG_UNIFORM_ELEMENT_PAGE_FRAME_SHIFT 12
#define PINRING_SG_UNIFORM_ELEMENT_PAGE_FRAME_MASK UINT64_C(0xfffffffffffff000)

/* Doorbell: one 64-bit write at the start of a queue's doorbell page. 8 bytes. */
struct pinring_doorbell {
	/* 0x00: Free-running index behind the last submission entry written. */
	uint16_t sq_tail;
	/* 0x02: Free-running index behind the last completion entry reaped. */
	uint16_t cq_head;
	/* 0x04: What else the write does. */
	uint32_t action;
};
/* Interrupt once when a completion entry lies at or behind cq_head; at once if one already does. With interrupt moderation: when `moderation_count` entries do, or one has for `moderation_time`, whichever is first. */
#define PINRING_DOORBELL_ARM_SHIFT 0
#define PINRING_DOORBELL_ARM_MASK UINT32_C(0x1)

/* MSI-X table entry (PCIe 5.0, section 7.7.2). 16 bytes. */
struct pinring_msix_entry {
	/* 0x00: Message address; bits 1:0 are zero. */
	uint64_t address;
	/* 0x08: Message data. */
	uint32_t data;
	/* 0x0c: Vector control. */
	uint32_t control;
};
/* The vector is masked: its messages wait in the pending bit array. */
#define PINRING_MSIX_ENTRY_MASKED_SHIFT 0
#define PINRING_MSIX_ENTRY_MASKED_MASK UINT32_C(0x1)

/* A transfer's region is not on chip: answer with FILL or REJECT. 16 bytes. */
struct pinring_message_miss {
	/* 0x00: Kind of the entry. */
	uint8_t kind;
	/* 0x01: Context. */
	uint8_t ctx;
	/* 0x02: Generation that the submission names. */
	uint16_t generation;
	/* 0x04: Region id: its low bits are the set. */
	uint32_t region;
	/* 0x08: The submission's sg_hint, not checked yet. */
	uint32_t sg_hint;
	/* 0x0c: Ways of the set that hold a region, one bit each. */
	uint8_t valid;
	/* 0x0d: Ways that have been hit since a region last came to stay in the set. */
	uint8_t used;
	/* 0x0e: Ways whose SG block a transfer uses: they cannot be given away. */
	uint8_t pinned;
	uint8_t reserved_0f[1];
};

/* An admin entry: the next four raw entries are its 64 bytes. Comes again, with another ticket, for firmware that starts anew. 16 bytes. */
struct pinring_message_admin {
	/* 0x00: Kind of the entry. */
	uint8_t kind;
	/* 0x01: 1 if the queue that the entry names was enabled when the entry came. */
	uint8_t exists;
	uint8_t reserved_02[6];
	/* 0x08: Names this message among others: what is done for it echoes it. */
	uint8_t ticket;
	uint8_t reserved_09[7];
};

/* An abort has finished: no read is in flight and the last write has entered the posted FIFO. 16 bytes. */
struct pinring_message_quiesced {
	/* 0x00: Kind of the entry. */
	uint8_t kind;
	/* 0x01: Direction that has gone quiet; the other one sends its own message. */
	uint8_t direction;
	/* 0x02: What was aborted. */
	uint16_t what;
	/* 0x04: Its id. */
	uint32_t id;
	/* 0x08: Ticket of the abort. */
	uint8_t ticket;
	uint8_t reserved_09[7];
};

/* Answers MISS: where the region stays, if it stays; its entry is being read meanwhile, and its SG block follows. 16 bytes. */
struct pinring_command_fill {
	/* 0x00: Kind of the entry. */
	uint8_t kind;
	/* 0x01: Context. */
	uint8_t ctx;
	/* 0x02: Way of the region's set to keep it in, in the place of what that holds; 0xffff: for this transfer alone. */
	uint16_t way;
	uint8_t reserved_04[12];
};

/* Answers MISS: end the transfer with the status. 16 bytes. */
struct pinring_command_reject {
	/* 0x00: Kind of the entry. */
	uint8_t kind;
	/* 0x01: Context. */
	uint8_t ctx;
	/* 0x02: Status of the completion. */
	uint16_t status;
	uint8_t reserved_04[12];
};

/* Writes 64 bits of a queue context. 16 bytes. */
struct pinring_command_queue {
	/* 0x00: Kind of the entry. */
	uint8_t kind;
	/* 0x01: Queue id. */
	uint8_t queue;
	/* 0x02: Which 64-bit word of the queue context, 0 to 5. */
	uint16_t word;
	/* 0x04: Its bits 31:0. */
	uint32_t low;
	/* 0x08: Its bits 63:32. */
	uint32_t high;
	uint8_t reserved_0c[4];
};

/* Starts a queue. 16 bytes. */
struct pinring_command_enable {
	/* 0x00: Kind of the entry. */
	uint8_t kind;
	/* 0x01: Queue id. */
	uint8_t queue;
	uint8_t reserved_02[14];
};

/* Stops a queue: no further entry of it is read. 16 bytes. */
struct pinring_command_disable {
	/* 0x00: Kind of the entry. */
	uint8_t kind;
	/* 0x01: Queue id. */
	uint8_t queue;
	uint8_t reserved_02[14];
};

/* Aborts the transfers of a region; QUIESCED follows. 16 bytes. */
struct pinring_command_abort_region {
	/* 0x00: Kind of the entry. */
	uint8_t kind;
	uint8_t reserved_01[3];
	/* 0x04: Region id. */
	uint32_t region;
	/* 0x08: Ticket of the ADMIN that asks for it. */
	uint8_t ticket;
	uint8_t reserved_09[7];
};

/* Writes the completion of an admin entry; dropped unless it answers the last ADMIN. 16 bytes. */
struct pinring_command_admin_done {
	/* 0x00: Kind of the entry. */
	uint8_t kind;
	uint8_t reserved_01[1];
	/* 0x02: How the command ended. */
	uint16_t status;
	/* 0x04: Bits 31:0 of the admin entry's cookie. */
	uint32_t cookie_low;
	/* 0x08: Bits 63:32 of the admin entry's cookie. */
	uint32_t cookie_high;
	/* 0x0c: Ticket of the ADMIN. */
	uint8_t ticket;
	uint8_t reserved_0d[3];
};

/* STATUS: the firmware's heartbeat and state, for register FIRMWARE_STATE. 16 bytes. */
struct pinring_command_heartbeat {
	/* 0x00: Kind of the entry. */
	uint8_t kind;
	uint8_t reserved_01[3];
	/* 0x04: State. */
	uint32_t state;
	/* 0x08: Detail: the register shows bits 23:0. */
	uint32_t detail;
	uint8_t reserved_0c[4];
};

/* Bytes of the firmware's log. 16 bytes. */
struct pinring_command_log {
	/* 0x00: Kind of the entry. */
	uint8_t kind;
	uint8_t reserved_01[1];
	/* 0x02: How many bytes, 1 to 12. */
	uint16_t count;
	/* 0x04: Bytes 0 to 3, the first one lowest. */
	uint32_t bytes0;
	/* 0x08: Bytes 4 to 7. */
	uint32_t bytes1;
	/* 0x0c: Bytes 8 to 11. */
	uint32_t bytes2;
};

/* Aborts the transfers of a queue; QUIESCED follows. 16 bytes. */
struct pinring_command_abort_queue {
	/* 0x00: Kind of the entry. */
	uint8_t kind;
	/* 0x01: Queue id. */
	uint8_t queue;
	uint8_t reserved_02[6];
	/* 0x08: Ticket of the ADMIN that asks for it. */
	uint8_t ticket;
	uint8_t reserved_09[7];
};

#endif
