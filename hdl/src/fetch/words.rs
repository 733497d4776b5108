//! From the link's beats to the words of 128 bits in which lists and contexts are kept.

mod gather;
mod split;
#[cfg(test)]
mod tests;

pub use gather::GatherWords;
pub use split::SplitWords;

use rust_hdl::prelude::*;

/// The completions of the fetch unit's reads, as they would come on a bus of 128 bits.
///
/// Beats of 128 bits go straight through, narrower ones through [`GatherWords`], wider ones through [`SplitWords`]. What
/// answers no read of the fetch unit (tags 0 to 7) comes out or does not. `W`: bus width in bits (64 to 512), `L` =
/// log2(`W` / 8).
#[derive(LogicBlock)]
pub struct CompletionWords<const W: usize, const L: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// A beat of a read completion; its header is the same from the first beat to the last.
    pub cpl_valid: Signal<In, Bit>,
    /// First beat.
    pub cpl_sop: Signal<In, Bit>,
    /// Last beat.
    pub cpl_eop: Signal<In, Bit>,
    /// Address-aligned data.
    pub cpl_data: Signal<In, Bits<W>>,
    /// Tag.
    pub cpl_tag: Signal<In, Bits<10>>,
    /// DWs in this completion.
    pub cpl_len: Signal<In, Bits<11>>,
    /// Bytes still to come, this completion included.
    pub cpl_byte_count: Signal<In, Bits<13>>,
    /// Low address bits.
    pub cpl_lower_addr: Signal<In, Bits<7>>,
    /// Completion status.
    pub cpl_status: Signal<In, Bits<3>>,
    /// Poisoned.
    pub cpl_poisoned: Signal<In, Bit>,
    /// A word.
    pub word_valid: Signal<Out, Bit>,
    /// First of its completion.
    pub word_sop: Signal<Out, Bit>,
    /// Last of its completion.
    pub word_eop: Signal<Out, Bit>,
    /// The word.
    pub word_data: Signal<Out, Bits<128>>,
    /// Tag.
    pub word_tag: Signal<Out, Bits<10>>,
    /// DWs in this completion.
    pub word_len: Signal<Out, Bits<11>>,
    /// Bytes still to come, this completion included.
    pub word_byte_count: Signal<Out, Bits<13>>,
    /// Low address bits.
    pub word_lower_addr: Signal<Out, Bits<7>>,
    /// Completion status.
    pub word_status: Signal<Out, Bits<3>>,
    /// Poisoned.
    pub word_poisoned: Signal<Out, Bit>,

    // One of them, or none.
    gather: Vec<GatherWords>,
    split: Vec<SplitWords<W, L>>,
}

impl<const W: usize, const L: usize> Default for CompletionWords<W, L> {
    fn default() -> Self {
        assert!(matches!(W, 64 | 128 | 256 | 512) && W == 8 << L);
        let mut words = Self {
            clock: Default::default(),
            reset: Default::default(),
            cpl_valid: Default::default(),
            cpl_sop: Default::default(),
            cpl_eop: Default::default(),
            cpl_data: Default::default(),
            cpl_tag: Default::default(),
            cpl_len: Default::default(),
            cpl_byte_count: Default::default(),
            cpl_lower_addr: Default::default(),
            cpl_status: Default::default(),
            cpl_poisoned: Default::default(),
            word_valid: Default::default(),
            word_sop: Default::default(),
            word_eop: Default::default(),
            word_data: Default::default(),
            word_tag: Default::default(),
            word_len: Default::default(),
            word_byte_count: Default::default(),
            word_lower_addr: Default::default(),
            word_status: Default::default(),
            word_poisoned: Default::default(),
            gather: Vec::new(),
            split: Vec::new(),
        };
        if W < 128 {
            words.gather.push(GatherWords::default());
        }
        if W > 128 {
            words.split.push(SplitWords::default());
        }
        words
    }
}

/// Inputs of a part follow the inputs of the same names here.
macro_rules! enter {
    ($self:ident, $part:ident: $($port:ident),+) => { $($part.$port.next = $self.$port.val();)+ };
}

