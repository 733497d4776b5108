//! The register file at the start of BAR0.

use super::byte_write::ByteWrite;
use super::counters::Counters;
use super::error_log::ErrorLog;
use super::layout::bit;
use super::log::FirmwareLog;
use crate::generated::constants::*;
use crate::sizes::{Full, LimitsRegister0, LimitsRegister1, Sizes};
use crate::widgets::{Const, Param, Size};
use pinring_protocol::limits;
use pinring_protocol::registers::{
    ADMIN_SIZE, Control, DeviceStatus, FIRMWARE_STATE, Features, LIMITS1, LOG_DATA, LogData,
    Version,
};
use rust_hdl::prelude::*;

/// Register VERSION: the interface's numbers, and this crate's patch number as the gateware's build.
const fn version() -> u64 {
    let Ok(patch) = u16::from_str_radix(env!("CARGO_PKG_VERSION_PATCH"), 10) else {
        panic!("the crate's patch number does not fit into 16 bits");
    };
    let version = Version::new()
        .with_major(pinring_protocol::ABI_MAJOR)
        .with_minor(pinring_protocol::ABI_MINOR)
        .with_patch(patch);
    version.raw() as u64
}

/// The registers of BAR0, for a bus of 2^`L` bytes and a clock of `CLOCK_HZ`.
///
/// A read of an offset without a register gives 0, a write to one does nothing. CONTROL.reset, once written, is
/// `soft_reset` until `restart`, which takes every register here but CONTROL.enable back to zero; until then the bit
/// reads as 1, STATUS.ready as 0, and what is written to other registers is lost. STATUS.firmware_stalled is up while the last heartbeat (`fw_state_valid`, or reset) is
/// more than [`limits::STALL_MS`] ago.
#[derive(LogicBlock, Default)]
pub struct Csr<const L: usize, const CLOCK_HZ: u64 = 250_000_000, S: Sizes = Full> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// A DW is written.
    pub write_valid: Signal<In, Bit>,
    /// Byte offset in BAR0, a multiple of 4.
    pub write_addr: Signal<In, Bits<24>>,
    /// The DW.
    pub write_data: Signal<In, Bits<32>>,
    /// Its byte enables.
    pub write_be: Signal<In, Bits<4>>,
    /// A DW is read.
    pub read_valid: Signal<In, Bit>,
    /// Byte offset in BAR0, a multiple of 4.
    pub read_addr: Signal<In, Bits<24>>,
    /// The answer, one cycle after `read_valid`.
    pub read_ack: Signal<Out, Bit>,
    /// The DW, with `read_ack`.
    pub read_data: Signal<Out, Bits<32>>,
    /// CONTROL.enable: the device may master the bus.
    pub enable: Signal<Out, Bit>,
    /// CONTROL.reset: the device is to restart.
    pub soft_reset: Signal<Out, Bit>,
    /// The device restarts in this cycle.
    pub restart: Signal<In, Bit>,
    /// Register READ_TAGS.
    pub read_tags: Signal<In, Bits<32>>,
    /// Bus address of the admin submission ring.
    pub admin_sq: Signal<Out, Bits<64>>,
    /// Bus address of the admin completion ring.
    pub admin_cq: Signal<Out, Bits<64>>,
    /// log2 of the admin submission ring's entries.
    pub admin_sq_log2: Signal<Out, Bits<4>>,
    /// log2 of the admin completion ring's entries.
    pub admin_cq_log2: Signal<Out, Bits<4>>,
    /// MSI-X vector of the admin queue.
    pub admin_vector: Signal<Out, Bits<4>>,
    /// Bus address of the region table.
    pub region_table: Signal<Out, Bits<64>>,
    /// Entries of the region table.
    pub region_count: Signal<Out, Bits<32>>,
    /// Cycles since reset.
    pub timestamp: Signal<Out, Bits<64>>,
    /// The firmware's heartbeat.
    pub fw_state_valid: Signal<In, Bit>,
    /// Its state, a code of `FirmwareState`.
    pub fw_state: Signal<In, Bits<32>>,
    /// Detail; the register shows bits 23:0.
    pub fw_detail: Signal<In, Bits<32>>,
    /// Register FIRMWARE_RESTARTS.
    pub fw_restarts: Signal<In, Bits<32>>,
    /// The firmware logs a word.
    pub log_valid: Signal<In, Bit>,
    /// Its bytes, the first one lowest.
    pub log_data: Signal<In, Bits<96>>,
    /// How many bytes, 1 to 12.
    pub log_count: Signal<In, Bits<4>>,
    /// A transfer or command ends in an error.
    pub error_valid: Signal<In, Bit>,
    /// Its status code.
    pub error_status: Signal<In, Bits<16>>,
    /// Queue id.
    pub error_queue: Signal<In, Bits<4>>,
    /// Direction: 0 C2H, 1 H2C.
    pub error_direction: Signal<In, Bit>,
    /// Bus address, or zero.
    pub error_address: Signal<In, Bits<64>>,
    /// Payload bytes that went to host memory in this cycle.
    pub c2h_bytes_inc: Signal<In, Bits<13>>,
    /// Payload bytes that came from host memory in this cycle.
    pub h2c_bytes_inc: Signal<In, Bits<13>>,
    /// A C2H transfer completed.
    pub c2h_done: Signal<In, Bit>,
    /// An H2C transfer completed.
    pub h2c_done: Signal<In, Bit>,
    /// C2H waits for an SG block.
    pub c2h_list_wait: Signal<In, Bit>,
    /// H2C waits for an SG block.
    pub h2c_list_wait: Signal<In, Bit>,
    /// An idle data cycle of C2H.
    pub c2h_idle: Signal<In, Bit>,
    /// An idle data cycle of H2C.
    pub h2c_idle: Signal<In, Bit>,
    /// A completion entry was written.
    pub completion: Signal<In, Bit>,
    /// An interrupt was sent.
    pub interrupt_sent: Signal<In, Bit>,
    counters: Counters,
    errors: ErrorLog,
    log: FirmwareLog,
    write: ByteWrite,
    enabled: DFF<Bit>,
    resetting: DFF<Bit>,
    admin_sq_low: DFF<Bits<32>>,
    admin_sq_high: DFF<Bits<32>>,
    admin_cq_low: DFF<Bits<32>>,
    admin_cq_high: DFF<Bits<32>>,
    admin_size: DFF<Bits<32>>,
    table_low: DFF<Bits<32>>,
    table_high: DFF<Bits<32>>,
    regions: DFF<Bits<32>>,
    firmware: DFF<Bits<8>>,
    detail: DFF<Bits<24>>,
    silence: DFF<Bits<32>>,
    ack: DFF<Bit>,
    answer: DFF<Bits<32>>,
    clear: Signal<Local, Bit>,
    running: Signal<Local, Bit>,
    panicked: Signal<Local, Bit>,
    stopped: Signal<Local, Bit>,
    stalled: Signal<Local, Bit>,
    enable_bit: Signal<Local, Bits<32>>,
    reset_bit: Signal<Local, Bits<32>>,
    control_bits: Signal<Local, Bits<32>>,
    ready_bit: Signal<Local, Bits<32>>,
    running_bit: Signal<Local, Bits<32>>,
    stalled_bit: Signal<Local, Bits<32>>,
    panicked_bit: Signal<Local, Bits<32>>,
    fatal_bit: Signal<Local, Bits<32>>,
    log_dropped_bit: Signal<Local, Bits<32>>,
    data_width_log2: Signal<Local, Bits<32>>,
    log_entry: Signal<Local, Bits<32>>,
    sq_log2: Signal<Local, Bits<32>>,
    cq_log2: Signal<Local, Bits<32>>,
    vector: Signal<Local, Bits<32>>,
    control_value: Signal<Local, Bits<32>>,
    register: Signal<Local, Bits<32>>,
    at_magic: Const<24, REG_MAGIC>,
    at_version: Const<24, REG_VERSION>,
    at_hash_low: Const<24, REG_LAYOUT_HASH>,
    at_hash_high: Const<24, { REG_LAYOUT_HASH + 4 }>,
    at_features_low: Const<24, REG_FEATURES>,
    at_limits0: Const<24, REG_LIMITS0>,
    at_limits1: Const<24, REG_LIMITS1>,
    at_clock_hz: Const<24, REG_CLOCK_HZ>,
    at_read_tags: Const<24, REG_READ_TAGS>,
    at_max_regions: Const<24, REG_MAX_REGIONS>,
    at_control: Const<24, REG_CONTROL>,
    at_status: Const<24, REG_STATUS>,
    at_firmware_state: Const<24, REG_FIRMWARE_STATE>,
    at_firmware_restarts: Const<24, REG_FIRMWARE_RESTARTS>,
    at_admin_sq_low: Const<24, REG_ADMIN_SQ>,
    at_admin_sq_high: Const<24, { REG_ADMIN_SQ + 4 }>,
    at_admin_cq_low: Const<24, REG_ADMIN_CQ>,
    at_admin_cq_high: Const<24, { REG_ADMIN_CQ + 4 }>,
    at_admin_size: Const<24, REG_ADMIN_SIZE>,
    at_table_low: Const<24, REG_REGION_TABLE>,
    at_table_high: Const<24, { REG_REGION_TABLE + 4 }>,
    at_region_count: Const<24, REG_REGION_COUNT>,
    at_log_data: Const<24, REG_LOG_DATA>,
    at_error_count: Const<24, REG_ERROR_COUNT>,
    at_error_info: Const<24, REG_ERROR_INFO>,
    at_error_address_low: Const<24, REG_ERROR_ADDRESS>,
    at_error_address_high: Const<24, { REG_ERROR_ADDRESS + 4 }>,
    magic: Const<32, MAGIC>,
    version: Const<32, { version() }>,
    hash_low: Const<32, { LAYOUT_HASH & 0xffff_ffff }>,
    hash_high: Const<32, { LAYOUT_HASH >> 32 }>,
    features_low: Const<
        32,
        {
            Features::new()
                .with_uniform_sg(true)
                .with_inline_doorbell(true)
                .raw()
                & 0xffff_ffff
        },
    >,
    limits0: Size<32, LimitsRegister0<S>>,
    limits1: Size<32, LimitsRegister1<S>>,
    bus_bytes_log2: Param<32, L>,
    data_width_at: Const<5, { bit(LIMITS1.fields, "data_width_log2") }>,
    clock_hz: Const<32, CLOCK_HZ>,
    max_regions: Const<32, { limits::MAX_REGIONS as u64 }>,
    control_enable: Const<32, { Control::new().with_enable(true).raw() as u64 }>,
    control_reset: Const<32, { Control::new().with_reset(true).raw() as u64 }>,
    status_ready: Const<32, { DeviceStatus::new().with_ready(true).raw() as u64 }>,
    status_running: Const<32, { DeviceStatus::new().with_firmware_running(true).raw() as u64 }>,
    status_stalled: Const<32, { DeviceStatus::new().with_firmware_stalled(true).raw() as u64 }>,
    status_panicked: Const<32, { DeviceStatus::new().with_firmware_panicked(true).raw() as u64 }>,
    status_fatal: Const<32, { DeviceStatus::new().with_fatal(true).raw() as u64 }>,
    status_log_dropped: Const<32, { DeviceStatus::new().with_log_dropped(true).raw() as u64 }>,
    state_running: Const<8, FIRMWARE_STATE_RUNNING>,
    state_panicked: Const<8, FIRMWARE_STATE_PANICKED>,
    state_bad_message: Const<8, FIRMWARE_STATE_BAD_MESSAGE>,
    state_at: Const<5, { bit(FIRMWARE_STATE.fields, "state") }>,
    detail_at: Const<5, { bit(FIRMWARE_STATE.fields, "detail") }>,
    sq_log2_at: Const<5, { bit(ADMIN_SIZE.fields, "sq_log2") }>,
    cq_log2_at: Const<5, { bit(ADMIN_SIZE.fields, "cq_log2") }>,
    vector_at: Const<5, { bit(ADMIN_SIZE.fields, "vector") }>,
    log_byte_at: Const<5, { bit(LOG_DATA.fields, "byte") }>,
    log_valid_bit: Const<32, { LogData::new().with_valid(true).raw() as u64 }>,
    heartbeats_per_second: Const<32, { 1000 / limits::STALL_MS as u64 }>,
}

