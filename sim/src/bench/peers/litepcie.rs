//! LitePCIe's DMA under Verilator, on the link's pins.
//!
//! `sim/peers/litepcie_dma.py` makes one module of LitePCIe's crossbar, DMA writer, DMA reader and their tables. Its TLP requests
//! and completions are streams with headers beside the data, as the link's are, and 4 KiB pages keep every TLP at lane 0: a beat here is
//! a beat there. LitePCIe's own header insertion would cost it one or two beats a TLP more; it is left out in its favour.

use std::collections::VecDeque;

use pinring_verilator::{Instance, Model, Port, Spec};

use super::super::probe::Context;
use super::super::{Error, Setting};
use crate::host::HostBus;
use crate::link::{HostEvent, Link, MAX_BEAT_BYTES, TxPorts};

/// Words of the register bank, in the order of the script.
pub(super) mod register {
    /// Writer's registers begin here.
    pub const WRITER: u32 = 0;
    /// Reader's registers begin here.
    pub const READER: u32 = 8;
    /// Bit 0 runs the DMA.
    pub const ENABLE: u32 = 0;
    /// High half of a descriptor: its length.
    pub const VALUE_HIGH: u32 = 1;
    /// Low half: bits 31:0 of its address.
    pub const VALUE_LOW: u32 = 2;
    /// Bits 63:32 of its address; the write puts it into the table.
    pub const PUSH: u32 = 3;
    /// 1: what was executed goes to the table's end.
    pub const LOOP: u32 = 4;
}

/// Names of the ports, their indices in the model, and their widths on a bus of `bits`.
macro_rules! ports {
    ($($direction:ident $name:ident: $width:expr),+ $(,)?) => {
        #[allow(non_camel_case_types)]
        #[derive(Clone, Copy)]
        enum Pin { $($name),+ }

        fn ports(bits: usize) -> Vec<Port> {
            vec![$(Port::$direction(stringify!($name), ($width as fn(usize) -> usize)(bits))),+]
        }
    };
}

ports! {
    input clock: |_| 1, input reset: |_| 1, input mps: |_| 16, input mrrs: |_| 16,
    input csr_adr: |_| 14, input csr_we: |_| 1, input csr_dat_w: |_| 32,
    output writer_level: |_| 9, output reader_level: |_| 9,
    output req_valid: |_| 1, input req_ready: |_| 1, output req_first: |_| 1, output req_last: |_| 1, output req_we: |_| 1,
    output req_adr: |_| 64, output req_len: |_| 10, output req_tag: |_| 8, output req_dat: |bits| bits,
    input cmp_valid: |_| 1, output cmp_ready: |_| 1, input cmp_first: |_| 1, input cmp_last: |_| 1, input cmp_adr: |_| 32,
    input cmp_len: |_| 10, input cmp_end: |_| 1, input cmp_err: |_| 1, input cmp_tag: |_| 8, input cmp_dat: |bits| bits,
    input c2h_valid: |_| 1, output c2h_ready: |_| 1, input c2h_data: |bits| bits, input c2h_last: |_| 1,
    output h2c_valid: |_| 1, input h2c_ready: |_| 1, output h2c_data: |bits| bits,
}

/// A beat of a completion that the device has not taken.
struct Beat {
    first: bool,
    last: bool,
    end: bool,
    tag: u16,
    len_dw: u16,
    address: u8,
    data: [u8; MAX_BEAT_BYTES],
}

/// The device in its slot.
pub(super) struct LitePcie {
    /// The link.
    pub link: Link,
    instance: Instance,
    /// Bytes of a beat.
    pub width: usize,
    tx: TxPorts,
    completions: VecDeque<Beat>,
    /// Virtual time in picoseconds.
    pub now_ps: u64,
    period_ps: u64,
    /// Descriptors that have reached the table, of writer and reader.
    pub pushed: [u64; 2],
    /// The writer runs from then on; before, it swallows what the stream offers.
    runs_ps: u64,
}

