use super::{Error, Pair};
use crate::ports;
use rust_hdl::prelude::*;

/// Counts while enabled; `sum` is combinational.
#[derive(LogicBlock, Default)]
struct Counter {
    pub clock: Signal<In, Clock>,
    pub enable: Signal<In, Bit>,
    pub addend: Signal<In, Bits<40>>,
    pub count: Signal<Out, Bits<40>>,
    pub sum: Signal<Out, Bits<40>>,
    pub odd: Signal<Out, Bit>,
    register: DFF<Bits<40>>,
}

impl Logic for Counter {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, register);
        if self.enable.val() {
            self.register.d.next = self.register.q.val() + 1;
        }
        self.count.next = self.register.q.val();
        self.sum.next = self.register.q.val() + self.addend.val();
        self.odd.next = self.register.q.val().get_bit(0);
    }
}

fn counter() -> Result<Pair<Counter>, Error> {
    Pair::new(
        Counter::default(),
        ports!(Counter { clock: clock; in enable, addend; out count, sum, odd }),
    )
}

#[test]
fn one_test_bench_drives_both() -> Result<(), Error> {
    let mut dut = counter()?;
    dut.set("addend", 0xff_0000_0000)?;
    for step in 0..200 {
        // Back-pressure that depends on what the device says.
        let enable = step % 3 != 0 || dut.is("odd")?;
        let before = dut.get("count")?;
        dut.set("enable", enable)?;
        dut.step()?;
        assert_eq!(dut.get("count")?, before + u64::from(enable));
        assert_eq!(
            dut.get("sum")?,
            (0xff_0000_0000 + dut.get("count")?) & 0xff_ffff_ffff
        );
    }
    assert_eq!(dut.steps(), 200);
    assert_eq!(dut.native().count.val(), bits(dut.get("count")?));
    Ok(())
}

#[test]
fn inputs_settle_before_they_are_read() -> Result<(), Error> {
    let mut dut = counter()?;
    dut.set("addend", 5)?;
    assert_eq!(dut.get("sum")?, 5);
    dut.set("addend", 6)?;
    assert_eq!(dut.get("sum")?, 6);
    Ok(())
}

#[test]
fn misuse_is_explained() -> Result<(), Error> {
    let mut dut = counter()?;
    let error = dut.set("adend", 1).unwrap_err().to_string();
    assert_eq!(error, "no input `adend`; there are: enable, addend");
    let error = dut.set("addend", 1 << 40).unwrap_err().to_string();
    assert_eq!(
        error,
        "port `addend` has 40 bits: 0x10000000000 does not fit"
    );
    assert!(matches!(dut.set("count", 1), Err(Error::NoPort { .. })));
    Ok(())
}

/// 512 bits through interface ports and a register.
#[derive(LogicInterface, Clone, Debug, Default)]
#[join = "WordSource"]
struct WordSink {
    pub data: Signal<In, Bits<512>>,
    pub valid: Signal<In, Bit>,
}

#[derive(LogicInterface, Clone, Debug, Default)]
#[join = "WordSink"]
struct WordSource {
    pub data: Signal<Out, Bits<512>>,
    pub valid: Signal<Out, Bit>,
}

#[derive(LogicBlock, Default)]
struct Wide {
    pub clock: Signal<In, Clock>,
    pub sink: WordSink,
    pub source: WordSource,
    register: DFF<Bits<512>>,
    held: DFF<Bit>,
}

impl Logic for Wide {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, register, held);
        self.register.d.next = !self.sink.data.val();
        self.held.d.next = self.sink.valid.val();
        self.source.data.next = self.register.q.val();
        self.source.valid.next = self.held.q.val();
    }
}

#[test]
fn wide_interface_ports() -> Result<(), Error> {
    let ports =
        ports!(Wide { clock: clock; in sink.data, sink.valid; out source.data, source.valid });
    let mut dut = Pair::new(Wide::default(), ports)?;
    let word: Vec<u32> = (0..16).map(|index| 0x1111_0000 * index + index).collect();
    dut.set_wide("sink$data", &word)?;
    dut.set("sink$valid", true)?;
    dut.step()?;
    let inverted: Vec<u32> = word.iter().map(|word| !word).collect();
    assert_eq!(dut.get_wide("source$data")?, inverted);
    assert!(dut.is("source$valid")?);
    assert!(matches!(
        dut.get("source$data"),
        Err(Error::Width { width: 512, .. })
    ));
    Ok(())
}

