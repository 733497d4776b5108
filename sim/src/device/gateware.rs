//! The device's pins, one call per clock cycle.

use std::path::PathBuf;

use pinring_hdl::device;
use pinring_hdl::soft_core::EmitError;
use pinring_verilator::{Error as VerilatorError, Instance, Model, Port, Spec};

use crate::link::{LinkConfig, MAX_BEAT_BYTES, RxPorts, TxPorts};

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
    (
        $( $direction:ident $name:ident: $width:literal ),+ ;
        $( $wide_direction:ident $wide:ident: $share:literal ),+ $(,)?
    ) => {
        /// Index of each port in the port list.
        // One variant per port, whether or not this side of it is looked at.
        #[allow(non_camel_case_types, dead_code)]
        #[derive(Clone, Copy)]
        enum Pin { $( $name ),+ }

        /// The ports whose width is the bus's, which lie behind all others.
        #[allow(non_camel_case_types)]
        #[derive(Clone, Copy)]
        enum WidePin { $( $wide ),+ }

        /// The device's ports with a bus of `bits`.
        fn ports(bits: usize) -> Vec<Port> {
            vec![
                $( Port::$direction(stringify!($name), $width), )+
                $( Port::$wide_direction(stringify!($wide), bits / $share) ),+
            ]
        }

        /// First word of each port, for direct access: as the layout has it, one word per 32 bits in list order.
        const WORDS: &[usize] = &{
            let widths: &[usize] = &[ $( $width ),+ ];
            let mut first = [0; [ $( $width ),+ ].len() + 1];
            let mut index = 0;
            while index < widths.len() {
                first[index + 1] = first[index] + widths[index].div_ceil(32);
                index += 1;
            }
            first
        };

        /// The same for the wide ports of a bus of `bits`.
        fn wide_words(bits: usize) -> [usize; WIDE_PINS] {
            let mut at = WORDS[WORDS.len() - 1];
            [ $( $share ),+ ].map(|share: usize| {
                let first = at;
                at += (bits / share).div_ceil(32);
                first
            })
        }

        const WIDE_PINS: usize = [ $( $share ),+ ].len();
    };
}