/// Outputs here follow those of a part.
macro_rules! leave {
    ($self:ident, $part:ident: $($port:ident),+) => { $($self.$port.next = $part.$port.val();)+ };
}

/// Outputs here follow the beat.
macro_rules! pass {
    ($self:ident: $($word:ident = $beat:ident),+) => { $($self.$word.next = $self.$beat.val();)+ };
}

/// What beats and words have: the header behind the data.
const PORTS: [&str; 10] = [
    "valid",
    "sop",
    "eop",
    "data",
    "tag",
    "len",
    "byte_count",
    "lower_addr",
    "status",
    "poisoned",
];

// rust-hdl kernels have no parts that depend on a parameter, so the choice is written in both languages.
impl<const W: usize, const L: usize> Logic for CompletionWords<W, L> {
    fn update(&mut self) {
        if let Some(part) = self.split.first_mut() {
            enter!(self, part: clock, reset, cpl_valid, cpl_sop, cpl_eop, cpl_data, cpl_tag, cpl_len);
            enter!(self, part: cpl_byte_count, cpl_lower_addr, cpl_status, cpl_poisoned);
            leave!(self, part: word_valid, word_sop, word_eop, word_data, word_tag, word_len);
            leave!(self, part: word_byte_count, word_lower_addr, word_status, word_poisoned);
            return;
        }
        pass!(self: word_tag = cpl_tag, word_len = cpl_len, word_byte_count = cpl_byte_count);
        pass!(self: word_lower_addr = cpl_lower_addr, word_status = cpl_status, word_poisoned = cpl_poisoned);
        if let Some(part) = self.gather.first_mut() {
            enter!(self, part: clock, reset, cpl_valid, cpl_sop, cpl_eop, cpl_lower_addr);
            part.cpl_data.next = bit_cast::<64, W>(self.cpl_data.val());
            leave!(self, part: word_valid, word_sop, word_eop, word_data);
        } else {
            pass!(self: word_valid = cpl_valid, word_sop = cpl_sop, word_eop = cpl_eop);
            self.word_data.next = bit_cast::<128, W>(self.cpl_data.val());
        }
    }
    fn connect(&mut self) {
        macro_rules! driven {
            ($part:expr; $($port:ident),+) => { $($part.$port.connect();)+ };
        }
        driven!(self; word_valid, word_sop, word_eop, word_data, word_tag, word_len, word_byte_count);
        driven!(self; word_lower_addr, word_status, word_poisoned);
        for part in &mut self.gather {
            driven!(part; clock, reset, cpl_valid, cpl_sop, cpl_eop, cpl_data, cpl_lower_addr);
        }
        for part in &mut self.split {
            driven!(part; clock, reset, cpl_valid, cpl_sop, cpl_eop, cpl_data, cpl_tag, cpl_len);
            driven!(part; cpl_byte_count, cpl_lower_addr, cpl_status, cpl_poisoned);
        }
    }
    fn hdl(&self) -> Verilog {
        let wire = |to: String, from: String| format!("   {to} = {from};\n");
        let through = |name: &&str| wire(format!("word_{name}"), format!("cpl_{name}"));
        let (part, entering, leaving) = match W {
            64 => (
                "gather$0",
                vec!["valid", "sop", "eop", "data", "lower_addr"],
                &PORTS[..4],
            ),
            128 => ("", Vec::new(), &PORTS[..0]),
            _ => ("split$0", PORTS.to_vec(), &PORTS[..]),
        };
        let mut wires = String::new();
        if !part.is_empty() {
            for name in ["clock", "reset"] {
                wires += &wire(format!("{part}${name}"), name.into());
            }
        }
        for name in entering {
            wires += &wire(format!("{part}$cpl_{name}"), format!("cpl_{name}"));
        }
        for name in leaving {
            wires += &wire(format!("word_{name}"), format!("{part}$word_{name}"));
        }
        wires.extend(PORTS[leaving.len()..].iter().map(through));
        Verilog::Custom(format!("always @(*) begin\n{wires}end\n"))
    }
}