impl<const L: usize, const CLOCK_HZ: u64, S: Sizes> Logic for Csr<L, CLOCK_HZ, S> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            enabled,
            resetting,
            admin_sq_low,
            admin_sq_high,
            admin_cq_low,
            admin_cq_high,
            admin_size,
            table_low,
            table_high,
            regions,
            firmware,
            detail,
            silence,
            ack,
            answer
        );
        self.clear.next = self.reset.val() | self.restart.val();
        self.counters.clock.next = self.clock.val();
        self.counters.reset.next = self.clear.val();
        self.counters.c2h_bytes_inc.next = self.c2h_bytes_inc.val();
        self.counters.h2c_bytes_inc.next = self.h2c_bytes_inc.val();
        self.counters.c2h_done.next = self.c2h_done.val();
        self.counters.h2c_done.next = self.h2c_done.val();
        self.counters.c2h_list_wait.next = self.c2h_list_wait.val();
        self.counters.h2c_list_wait.next = self.h2c_list_wait.val();
        self.counters.c2h_idle.next = self.c2h_idle.val();
        self.counters.h2c_idle.next = self.h2c_idle.val();
        self.counters.completion.next = self.completion.val();
        self.counters.interrupt_sent.next = self.interrupt_sent.val();
        self.counters.error.next = self.error_valid.val();
        self.timestamp.next = self.counters.timestamp.val();
        self.errors.clock.next = self.clock.val();
        self.errors.reset.next = self.clear.val();
        self.errors.error_valid.next = self.error_valid.val();
        self.errors.error_status.next = self.error_status.val();
        self.errors.error_queue.next = self.error_queue.val();
        self.errors.error_direction.next = self.error_direction.val();
        self.errors.error_address.next = self.error_address.val();
        self.log.clock.next = self.clock.val();
        self.log.reset.next = self.clear.val();
        self.log.log_valid.next = self.log_valid.val();
        self.log.log_data.next = self.log_data.val();
        self.log.log_count.next = self.log_count.val();

        // Firmware: `silence` counts in fractions of a cycle, so that a heartbeat's period is CLOCK_HZ of them.
        self.running.next = self.firmware.q.val() == self.state_running.val();
        self.panicked.next = self.firmware.q.val() == self.state_panicked.val();
        self.stopped.next =
            self.panicked.val() | (self.firmware.q.val() == self.state_bad_message.val());
        self.stalled.next = self.silence.q.val() >= self.clock_hz.val();
        if !self.stalled.val() {
            self.silence.d.next = self.silence.q.val() + self.heartbeats_per_second.val();
        }
        if self.fw_state_valid.val() {
            self.firmware.d.next = bit_cast::<8, 32>(self.fw_state.val());
            self.detail.d.next = bit_cast::<24, 32>(self.fw_detail.val());
            self.silence.d.next = 0.into();
        }

        // Writes.
        self.write.data.next = self.write_data.val();
        self.write.be.next = self.write_be.val();
        self.errors.clear.next = false;
        self.enable_bit.next = 0.into();
        if self.enabled.q.val() {
            self.enable_bit.next = self.control_enable.val();
        }
        self.reset_bit.next = 0.into();
        if self.resetting.q.val() {
            self.reset_bit.next = self.control_reset.val();
        }
        self.control_bits.next = self.enable_bit.val() | self.reset_bit.val();
        self.control_value.next =
            (self.control_bits.val() & self.write.keep.val()) | self.write.change.val();
        if self.write_valid.val() {
            if self.write_addr.val() == self.at_control.val() {
                self.enabled.d.next = (self.control_value.val() & self.control_enable.val()).any();
                // A reset that has begun is not called off.
                if (self.control_value.val() & self.control_reset.val()).any() {
                    self.resetting.d.next = true;
                }
            }
            if self.write_addr.val() == self.at_admin_sq_low.val() {
                self.admin_sq_low.d.next =
                    (self.admin_sq_low.q.val() & self.write.keep.val()) | self.write.change.val();
            }
            if self.write_addr.val() == self.at_admin_sq_high.val() {
                self.admin_sq_high.d.next =
                    (self.admin_sq_high.q.val() & self.write.keep.val()) | self.write.change.val();
            }
            if self.write_addr.val() == self.at_admin_cq_low.val() {
                self.admin_cq_low.d.next =
                    (self.admin_cq_low.q.val() & self.write.keep.val()) | self.write.change.val();
            }
            if self.write_addr.val() == self.at_admin_cq_high.val() {
                self.admin_cq_high.d.next =
                    (self.admin_cq_high.q.val() & self.write.keep.val()) | self.write.change.val();
            }
            if self.write_addr.val() == self.at_admin_size.val() {
                self.admin_size.d.next =
                    (self.admin_size.q.val() & self.write.keep.val()) | self.write.change.val();
            }
            if self.write_addr.val() == self.at_table_low.val() {
                self.table_low.d.next =
                    (self.table_low.q.val() & self.write.keep.val()) | self.write.change.val();
            }
            if self.write_addr.val() == self.at_table_high.val() {
                self.table_high.d.next =
                    (self.table_high.q.val() & self.write.keep.val()) | self.write.change.val();
            }
            if self.write_addr.val() == self.at_region_count.val() {
                self.regions.d.next =
                    (self.regions.q.val() & self.write.keep.val()) | self.write.change.val();
            }
            self.errors.clear.next = self.write_addr.val() == self.at_error_count.val();
        }
        self.enable.next = self.enabled.q.val();
        self.soft_reset.next = self.resetting.q.val();
        self.admin_sq.next = (bit_cast::<64, 32>(self.admin_sq_high.q.val()) << 32)
            | bit_cast::<64, 32>(self.admin_sq_low.q.val());
        self.admin_cq.next = (bit_cast::<64, 32>(self.admin_cq_high.q.val()) << 32)
            | bit_cast::<64, 32>(self.admin_cq_low.q.val());
        self.region_table.next = (bit_cast::<64, 32>(self.table_high.q.val()) << 32)
            | bit_cast::<64, 32>(self.table_low.q.val());
        self.region_count.next = self.regions.q.val();
        self.sq_log2.next = self.admin_size.q.val() >> self.sq_log2_at.val();
        self.cq_log2.next = self.admin_size.q.val() >> self.cq_log2_at.val();
        self.vector.next = self.admin_size.q.val() >> self.vector_at.val();
        self.admin_sq_log2.next = bit_cast::<4, 32>(self.sq_log2.val());
        self.admin_cq_log2.next = bit_cast::<4, 32>(self.cq_log2.val());
        self.admin_vector.next = bit_cast::<4, 32>(self.vector.val());

        // Reads: STATUS, LIMITS1 and LOG_DATA are put together from fields.
        self.ready_bit.next = 0.into();
        self.running_bit.next = 0.into();
        self.stalled_bit.next = 0.into();
        self.panicked_bit.next = 0.into();
        self.fatal_bit.next = 0.into();
        self.log_dropped_bit.next = 0.into();
        if (self.enabled.q.val() & !self.resetting.q.val()) & self.running.val() {
            self.ready_bit.next = self.status_ready.val();
        }
        if self.running.val() {
            self.running_bit.next = self.status_running.val();
        }
        if self.stalled.val() {
            self.stalled_bit.next = self.status_stalled.val();
        }
        if self.panicked.val() {
            self.panicked_bit.next = self.status_panicked.val();
        }
        if self.stopped.val() {
            self.fatal_bit.next = self.status_fatal.val();
        }
        if self.log.dropped.val() {
            self.log_dropped_bit.next = self.status_log_dropped.val();
        }
        self.data_width_log2.next = self.bus_bytes_log2.val() + 3;
        self.log_entry.next = 0.into();
        if !self.log.empty.val() {
            self.log_entry.next = (bit_cast::<32, 8>(self.log.next_byte.val())
                << self.log_byte_at.val())
                | self.log_valid_bit.val();
        }
        self.log.pop.next = self.read_valid.val()
            & (self.read_addr.val() == self.at_log_data.val())
            & !self.log.empty.val();
        self.counters.read_valid.next = self.read_valid.val();
        self.counters.read_addr.next = self.read_addr.val();
        self.register.next = self.counters.read_data.val();
        if self.read_addr.val() == self.at_magic.val() {
            self.register.next = self.magic.val();
        } else if self.read_addr.val() == self.at_version.val() {
            self.register.next = self.version.val();
        } else if self.read_addr.val() == self.at_hash_low.val() {
            self.register.next = self.hash_low.val();
        } else if self.read_addr.val() == self.at_hash_high.val() {
            self.register.next = self.hash_high.val();
        } else if self.read_addr.val() == self.at_features_low.val() {
            self.register.next = self.features_low.val();
        } else if self.read_addr.val() == self.at_limits0.val() {
            self.register.next = self.limits0.val();
        } else if self.read_addr.val() == self.at_limits1.val() {
            self.register.next =
                self.limits1.val() | (self.data_width_log2.val() << self.data_width_at.val());
        } else if self.read_addr.val() == self.at_clock_hz.val() {
            self.register.next = self.clock_hz.val();
        } else if self.read_addr.val() == self.at_read_tags.val() {
            self.register.next = self.read_tags.val();
        } else if self.read_addr.val() == self.at_max_regions.val() {
            self.register.next = self.max_regions.val();
        } else if self.read_addr.val() == self.at_control.val() {
            self.register.next = self.control_bits.val();
        } else if self.read_addr.val() == self.at_status.val() {
            self.register.next = ((self.ready_bit.val() | self.running_bit.val())
                | (self.stalled_bit.val() | self.panicked_bit.val()))
                | (self.fatal_bit.val() | self.log_dropped_bit.val());
        } else if self.read_addr.val() == self.at_firmware_state.val() {
            self.register.next = (bit_cast::<32, 8>(self.firmware.q.val()) << self.state_at.val())
                | (bit_cast::<32, 24>(self.detail.q.val()) << self.detail_at.val());
        } else if self.read_addr.val() == self.at_firmware_restarts.val() {
            self.register.next = self.fw_restarts.val();
        } else if self.read_addr.val() == self.at_admin_sq_low.val() {
            self.register.next = self.admin_sq_low.q.val();
        } else if self.read_addr.val() == self.at_admin_sq_high.val() {
            self.register.next = self.admin_sq_high.q.val();
        } else if self.read_addr.val() == self.at_admin_cq_low.val() {
            self.register.next = self.admin_cq_low.q.val();
        } else if self.read_addr.val() == self.at_admin_cq_high.val() {
            self.register.next = self.admin_cq_high.q.val();
        } else if self.read_addr.val() == self.at_admin_size.val() {
            self.register.next = self.admin_size.q.val();
        } else if self.read_addr.val() == self.at_table_low.val() {
            self.register.next = self.table_low.q.val();
        } else if self.read_addr.val() == self.at_table_high.val() {
            self.register.next = self.table_high.q.val();
        } else if self.read_addr.val() == self.at_region_count.val() {
            self.register.next = self.regions.q.val();
        } else if self.read_addr.val() == self.at_log_data.val() {
            self.register.next = self.log_entry.val();
        } else if self.read_addr.val() == self.at_error_count.val() {
            self.register.next = self.errors.count.val();
        } else if self.read_addr.val() == self.at_error_info.val() {
            self.register.next = self.errors.info.val();
        } else if self.read_addr.val() == self.at_error_address_low.val() {
            self.register.next = bit_cast::<32, 64>(self.errors.address.val());
        } else if self.read_addr.val() == self.at_error_address_high.val() {
            self.register.next = bit_cast::<32, 64>(self.errors.address.val() >> 32);
        }
        self.ack.d.next = self.read_valid.val();
        self.answer.d.next = self.register.val();
        self.read_ack.next = self.ack.q.val();
        self.read_data.next = self.answer.q.val();

        if self.clear.val() {
            self.resetting.d.next = false;
            self.admin_sq_low.d.next = 0.into();
            self.admin_sq_high.d.next = 0.into();
            self.admin_cq_low.d.next = 0.into();
            self.admin_cq_high.d.next = 0.into();
            self.admin_size.d.next = 0.into();
            self.table_low.d.next = 0.into();
            self.table_high.d.next = 0.into();
            self.regions.d.next = 0.into();
            self.firmware.d.next = 0.into();
            self.detail.d.next = 0.into();
            self.silence.d.next = 0.into();
        }
        if self.reset.val() {
            self.enabled.d.next = false;
            self.ack.d.next = false;
        }
    }
}