/// The user's side of a cycle.
pub(super) trait User {
    /// Fills the next C2H beat, if there is one.
    fn offer(&mut self, beat: &mut [u8]) -> bool;
    /// The device has taken it.
    fn taken(&mut self);
    /// A beat of the H2C stream.
    ///
    /// # Errors
    /// It is a wrong one.
    fn receive(&mut self, beat: &[u8]) -> Result<(), Error>;
}

fn failed(error: impl ToString) -> Error {
    Error::Peer(error.to_string())
}

impl LitePcie {
    /// The device out of reset.
    pub fn new(context: &Context<'_>, setting: &Setting) -> Result<Self, Error> {
        let folder = context.peers.ok_or_else(|| {
            failed("LitePCIe's Verilog was not made; `cargo xtask bench --peers` does")
        })?;
        let bits = setting.port.width_bits as usize;
        let file = folder.join(format!("litepcie_dma_{bits}.v"));
        let verilog = std::fs::read_to_string(&file)
            .map_err(|error| failed(format!("cannot read {}: {error}", file.display())))?;
        let model = Model::build(&Spec {
            verilog,
            top: "litepcie_dma".into(),
            ports: ports(bits),
            ..Spec::default()
        })
        .map_err(failed)?;
        let config = setting.link();
        let mut device = Self {
            instance: model.instance().map_err(failed)?,
            width: bits / 8,
            tx: TxPorts::default(),
            completions: VecDeque::new(),
            now_ps: 0,
            period_ps: 1_000_000 / u64::from(setting.scenario().device.clock_mhz),
            pushed: [0; 2],
            runs_ps: u64::MAX,
            link: Link::new(config).map_err(failed)?,
        };
        device.link.set_bus_master(true);
        let (mps, mrrs) = (device.link.config().mps, device.link.config().mrrs);
        device.set(Pin::mps, mps.into());
        device.set(Pin::mrrs, mrrs.into());
        device.set(Pin::reset, 1);
        for _ in 0..32 {
            device.edge()?;
        }
        device.set(Pin::reset, 0);
        // The queue of tags is filled in the first cycles.
        for _ in 0..64 {
            device.edge()?;
        }
        Ok(device)
    }

    fn set(&mut self, pin: Pin, value: u64) {
        self.instance.set(pin as usize, value);
    }

    fn get(&self, pin: Pin) -> u64 {
        self.instance.get(pin as usize)
    }

