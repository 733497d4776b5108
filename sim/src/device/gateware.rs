//! The device's pins, one call per clock cycle.

use std::path::PathBuf;

use pinring_hdl::device;
use pinring_hdl::shim::uscale_plus;
use pinring_hdl::soft_core::EmitError;
use pinring_verilator::{Error as VerilatorError, Instance, Layout, Model, Port, Spec};

use super::integrated_block::{IntegratedBlock, Offered, Shown};
use crate::link::{HardIp, LinkConfig, MAX_BEAT_BYTES, RxPorts, TxPorts};

/// What the build of the model needs from outside.
#[derive(Debug, Clone)]
pub struct Tools {
    /// VexRiscv_Lite.v.
    pub processor: PathBuf,
    /// The firmware's image for `$readmemh`.
    pub firmware: PathBuf,
    /// The firmware's ELF file, which holds the words of its log.
    pub elf: Option<PathBuf>,
}

/// Why there is no model of the device.
#[derive(Debug, thiserror::Error)]
pub enum GatewareError {
    /// A file that `cargo xtask` provides is not there.
    #[error("cannot read {}: {error}; `cargo xtask cosim` provides it", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// The Verilog could not be emitted.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// Verilator or the compiler failed.
    #[error(transparent)]
    Verilator(#[from] VerilatorError),
}

macro_rules! pins {
    ($bits:ident; $( $side:ident $direction:ident $name:ident: $width:expr ),+ $(,)?) => {
        /// The ports of both modules.
        // One variant per port, whether or not this side of it is looked at.
        #[allow(non_camel_case_types, dead_code)]
        #[derive(Clone, Copy)]
        enum Pin { $( $name ),+ }

        /// The module's ports with a bus of that many bits.
        fn ports($bits: usize, shim: bool) -> Vec<Port> {
            [ $( (Side::$side, Port::$direction(stringify!($name), $width)) ),+ ]
                .into_iter()
                .filter(|(side, _)| side.has(shim))
                .map(|(_, port)| port)
                .collect()
        }

        /// First word of each port that the module has, for direct access.
        fn places($bits: usize, shim: bool) -> Result<Vec<Option<usize>>, VerilatorError> {
            let layout = Layout::new("top", &ports($bits, shim))?;
            let place = |name| layout.index(name).map(|index| layout.range(index).start);
            Ok(vec![ $( place(stringify!($name)) ),+ ])
        }
    };
}

/// Which module has a port: the device, the device behind its shim, or both.
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
enum Side {
    device,
    shim,
    both,
}

impl Side {
    fn has(self, shim: bool) -> bool {
        match self {
            Self::device => !shim,
            Self::shim => shim,
            Self::both => true,
        }
    }
}

/// Of a width that the two widths of the shim do not have in proportion.
fn of(bits: usize, [at256, at512]: [usize; 2]) -> usize {
    if bits == 256 { at256 } else { at512 }
}

pins! {
    bits;
    both input clock: 1, both input core_clock: 1, both input reset: 1, device input core_halt: 1,
    device input cfg_mps: 3, device input cfg_mrrs: 3, device input cfg_rcb: 1, device input cfg_extended_tag: 1,
    device input cfg_bus_master: 1, device input cfg_msix_enable: 1, device input cfg_msix_mask: 1,
    device input cfg_cpl_headers: 12, device input cfg_cpl_data: 16,
    device output tx_valid: 1, device input tx_ready: 1, device output tx_sop: 1, device output tx_eop: 1, device output tx_kind: 2,
    device output tx_addr: 64, device output tx_len: 11, device output tx_first_be: 4, device output tx_last_be: 4,
    device output tx_tag: 10, device output tx_id: 16, device output tx_byte_count: 13, device output tx_status: 3,
    device output tx_data: bits,
    device input cpl_valid: 1, device input cpl_sop: 1, device input cpl_eop: 1, device input cpl_tag: 10, device input cpl_len: 11,
    device input cpl_byte_count: 13, device input cpl_lower_addr: 7, device input cpl_status: 3, device input cpl_poisoned: 1,
    device input cpl_data: bits,
    device input req_valid: 1, device output req_ready: 1, device input req_sop: 1, device input req_eop: 1, device input req_write: 1,
    device input req_addr: 24, device input req_len: 11, device input req_first_be: 4, device input req_last_be: 4,
    device input req_tag: 10, device input req_id: 16, device input req_data: bits,
    shim output s_axis_rq_tvalid: 1, shim input s_axis_rq_tready: 4, shim output s_axis_rq_tdata: bits,
    shim output s_axis_rq_tkeep: bits / 32, shim output s_axis_rq_tlast: 1, shim output s_axis_rq_tuser: of(bits, [62, 137]),
    shim input pcie_rq_seq_num0: 6, shim input pcie_rq_seq_num_vld0: 1, shim input pcie_rq_seq_num1: 6,
    shim input pcie_rq_seq_num_vld1: 1, shim input pcie_tfc_nph_av: 4,
    shim input m_axis_rc_tvalid: 1, shim output m_axis_rc_tready: 1, shim input m_axis_rc_tdata: bits, shim input m_axis_rc_tlast: 1,
    shim input m_axis_rc_tuser: of(bits, [75, 161]),
    shim input m_axis_cq_tvalid: 1, shim output m_axis_cq_tready: 1, shim input m_axis_cq_tdata: bits, shim input m_axis_cq_tlast: 1,
    shim input m_axis_cq_tuser: of(bits, [88, 183]), shim output pcie_cq_np_req: 2,
    shim output s_axis_cc_tvalid: 1, shim input s_axis_cc_tready: 4, shim output s_axis_cc_tdata: bits,
    shim output s_axis_cc_tkeep: bits / 32, shim output s_axis_cc_tlast: 1, shim output s_axis_cc_tuser: of(bits, [33, 81]),
    shim input cfg_max_payload: 2, shim input cfg_max_read_req: 3, shim input cfg_rcb_status: 4, shim input cfg_function_status: 16,
    shim input cfg_interrupt_msix_enable: 4, shim input cfg_interrupt_msix_mask: 4, shim input cfg_mgmt_read_data: 32,
    shim input cfg_mgmt_read_write_done: 1, shim output cfg_mgmt_addr: 10, shim output cfg_mgmt_read: 1,
    shim output discontinued: 1,
    both input s_axis_c2h_tvalid: 1, both output s_axis_c2h_tready: 1, both input s_axis_c2h_tdata: bits,
    both input s_axis_c2h_tkeep: bits / 8, both input s_axis_c2h_tlast: 1, both input s_axis_c2h_tdest: 16,
    both output m_axis_h2c_tvalid: 1, both input m_axis_h2c_tready: 1, both output m_axis_h2c_tdata: bits,
    both output m_axis_h2c_tkeep: bits / 8, both output m_axis_h2c_tlast: 1, both output m_axis_h2c_tdest: 16,
    both output m_axis_h2c_tuser: 1,
    both output leds: 8, both output busy: 1,
    device output entry_taken: 1, device output entry_ctx: 5, device output mail_in: 1, device output mail_out: 1,
    device output mail_out_head: 16, device output list_asked: 1, device output list_asked_ctx: 5, device output list_here: 1,
    device output list_here_ctx: 5,
}

/// What an observer sees in a cycle.
#[derive(Debug, Clone, Copy, Default)]
pub struct Observed {
    /// A submission entry got this context (direction in bit 4, index in bits 3:0).
    pub entry_taken: Option<u8>,
    /// A message to the firmware passed.
    pub mail_in: bool,
    /// A command of the firmware passed: its kind and context id.
    pub mail_out: Option<[u8; 2]>,
    /// A block of a list was asked for, for this context.
    pub list_asked: Option<u8>,
    /// A block of a list has come, for this context.
    pub list_here: Option<u8>,
    /// The device has work left.
    pub busy: bool,
    /// `s_axis_c2h_tready`.
    pub c2h_ready: bool,
    /// `req_ready`.
    pub req_ready: bool,
}

/// A beat on a user stream.
#[derive(Debug, Clone, Copy)]
pub struct Beat {
    /// Bytes, lane 0 first; those of the bus count.
    pub data: [u8; MAX_BEAT_BYTES],
    /// Valid lanes, contiguous from lane 0.
    pub keep: u64,
    /// End of a packet.
    pub last: bool,
    /// TDEST.
    pub dest: u16,
    /// Cut short by an error (H2C).
    pub user: bool,
}

/// The device under Verilator.
pub struct Gateware {
    instance: Instance,
    /// Bytes of a beat.
    width: usize,
    places: Vec<Option<usize>>,
    /// The hard IP, if the device is behind its shim.
    block: Option<IntegratedBlock>,
    /// Whether the hard IP takes the host's request in this cycle.
    request_ready: bool,
    tx: TxPorts,
    core_phase: u32,
    core_ratio: (u32, u32),
    trace: bool,
}

impl Gateware {
    /// Builds (or finds) the model and resets the device. `clock_mhz` and `core_mhz` are the clocks' ratio.
    ///
    /// # Errors
    /// Missing tools, files that cannot be read, Verilog that Verilator refuses.
    pub fn new(
        tools: &Tools,
        config: device::Config,
        link: &LinkConfig,
        clock_mhz: u32,
        core_mhz: u32,
        trace: Option<&std::path::Path>,
    ) -> Result<Self, GatewareError> {
        let bits = 8 * link.width_bytes;
        let shim = link.hard_ip == Some(HardIp::UscalePlus);
        let processor = std::fs::read_to_string(&tools.processor).map_err(|error| {
            GatewareError::Unreadable {
                file: tools.processor.clone(),
                error,
            }
        })?;
        std::fs::metadata(&tools.firmware).map_err(|error| GatewareError::Unreadable {
            file: tools.firmware.clone(),
            error,
        })?;
        let model = Model::build(&Spec {
            verilog: match shim {
                false => device::verilog(config, bits, &processor)?,
                true => uscale_plus::verilog(bits, &processor)?,
            },
            top: "top".into(),
            ports: ports(bits, shim),
            trace: trace.is_some(),
            plusargs: vec![format!("+firmware={}", tools.firmware.display())],
            ..Spec::default()
        })?;
        let mut instance = model.instance()?;
        if let Some(path) = trace {
            instance.open_trace(path, 99)?;
        }
        let mut gateware = Self {
            instance,
            width: link.width_bytes,
            places: places(bits, shim)?,
            block: shim.then(|| IntegratedBlock::new(link.width_bytes)),
            request_ready: false,
            tx: TxPorts::default(),
            core_phase: 0,
            core_ratio: (core_mhz, clock_mhz),
            trace: trace.is_some(),
        };
        gateware.set(Pin::cfg_mps, u32::from(link.mps_code()));
        gateware.set(Pin::cfg_max_payload, u32::from(link.mps_code()));
        gateware.set(Pin::cfg_max_read_req, u32::from(link.mrrs_code()));
        gateware.set(Pin::cfg_rcb_status, u32::from(link.rcb == 128));
        gateware.set(Pin::cfg_interrupt_msix_enable, 1);
        // Device Control, whose bit 8 is Extended Tag Field Enable.
        gateware.set(
            Pin::cfg_mgmt_read_data,
            u32::from(link.device_tags > 32) << 8,
        );
        gateware.set(Pin::cfg_mgmt_read_write_done, 1);
        gateware.set(Pin::pcie_tfc_nph_av, 15);
        gateware.set(Pin::cfg_mrrs, u32::from(link.mrrs_code()));
        gateware.set(Pin::cfg_rcb, u32::from(link.rcb == 128));
        gateware.set(Pin::cfg_extended_tag, u32::from(link.device_tags > 32));
        gateware.set_bus_master(true);
        gateware.set(Pin::cfg_msix_enable, 1);
        gateware.set(Pin::cfg_cpl_headers, link.completion_headers.min(4095));
        gateware.set(Pin::cfg_cpl_data, link.completion_data.min(65535));
        gateware.reset()?;
        Ok(gateware)
    }