/// Two clocks, each with its register.
#[derive(LogicBlock, Default)]
struct Crossing {
    pub clock: Signal<In, Clock>,
    pub core_clock: Signal<In, Clock>,
    pub a: Signal<In, Bits<8>>,
    pub q: Signal<Out, Bits<8>>,
    first: DFF<Bits<8>>,
    second: DFF<Bits<8>>,
}

impl Logic for Crossing {
    #[hdl_gen]
    fn update(&mut self) {
        self.first.clock.next = self.clock.val();
        self.second.clock.next = self.core_clock.val();
        self.first.d.next = self.a.val();
        self.second.d.next = self.first.q.val();
        self.q.next = self.second.q.val();
    }
}

#[test]
fn clocks_move_apart_and_together() -> Result<(), Error> {
    let ports = ports!(Crossing { clock: clock, core_clock; in a; out q });
    let mut dut = Pair::new(Crossing::default(), ports)?;
    dut.set("a", 7)?;
    dut.step()?;
    assert_eq!(dut.get("q")?, 0);
    dut.step_clocks(&["core_clock"])?;
    assert_eq!(dut.get("q")?, 7);
    dut.set("a", 9)?;
    // Both at once: the second register takes what the first held.
    dut.step_clocks(&["clock", "core_clock"])?;
    assert_eq!(dut.get("q")?, 7);
    dut.step_clocks(&["core_clock"])?;
    assert_eq!(dut.get("q")?, 9);
    Ok(())
}

/// The Verilog counts by two where the native model counts by one.
#[derive(LogicBlock, Default)]
struct Liar {
    pub clock: Signal<In, Clock>,
    pub enable: Signal<In, Bit>,
    pub count: Signal<Out, Bits<8>>,
}

impl Logic for Liar {
    fn update(&mut self) {
        if self.clock.pos_edge() && self.enable.val() {
            self.count.next = self.count.val() + 1;
        }
    }
    fn connect(&mut self) {
        self.count.connect();
    }
    fn hdl(&self) -> Verilog {
        Verilog::Custom(
            "initial count = 0;\nalways @(posedge clock) if (enable) count <= count + (count == 5 ? 2 : 1);".into(),
        )
    }
}

#[test]
fn a_deliberate_difference_is_caught() -> Result<(), Error> {
    let mut dut = Pair::new(
        Liar::default(),
        ports!(Liar { clock: clock; in enable; out count }),
    )?;
    dut.set("enable", true)?;
    for _ in 0..5 {
        dut.step()?;
    }
    let error = dut.step().unwrap_err();
    let expected = "native simulation and Verilog differ at step 5, rising edge, port `count`: native 0x6, Verilog 0x7\n\
                    inputs: clock = 0x1, enable = 0x1";
    assert_eq!(error.to_string(), expected);
    assert_eq!(format!("{error:?}"), expected);
    Ok(())
}

/// `a & b == c` is emitted without parentheses: rust-hdl's own silent miscompile.
#[derive(LogicBlock, Default)]
struct Precedence {
    pub a: Signal<In, Bits<8>>,
    pub b: Signal<In, Bits<8>>,
    pub c: Signal<In, Bits<8>>,
    pub same: Signal<Out, Bit>,
}

impl Logic for Precedence {
    #[hdl_gen]
    fn update(&mut self) {
        self.same.next = self.a.val() & self.b.val() == self.c.val();
    }
}

#[test]
fn a_silent_miscompile_is_caught() -> Result<(), Error> {
    let ports = ports!(Precedence { in a, b, c; out same });
    // a & b == c holds at rest in rust-hdl, a & (b == c) does not.
    let error = match Pair::new(Precedence::default(), ports) {
        Err(error) => error,
        Ok(_) => panic!("the difference went unnoticed"),
    };
    let Error::Difference {
        step: 0,
        phase: "inputs settled",
        port,
        ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(port, "same");
    Ok(())
}

/// An output that nothing drives.
#[derive(LogicBlock, Default)]
struct Open {
    pub a: Signal<In, Bit>,
    pub q: Signal<Out, Bit>,
}

impl Logic for Open {
    #[hdl_gen]
    fn update(&mut self) {}
}

#[test]
fn refused_blocks_and_port_lists() {
    let error = Pair::new(Open::default(), ports!(Open { in a; out q }))
        .err()
        .unwrap();
    assert!(matches!(error, Error::Block(_)), "{error}");
    let error = Pair::new(
        Counter::default(),
        ports!(Counter { clock: clock; in enable, addend; out count, sum }),
    );
    let error = error.err().unwrap().to_string();
    assert!(error.contains("Instance has missing pin: 'odd'"), "{error}");
}