    fn set_data(&mut self, pin: Pin, data: &[u8]) {
        let words = self.instance.wide_mut(pin as usize);
        for (word, bytes) in words.iter_mut().zip(data.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
    }

    fn data(&self, pin: Pin, data: &mut [u8]) {
        let words = self.instance.wide(pin as usize);
        for (word, bytes) in words.iter().zip(data.as_chunks_mut::<4>().0) {
            *bytes = word.to_le_bytes();
        }
    }

    /// Descriptors in the table of the writer (0) or the reader (1).
    pub fn level(&self, reader: usize) -> u64 {
        self.get([Pin::writer_level, Pin::reader_level][reader])
    }

    fn edge(&mut self) -> Result<(), Error> {
        self.set(Pin::clock, 0);
        self.instance.eval().map_err(failed)?;
        self.set(Pin::clock, 1);
        self.instance.eval().map_err(failed)
    }

    /// A register write that leaves the CPU now.
    pub fn write(&mut self, register: u32, value: u32) -> Result<(), Error> {
        let offset = u64::from(register) * 4;
        self.link
            .mmio_write(self.now_ps, offset, &value.to_le_bytes())
            .map_err(failed)
    }

    /// One cycle of the device.
    pub fn cycle(&mut self, bus: &mut dyn HostBus, user: &mut dyn User) -> Result<(), Error> {
        let now = self.now_ps;
        let width = self.width;
        let rx = *self.link.begin_cycle(now, bus).map_err(failed)?;
        if rx.cpl.valid {
            let cpl = &rx.cpl;
            self.completions.push_back(Beat {
                first: cpl.sop,
                last: cpl.eop,
                end: u32::from(cpl.byte_count) <= 4 * u32::from(cpl.len_dw),
                tag: cpl.tag,
                len_dw: cpl.len_dw,
                address: cpl.lower_address,
                data: cpl.data,
            });
        }
        self.set(Pin::cmp_err, 0);
        self.set(Pin::c2h_last, 0);
        // Requests are register writes of one DW; data is address-aligned.
        let req = &rx.req;
        self.set(Pin::csr_we, u64::from(req.valid));
        if req.valid {
            let register = req.address / 4;
            let lane = req.address as usize % width;
            let value = req.data.get(lane..lane + 4).and_then(<[u8]>::first_chunk);
            let value = value.copied().map_or(0, u32::from_le_bytes);
            if register == register::WRITER + register::ENABLE {
                self.runs_ps = now + 4 * self.period_ps;
            }
            self.set(Pin::csr_adr, register.into());
            self.set(Pin::csr_dat_w, value.into());
            for (reader, first) in [register::WRITER, register::READER].into_iter().enumerate() {
                self.pushed[reader] += u64::from(register == first + register::PUSH);
            }
        }
        let shown = self.completions.pop_front();
        self.set(Pin::cmp_valid, u64::from(shown.is_some()));
        if let Some(beat) = &shown {
            self.set(Pin::cmp_first, beat.first.into());
            self.set(Pin::cmp_last, beat.last.into());
            self.set(Pin::cmp_end, beat.end.into());
            self.set(Pin::cmp_tag, beat.tag.into());
            self.set(Pin::cmp_len, beat.len_dw.into());
            self.set(Pin::cmp_adr, beat.address.into());
            self.set_data(Pin::cmp_dat, &beat.data[..width]);
        }
        let mut beat = [0; MAX_BEAT_BYTES];
        let offered = now >= self.runs_ps && user.offer(&mut beat[..width]);
        self.set(Pin::c2h_valid, offered.into());
        if offered {
            self.set_data(Pin::c2h_data, &beat[..width]);
        }
        self.set(Pin::h2c_ready, 1);
        self.set(Pin::req_ready, rx.tx_ready.into());
        self.set(Pin::clock, 0);
        self.instance.eval().map_err(failed)?;

        self.tx.valid = self.get(Pin::req_valid) != 0;
        if self.tx.valid {
            self.tx.kind = u8::from(self.get(Pin::req_we) == 0);
            self.tx.sop = self.get(Pin::req_first) != 0;
            self.tx.eop = self.get(Pin::req_last) != 0;
            self.tx.address = self.get(Pin::req_adr);
            self.tx.len_dw = self.get(Pin::req_len) as u16;
            (self.tx.first_be, self.tx.last_be) = (0xf, 0xf);
            self.tx.tag = self.get(Pin::req_tag) as u16;
            let mut data = [0; MAX_BEAT_BYTES];
            self.data(Pin::req_dat, &mut data[..width]);
            self.tx.data = data;
        }
        self.link.end_cycle(now, &self.tx, true).map_err(failed)?;
        if let Some(beat) = shown
            && self.get(Pin::cmp_ready) == 0
        {
            self.completions.push_front(beat);
        }
        if offered && self.get(Pin::c2h_ready) != 0 {
            user.taken();
        }
        if self.get(Pin::h2c_valid) != 0 {
            self.data(Pin::h2c_data, &mut beat[..width]);
            user.receive(&beat[..width])?;
        }
        self.set(Pin::clock, 1);
        self.instance.eval().map_err(failed)?;
        self.now_ps += self.period_ps;
        while let Some(event) = self.link.pop_event() {
            if let HostEvent::WriteFault { fault, .. } | HostEvent::ReadFault { fault, .. } = event
            {
                return Err(failed(fault));
            }
        }
        Ok(())
    }
}