    /// Resets the device; configuration space stays as it is.
    ///
    /// # Errors
    /// The Verilog failed.
    pub fn reset(&mut self) -> Result<(), GatewareError> {
        self.set(Pin::cpl_valid, 0);
        self.set(Pin::req_valid, 0);
        self.set(Pin::reset, 1);
        for _ in 0..32 {
            self.settle()?;
            self.edge()?;
        }
        self.set(Pin::reset, 0);
        Ok(())
    }

    /// A port that the module does not have takes everything.
    fn set(&mut self, pin: Pin, value: u32) {
        if let Some(at) = self.places[pin as usize] {
            self.instance.words_mut()[at] = value;
        }
    }

    /// A port that the module does not have is 0.
    fn get(&self, pin: Pin) -> u32 {
        self.places[pin as usize].map_or(0, |at| self.instance.words()[at])
    }

    /// The words of a wide port.
    fn words(&self, pin: Pin, count: usize) -> &[u32] {
        self.places[pin as usize].map_or(&[], |at| &self.instance.words()[at..at + count])
    }

    fn set_words(&mut self, pin: Pin, words: &[u32]) {
        if let Some(at) = self.places[pin as usize] {
            self.instance.words_mut()[at..at + words.len()].copy_from_slice(words);
        }
    }