pins! {
    input clock: 1, input core_clock: 1, input reset: 1,
    input cfg_mps: 3, input cfg_mrrs: 3, input cfg_rcb: 1, input cfg_extended_tag: 1, input cfg_bus_master: 1, input cfg_msix_enable: 1,
    input cfg_msix_mask: 1, input cfg_cpl_headers: 12, input cfg_cpl_data: 16,
    output tx_valid: 1, input tx_ready: 1, output tx_sop: 1, output tx_eop: 1, output tx_kind: 2,
    output tx_addr: 64, output tx_len: 11, output tx_first_be: 4, output tx_last_be: 4, output tx_tag: 10, output tx_id: 16,
    output tx_byte_count: 13, output tx_status: 3,
    input cpl_valid: 1, input cpl_sop: 1, input cpl_eop: 1, input cpl_tag: 10, input cpl_len: 11,
    input cpl_byte_count: 13, input cpl_lower_addr: 7, input cpl_status: 3, input cpl_poisoned: 1,
    input req_valid: 1, output req_ready: 1, input req_sop: 1, input req_eop: 1, input req_write: 1,
    input req_addr: 24, input req_len: 11, input req_first_be: 4, input req_last_be: 4, input req_tag: 10, input req_id: 16,
    input s_axis_c2h_tvalid: 1, output s_axis_c2h_tready: 1, input s_axis_c2h_tlast: 1, input s_axis_c2h_tdest: 16,
    output m_axis_h2c_tvalid: 1, input m_axis_h2c_tready: 1, output m_axis_h2c_tlast: 1, output m_axis_h2c_tdest: 16,
    output m_axis_h2c_tuser: 1,
    output leds: 8, output entry_taken: 1, output entry_ctx: 5, output mail_in: 1,
    output mail_out: 1, output mail_out_head: 16, output list_asked: 1, output list_asked_ctx: 5, output list_here: 1,
    output list_here_ctx: 5, output busy: 1;
    // Bits of the bus, and one for each of its bytes.
    output tx_data: 1, input cpl_data: 1, input req_data: 1, input s_axis_c2h_tdata: 1, input s_axis_c2h_tkeep: 8,
    output m_axis_h2c_tdata: 1, output m_axis_h2c_tkeep: 8,
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
    wide: [usize; WIDE_PINS],
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
            verilog: device::verilog(config, bits, &processor)?,
            top: "top".into(),
            ports: ports(bits),
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
            wide: wide_words(bits),
            tx: TxPorts::default(),
            core_phase: 0,
            core_ratio: (core_mhz, clock_mhz),
            trace: trace.is_some(),
        };
        let width = u32::from(link.mps_code());
        gateware.set(Pin::cfg_mps, width);
        gateware.set(Pin::cfg_mrrs, u32::from(link.mrrs_code()));
        gateware.set(Pin::cfg_rcb, u32::from(link.rcb == 128));
        gateware.set(Pin::cfg_extended_tag, u32::from(link.device_tags > 32));
        gateware.set(Pin::cfg_bus_master, 1);
        gateware.set(Pin::cfg_msix_enable, 1);
        gateware.set(Pin::cfg_cpl_headers, link.completion_headers.min(4095));
        gateware.set(Pin::cfg_cpl_data, link.completion_data.min(65535));
        gateware.set(Pin::reset, 1);
        for _ in 0..32 {
            gateware.settle()?;
            gateware.edge()?;
        }
        gateware.set(Pin::reset, 0);
        Ok(gateware)
    }

    fn set(&mut self, pin: Pin, value: u32) {
        self.instance.words_mut()[WORDS[pin as usize]] = value;
    }

    fn get(&self, pin: Pin) -> u32 {
        self.instance.words()[WORDS[pin as usize]]
    }

    fn flag(&self, pin: Pin) -> bool {
        self.get(pin) != 0
    }

    /// A context that shows with a strobe.
    fn seen(&self, strobe: Pin, ctx: Pin) -> Option<u8> {
        self.flag(strobe).then(|| self.get(ctx) as u8)
    }

    fn set_data(&mut self, pin: WidePin, data: &[u8; MAX_BEAT_BYTES]) {
        let first = self.wide[pin as usize];
        let words = &mut self.instance.words_mut()[first..first + self.width / 4];
        for (word, bytes) in words.iter_mut().zip(data.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
    }

    fn set_keep(&mut self, pin: WidePin, keep: u64) {
        let first = self.wide[pin as usize];
        self.instance.words_mut()[first] = keep as u32;
        if self.width > 32 {
            self.instance.words_mut()[first + 1] = (keep >> 32) as u32;
        }
    }

    fn get_keep(&self, pin: WidePin) -> u64 {
        let first = self.wide[pin as usize];
        let low = u64::from(self.instance.words()[first]);
        if self.width > 32 {
            return low | u64::from(self.instance.words()[first + 1]) << 32;
        }
        low
    }

    /// Bus mastering and the MSI-X enable, as configuration space has them.
    pub fn set_bus_master(&mut self, on: bool) {
        self.set(Pin::cfg_bus_master, u32::from(on));
    }

    /// Shows the link's side of this cycle.
    pub fn show_link(&mut self, rx: &RxPorts) {
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
            self.set_data(WidePin::cpl_data, &cpl.data);
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
            self.set_data(WidePin::req_data, &req.data);
        }
    }

    /// Shows a C2H beat, or none.
    pub fn show_c2h(&mut self, beat: Option<&Beat>) {
        self.set(Pin::s_axis_c2h_tvalid, u32::from(beat.is_some()));
        if let Some(beat) = beat {
            self.set_data(WidePin::s_axis_c2h_tdata, &beat.data);
            self.set_keep(WidePin::s_axis_c2h_tkeep, beat.keep);
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
            req_ready: self.flag(Pin::req_ready),
        })
    }

    /// What the transmit pins show.
    pub fn tx(&mut self) -> &TxPorts {
        self.tx.valid = self.flag(Pin::tx_valid);
        if self.tx.valid {
            let addr = WORDS[Pin::tx_addr as usize];
            let words = self.instance.words();
            self.tx.address = u64::from(words[addr]) | (u64::from(words[addr + 1]) << 32);
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
            let first = self.wide[WidePin::tx_data as usize];
            let words = &self.instance.words()[first..first + self.width / 4];
            copy_words(words, &mut self.tx.data);
        }
        &self.tx
    }

    /// The H2C beat on offer.
    pub fn h2c(&self) -> Option<Beat> {
        self.flag(Pin::m_axis_h2c_tvalid).then(|| {
            let mut beat = Beat {
                data: [0; MAX_BEAT_BYTES],
                keep: self.get_keep(WidePin::m_axis_h2c_tkeep),
                last: self.flag(Pin::m_axis_h2c_tlast),
                dest: self.get(Pin::m_axis_h2c_tdest) as u16,
                user: self.flag(Pin::m_axis_h2c_tuser),
            };
            let first = self.wide[WidePin::m_axis_h2c_tdata as usize];
            let words = &self.instance.words()[first..first + self.width / 4];
            copy_words(words, &mut beat.data);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The words are those of the layout that the model has.
    #[test]
    fn words_follow_the_port_list() {
        for bits in device::WIDTHS {
            let layout = pinring_verilator::Layout::new("top", &ports(bits)).expect("ports");
            let place = |name: &str| layout.range(layout.index(name).expect("a port")).start;
            assert_eq!(place("tx_addr"), WORDS[Pin::tx_addr as usize]);
            assert_eq!(place("busy"), WORDS[Pin::busy as usize]);
            let wide = wide_words(bits);
            assert_eq!(place("tx_data"), wide[WidePin::tx_data as usize]);
            assert_eq!(
                place("m_axis_h2c_tkeep"),
                wide[WidePin::m_axis_h2c_tkeep as usize]
            );
        }
    }
}