    fn flag(&self, pin: Pin) -> bool {
        self.get(pin) != 0
    }

    /// A context that shows with a strobe.
    fn seen(&self, strobe: Pin, ctx: Pin) -> Option<u8> {
        self.flag(strobe).then(|| self.get(ctx) as u8)
    }

    fn set_data(&mut self, pin: Pin, data: &[u8; MAX_BEAT_BYTES]) {
        let mut words = [0; MAX_BEAT_BYTES / 4];
        for (word, bytes) in words.iter_mut().zip(data.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        self.set_words(pin, &words[..self.width / 4]);
    }

    fn set_keep(&mut self, pin: Pin, keep: u64) {
        let words = [keep as u32, (keep >> 32) as u32];
        self.set_words(pin, &words[..self.width.div_ceil(32)]);
    }

    fn get_keep(&self, pin: Pin) -> u64 {
        let words = self.words(pin, self.width.div_ceil(32));
        words
            .iter()
            .rev()
            .fold(0, |keep, word| keep << 32 | u64::from(*word))
    }

    /// Bus mastering and the MSI-X enable, as configuration space has them.
    pub fn set_bus_master(&mut self, on: bool) {
        self.set(Pin::cfg_bus_master, u32::from(on));
        self.set(Pin::cfg_function_status, u32::from(on) << 2);
    }

    /// Stops the soft core where it is, or lets a restarted one run.
    pub fn set_core_halt(&mut self, on: bool) {
        self.set(Pin::core_halt, u32::from(on));
    }

    /// Shows the link's side of this cycle.
    pub fn show_link(&mut self, rx: &RxPorts) {
        if let Some(mut block) = self.block.take() {
            self.request_ready = block.request_ready(rx);
            block.show(rx);
            self.show_block(&mut block);
            self.block = Some(block);
            return;
        }
        self.set(Pin::tx_ready, u32::from(rx.tx_ready));
        self.set(Pin::cpl_valid, u32::from(rx.cpl.valid));
        if rx.cpl.valid {
            let cpl = &rx.cpl;
            self.set(Pin::cpl_sop, u32::from(cpl.sop));
            self.set(Pin::cpl_eop, u32::from(cpl.eop));
            self.set(Pin::cpl_tag, u32::from(cpl.tag));
            self.set(Pin::cpl_len, u32::from(cpl.len_dw));
            self.set(Pin::cpl_byte_count, u32::from(cpl.byte_count));
            self.set(Pin::cpl_lower_addr, u32::from(cpl.lower_address));
            self.set(Pin::cpl_status, u32::from(cpl.status));
            self.set(Pin::cpl_poisoned, u32::from(cpl.poisoned));
            self.set_data(Pin::cpl_data, &cpl.data);
        }
        self.set(Pin::req_valid, u32::from(rx.req.valid));
        if rx.req.valid {
            let req = &rx.req;
            self.set(Pin::req_sop, u32::from(req.sop));
            self.set(Pin::req_eop, u32::from(req.eop));
            self.set(Pin::req_write, u32::from(req.write));
            self.set(Pin::req_addr, req.address);
            self.set(Pin::req_len, u32::from(req.len_dw));
            self.set(Pin::req_first_be, u32::from(req.first_be));
            self.set(Pin::req_last_be, u32::from(req.last_be));
            self.set(Pin::req_tag, u32::from(req.tag));
            self.set(Pin::req_id, u32::from(req.id));
            self.set_data(Pin::req_data, &req.data);
        }
    }

    /// Shows the hard IP's side of this cycle.
    fn show_block(&mut self, block: &mut IntegratedBlock) {
        let ready = if block.ready() { 15 } else { 0 };
        self.set(Pin::s_axis_rq_tready, ready);
        self.set(Pin::s_axis_cc_tready, ready);
        let [first, second] = block.numbers();
        self.set(Pin::pcie_rq_seq_num_vld0, u32::from(first.is_some()));
        self.set(Pin::pcie_rq_seq_num0, first.unwrap_or(0).into());
        self.set(Pin::pcie_rq_seq_num_vld1, u32::from(second.is_some()));
        self.set(Pin::pcie_rq_seq_num1, second.unwrap_or(0).into());
        let rc = [
            Pin::m_axis_rc_tvalid,
            Pin::m_axis_rc_tdata,
            Pin::m_axis_rc_tlast,
            Pin::m_axis_rc_tuser,
        ];
        let cq = [
            Pin::m_axis_cq_tvalid,
            Pin::m_axis_cq_tdata,
            Pin::m_axis_cq_tlast,
            Pin::m_axis_cq_tuser,
        ];
        let bits = 8 * self.width;
        for (beat, [valid, data, last, user], user_bits) in
            [(block.rc(), rc, [75, 161]), (block.cq(), cq, [88, 183])]
        {
            self.set(valid, u32::from(beat.is_some()));
            if let Some(Shown {
                dwords,
                last: end,
                user: values,
            }) = beat
            {
                self.set_words(data, dwords);
                self.set(last, u32::from(*end));
                self.set_words(user, &values[..of(bits, user_bits).div_ceil(32)]);
            }
        }
    }

    /// The hard IP's clock edge.
    fn block_edge(&mut self, block: &mut IntegratedBlock) {
        let bits = 8 * self.width;
        let offered = |[valid, ready, data, keep, last, user]: [Pin; 6], user_bits| {
            (self.flag(valid) && self.flag(ready)).then(|| Offered {
                dwords: self.words(data, self.width / 4),
                keep: self.get(keep),
                last: self.flag(last),
                user: self.words(user, of(bits, user_bits).div_ceil(32)),
            })
        };
        let rq = [
            Pin::s_axis_rq_tvalid,
            Pin::s_axis_rq_tready,
            Pin::s_axis_rq_tdata,
            Pin::s_axis_rq_tkeep,
            Pin::s_axis_rq_tlast,
            Pin::s_axis_rq_tuser,
        ];
        let cc = [
            Pin::s_axis_cc_tvalid,
            Pin::s_axis_cc_tready,
            Pin::s_axis_cc_tdata,
            Pin::s_axis_cc_tkeep,
            Pin::s_axis_cc_tlast,
            Pin::s_axis_cc_tuser,
        ];
        let taken = |valid, ready| self.flag(valid) && self.flag(ready);
        block.edge(
            [
                taken(Pin::m_axis_rc_tvalid, Pin::m_axis_rc_tready),
                taken(Pin::m_axis_cq_tvalid, Pin::m_axis_cq_tready),
            ],
            offered(rq, [62, 137]),
            offered(cc, [33, 81]),
            self.flag(Pin::pcie_cq_np_req),
        );
    }

    /// Shows a C2H beat, or none.
    pub fn show_c2h(&mut self, beat: Option<&Beat>) {
        self.set(Pin::s_axis_c2h_tvalid, u32::from(beat.is_some()));
        if let Some(beat) = beat {
            self.set_data(Pin::s_axis_c2h_tdata, &beat.data);
            self.set_keep(Pin::s_axis_c2h_tkeep, beat.keep);
            self.set(Pin::s_axis_c2h_tlast, u32::from(beat.last));
            self.set(Pin::s_axis_c2h_tdest, u32::from(beat.dest));
        }
    }

    /// Whether the H2C sink takes a beat in this cycle.
    pub fn show_h2c_ready(&mut self, ready: bool) {
        self.set(Pin::m_axis_h2c_tready, u32::from(ready));
    }

    /// Lets the outputs follow the inputs, before the clock edge.
    ///
    /// # Errors
    /// The Verilog failed.
    pub fn settle(&mut self) -> Result<Observed, GatewareError> {
        self.set(Pin::clock, 0);
        self.instance.eval()?;
        if self.trace {
            self.instance.dump_trace()?;
        }
        Ok(Observed {
            entry_taken: self.seen(Pin::entry_taken, Pin::entry_ctx),
            mail_in: self.flag(Pin::mail_in),
            mail_out: self
                .flag(Pin::mail_out)
                .then(|| (self.get(Pin::mail_out_head) as u16).to_le_bytes()),
            list_asked: self.seen(Pin::list_asked, Pin::list_asked_ctx),
            list_here: self.seen(Pin::list_here, Pin::list_here_ctx),
            busy: self.flag(Pin::busy),
            c2h_ready: self.flag(Pin::s_axis_c2h_tready),
            req_ready: match &self.block {
                Some(_) => self.request_ready,
                None => self.flag(Pin::req_ready),
            },
        })
    }

    /// What the transmit pins show.
    pub fn tx(&mut self) -> &TxPorts {
        if let Some(block) = &self.block {
            return block.tx();
        }
        self.tx.valid = self.flag(Pin::tx_valid);
        if self.tx.valid {
            let address = self.words(Pin::tx_addr, 2);
            self.tx.address = u64::from(address[0]) | (u64::from(address[1]) << 32);
            self.tx.sop = self.flag(Pin::tx_sop);
            self.tx.eop = self.flag(Pin::tx_eop);
            self.tx.kind = self.get(Pin::tx_kind) as u8;
            self.tx.len_dw = self.get(Pin::tx_len) as u16;
            self.tx.first_be = self.get(Pin::tx_first_be) as u8;
            self.tx.last_be = self.get(Pin::tx_last_be) as u8;
            self.tx.tag = self.get(Pin::tx_tag) as u16;
            self.tx.id = self.get(Pin::tx_id) as u16;
            self.tx.byte_count = self.get(Pin::tx_byte_count) as u16;
            self.tx.status = self.get(Pin::tx_status) as u8;
            let mut data = self.tx.data;
            copy_words(self.words(Pin::tx_data, self.width / 4), &mut data);
            self.tx.data = data;
        }
        &self.tx
    }

    /// The H2C beat on offer.
    pub fn h2c(&self) -> Option<Beat> {
        self.flag(Pin::m_axis_h2c_tvalid).then(|| {
            let mut beat = Beat {
                data: [0; MAX_BEAT_BYTES],
                keep: self.get_keep(Pin::m_axis_h2c_tkeep),
                last: self.flag(Pin::m_axis_h2c_tlast),
                dest: self.get(Pin::m_axis_h2c_tdest) as u16,
                user: self.flag(Pin::m_axis_h2c_tuser),
            };
            copy_words(
                self.words(Pin::m_axis_h2c_tdata, self.width / 4),
                &mut beat.data,
            );
            beat
        })
    }

    /// The clock edge. The core's clock moves with it, at its share of the engine's frequency.
    ///
    /// # Errors
    /// The Verilog failed.
    pub fn edge(&mut self) -> Result<(), GatewareError> {
        // Both edges of the core's clock fall on edges of the engine's: half a core cycle per `clock / (2 core)` cycles.
        self.core_phase += 2 * self.core_ratio.0;
        if self.core_phase >= self.core_ratio.1 {
            self.core_phase -= self.core_ratio.1;
            let level = self.get(Pin::core_clock) ^ 1;
            self.set(Pin::core_clock, level);
        }
        if let Some(mut block) = self.block.take() {
            self.block_edge(&mut block);
            self.block = Some(block);
        }
        self.set(Pin::clock, 1);
        self.instance.eval()?;
        if self.trace {
            let now = self.instance.time();
            self.instance.set_time(now + 2000);
            self.instance.dump_trace()?;
            self.instance.set_time(now + 4000);
        }
        Ok(())
    }
}

/// Bytes of words, as many as there are.
fn copy_words(words: &[u32], data: &mut [u8; MAX_BEAT_BYTES]) {
    for (word, bytes) in words.iter().zip(data.as_chunks_mut::<4>().0) {
        *bytes = word.to_le_bytes();
    }
}
